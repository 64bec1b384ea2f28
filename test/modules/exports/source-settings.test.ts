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
  archivedTexts,
  type ExportParts,
  exportParts,
  openTestSource,
  runOf,
  sourceOfRole,
  type TestSource,
} from './export-runs.ts'

const ROLE = `owner_${randomUUID().replaceAll('-', '')}`
/** The nearest double of it has all of these digits. */
const LONG = '0.30000000000000004'

describeWithPostgres('what a role of the source is set to', () => {
  let opened: TestSource
  let home: string
  let deps: ExportParts
  beforeAll(async () => {
    opened = await openTestSource()
    await opened.client.query(
      `create role ${ROLE} login password 'secret'; grant all on schema public to ${ROLE}`,
    )
  })
  afterAll(async () => {
    await opened.client.query(`drop owned by ${ROLE}; drop role ${ROLE}`)
    await opened.close()
  })
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'moraine-source-settings-'))
    const objects = await openLocalStore({ writableRoots: [home], readableRoots: [] })
    const source = sourceOfRole(opened.url, ROLE)
    deps = exportParts({ objects, warehouse: `file://${home}`, source })
  })
  afterEach(() => rm(home, { recursive: true }))

  function run(json: object, sql: { select?: string; remove?: string } = {}) {
    const task = parseTask('t', { json: JSON.stringify(json), ...sql, changedAtMs: 0 })
    return exportOnce(deps, task, runOf())
  }

  test.each([
    ['off', 'on'],
    ['local', 'local'],
    ['on', 'on'],
  ])('a commit outlives a crash of the source: synchronous_commit %s', async (set, used) => {
    await opened.client.query(
      `alter role ${ROLE} set synchronous_commit = ${set}; drop table if exists t; ` +
        `create table t as select 1 as id; alter table t owner to ${ROLE}`,
    )
    const select = "select current_setting('synchronous_commit') as used from t"
    await run({}, { select, remove: 'delete from t' })
    expect(await archivedTexts(deps)).toEqual([`used\n${used}\n`])
  })

  test('numbers have all of their digits', async () => {
    await opened.client.query(
      `alter role ${ROLE} set extra_float_digits = -3; drop table if exists t; ` +
        `create table t as select ${LONG}::float8 as x; alter table t owner to ${ROLE}`,
    )
    await run({ table: 't', where: 'true' })
    expect(await archivedTexts(deps)).toEqual([`x\n${LONG}\n`])
  })

  test('a partition of which a policy hides rows is not dropped', async () => {
    await opened.client.query(
      'create table p (tenant int, at date) partition by range (at); ' +
        "create table p_1 partition of p for values from ('2020-01-01') to ('2021-01-01'); " +
        "create table p_2 partition of p for values from ('2021-01-01') to ('2022-01-01'); " +
        "insert into p values (1, '2020-02-01'), (2, '2020-02-01'), (2, '2021-02-01'); " +
        `alter table p owner to ${ROLE}; alter table p_1 owner to ${ROLE}; ` +
        `alter table p_2 owner to ${ROLE}; ` +
        ['p_1', 'p_2'].map(hiding).join('; '),
    )
    const ended = await refusal(run({ mode: 'partition', table: 'p', min_age: '1 day' }))
    expect(ended).toMatchObject({ code: 'source-refused', facts: { sqlState: '42501' } })
    const { rows } = await opened.client.query('select count(*)::int as left from p')
    expect([rows, await archivedTexts(deps)]).toEqual([[{ left: 3 }], []])
  })

  /** All rows but those of one tenant, from their owner, too. */
  function hiding(table: string): string {
    return (
      `alter table ${table} enable row level security; ` +
      `alter table ${table} force row level security; ` +
      `create policy seen on ${table} using (tenant = 1)`
    )
  }
})
