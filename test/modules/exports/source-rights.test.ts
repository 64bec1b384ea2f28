import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { refusal } from '../../refusal.ts'
import {
  archivedIds,
  type ExportParts,
  exportParts,
  openTestSource,
  runOf,
  sourceOfRole,
  type TestSource,
} from './export-runs.ts'

const ROLE = `exporter_${randomUUID().replaceAll('-', '')}`

describeWithPostgres('a role that may not delete', () => {
  let opened: TestSource
  let home: string
  let deps: ExportParts
  beforeAll(async () => {
    opened = await openTestSource()
    await opened.client.query(`create role ${ROLE} login password 'secret'`)
  })
  afterAll(async () => {
    await opened.client.query(`drop owned by ${ROLE}; drop role ${ROLE}`)
    await opened.close()
  })
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'moraine-source-rights-'))
    const objects = await openLocalStore({ writableRoots: [home], readableRoots: [] })
    const warehouse = `file://${home}`
    deps = exportParts({ objects, warehouse, source: sourceOfRole(opened.url, ROLE) })
    await opened.client.query(
      'drop table if exists t; create table t (id int primary key, note text); ' +
        "insert into t select i, 'note' from generate_series(1, 100) i; " +
        `grant all on t to ${ROLE}`,
    )
  })
  afterEach(() => rm(home, { recursive: true }))

  const left = async () =>
    Number((await opened.client.query('select count(*) from t')).rows[0].count)
  const staged = async () => (await deps.files.listStaged()).length

  const QUERY = { select: 'select * from t where id > 10', remove: 'delete from t where id > 10' }
  const JOINED = { select: 'select t.* from t join moraine_keys using (id)' }
  test.each([
    ['atomic', { table: 't', where: 'id > 10' }, {}],
    ['snapshot', {}, QUERY],
    ['keys', { mode: 'keys', table: 't', where: 'id > 10' }, JOINED],
    ['batches', { mode: 'batches', batch_rows: 7, table: 't', where: 'id > 10' }, {}],
  ])('%s: no row is deleted or archived, each time, and files stay', async (_, json, sql) => {
    const task = (more: object) =>
      parseTask('t', { json: JSON.stringify({ ...json, ...more }), ...sql, changedAtMs: 0 })
    const first = parseTask('t', {
      json: JSON.stringify({ table: 't', where: 'id <= 10' }),
      changedAtMs: 0,
    })
    await exportOnce(deps, first, runOf())
    await opened.client.query(`revoke delete on t from ${ROLE}`)
    for (let run = 0; run < 2; run++) {
      const refused = await refusal(exportOnce(deps, task({}), runOf()))
      expect(refused).toMatchObject({ code: 'source-refused', facts: { sqlState: '42501' } })
      expect([await left(), await staged()]).toEqual([90, 0])
      expect((await archivedIds(deps)).length).toBe(10)
    }
    await opened.client.query(`grant delete on t to ${ROLE}`)
    await exportOnce(deps, task({}), runOf())
    expect([await left(), await staged()]).toEqual([0, 0])
    const ids = await archivedIds(deps)
    expect([...ids].sort((one, other) => one - other)).toEqual(
      Array.from({ length: 100 }, (__, index) => index + 1),
    )
  })

  /** A partitioned table, with one partition whose time is over, that the role may read. */
  async function partitioned(): Promise<void> {
    await opened.client.query(
      'drop table if exists p, p_old cascade; ' +
        'create table p (id int, at date) partition by range (at); ' +
        "create table p_old partition of p for values from ('2020-01-01') to ('2021-01-01'); " +
        "insert into p select i, date '2020-06-01' from generate_series(1, 50) i; " +
        `grant select, delete on p, p_old to ${ROLE}`,
    )
  }

  const isPartition = async () => {
    const text = "select relispartition from pg_class where oid = 'p_old'::regclass"
    return (await opened.client.query(text)).rows[0].relispartition
  }

  test('partition: who does not own the table detaches and drops nothing', async () => {
    await partitioned()
    const json = JSON.stringify({ mode: 'partition', table: 'p', min_age: '1 day' })
    const task = parseTask('t', { json, changedAtMs: 0 })
    for (let run = 0; run < 2; run++) {
      const refused = await refusal(exportOnce(deps, task, runOf()))
      expect(refused).toMatchObject({ code: 'source-refused', facts: { sqlState: '42501' } })
      expect(refused.message).toContain('owner')
      expect([await isPartition(), await staged()]).toEqual([true, 0])
    }
    // With the right to the table, and none to its partition.
    await opened.client.query(`alter table p owner to ${ROLE}`)
    expect(await refusal(exportOnce(deps, task, runOf()))).toMatchObject({
      ...{ code: 'source-refused', facts: { sqlState: '42501' } },
    })
    expect([await isPartition(), await staged()]).toEqual([true, 0])
    const { rows } = await opened.client.query('select count(*)::int as count from p')
    expect(rows[0].count).toBe(50)
    await opened.client.query(`alter table p_old owner to ${ROLE}`)
    expect(await exportOnce(deps, task, runOf())).toMatchObject({ rows: 50, deleted: 50 })
    expect((await archivedIds(deps)).length).toBe(50)
  })

  test('what is only copied needs no right to delete', async () => {
    await opened.client.query(`revoke delete on t from ${ROLE}`)
    const json = JSON.stringify({ mode: 'keep', table: 't', where: 'true' })
    const task = parseTask('t', { json, changedAtMs: 0 })
    expect(await exportOnce(deps, task, runOf())).toMatchObject({ rows: 100, deleted: 0 })
    expect(await left()).toBe(100)
    await opened.client.query(`revoke select on t from ${ROLE}`)
    const refused = await refusal(exportOnce(deps, task, runOf()))
    expect(refused).toMatchObject({ code: 'source-refused', facts: { sqlState: '42501' } })
  })
})
