import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { CatalogError } from '../../../src/core/errors.ts'
import type { Jobs } from '../../../src/lake/jobs/jobs.ts'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { recover } from '../../../src/modules/exports/run-job.ts'
import { settle } from '../../../src/modules/exports/settle-run.ts'
import { TaskFolder } from '../../../src/modules/exports/task-folder.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import type { RowSource, SourceSession } from '../../../src/sources/row-source.ts'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { refusal } from '../../refusal.ts'
import {
  archivedIds,
  exportParts,
  openTestSource,
  runOf,
  SIGNAL,
  sourceAt,
  type TestSource,
} from './export-runs.ts'

describeWithPostgres('faults of exports', () => {
  let opened: TestSource
  let url: string
  let source: pg.Client
  let home: string
  let objects: ObjectStore
  beforeAll(async () => {
    opened = await openTestSource()
    url = opened.url
    source = opened.client
  })
  afterAll(() => opened.close())
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'moraine-export-faults-'))
    objects = await openLocalStore({ writableRoots: [home], readableRoots: [] })
  })
  afterEach(() => rm(home, { recursive: true }))

  const depsOf = (of: RowSource, store = objects) =>
    exportParts({
      ...{ objects: store, warehouse: `file://${home}`, source: of },
      nowMs: () => 1_735_732_800_000,
    })
  const task = (more: object = {}, sql: object = {}) => {
    const json = JSON.stringify({ ...('select' in sql ? {} : ATOMIC), ...more })
    return parseTask('t', { json, ...sql, changedAtMs: 0 })
  }
  const ATOMIC = { table: 't', where: 'true' }
  const fill = (rows: number) =>
    source.query(
      'drop table if exists t; create table t (id int primary key, note text); ' +
        "insert into t select i, repeat('x', 100) || i " +
        `from generate_series(1000000, ${999_999 + rows}) i`,
    )
  const left = async () => Number((await source.query('select count(*) from t')).rows[0].count)

  test.each(['gzip', 'none'])(
    'a store that fails in mid-copy ends the run: %s',
    async (compression) => {
      await fill(100_000)
      const full: ObjectStore = Object.assign(Object.create(objects), {
        putStreamIfAbsent: async (_: string, chunks: AsyncIterable<Uint8Array>) => {
          for await (const _chunk of chunks) throw new CatalogError('storage-full', 'disk full')
        },
      })
      const deps = depsOf(sourceAt(url), full)
      const failed = await refusal(exportOnce(deps, task({ compression }), runOf('full')))
      expect(failed.code).toBe('storage-full')
      expect(await left()).toBe(100_000)
      // Nothing is locked any more.
      await source.query("set lock_timeout = '20s'; lock table t in access exclusive mode")
    },
  )

  /** The source, whose answer to a commit is lost. */
  function losing(of: RowSource): RowSource {
    const changed = (session: SourceSession): SourceSession => ({
      outcomeOf: (mark) => session.outcomeOf(mark),
      forget: (mark) => session.forget(mark),
      close: () => session.close(),
      begin: async (work) => {
        const transaction = await session.begin(work)
        const commit = async () => {
          await transaction.commit()
          throw new CatalogError('overloaded', 'the answer is lost')
        }
        return {
          mark: transaction.mark,
          describe: () => transaction.describe(),
          rows: transaction.rows,
          finish: () => transaction.finish(),
          commit,
          rollback: () => transaction.rollback(),
        }
      },
    })
    return {
      open: async (name, signal) => changed(await of.open(name, signal)),
      count: (...given) => of.count(...given),
    }
  }

  test.each(['another schema', 'another database', 'no table of marks'] as const)(
    'what the source does not know (%s) is no proof that nothing was deleted',
    async (how) => {
      await fill(10)
      const deps = depsOf(losing(sourceAt(url)))
      await expect(exportOnce(deps, task(), runOf('lost'))).rejects.toThrow('lost')
      const [note] = await deps.files.listNotes('t', 'lost')
      if (note === undefined) throw new Error('no note')
      let other = url
      if (how === 'another schema') other = `${url}?options=-c%20search_path%3Dother`
      if (how === 'another database') other = await opened.server.newDatabase()
      if (how === 'no table of marks') await source.query('drop table moraine_exports')
      await expect(settle(depsOf(sourceAt(other)), note, SIGNAL)).rejects.toMatchObject({
        code: 'export-outcome-unknown',
      })
      expect(await left()).toBe(0)
      expect(await objects.find(note.staged)).toBeDefined()
    },
  )

  test.each([1, 2])(
    'a query that answers differently each time has the keys of what it answered: turn %i',
    async (turn) => {
      await fill(1_000)
      // Each row of the first answer is missing in the second.
      await source.query(
        `drop sequence if exists turn; create sequence turn start ${turn}; ` +
          'create or replace function turned() returns bigint volatile language sql as ' +
          "$$ select nextval('turn') $$",
      )
      const select =
        'select t.* from t, (select turned() % 2 as turn offset 0) s where t.id % 2 = s.turn'
      const sql = { select, remove: 'delete from t where id % 2 = 1' }
      const deps = depsOf(sourceAt(url))
      const run = exportOnce(deps, task({}, sql), runOf('turned'))
      if (turn === 1) {
        expect(await run).toMatchObject({ rows: 500, deleted: 500, proof: 'keys' })
        const ids = await archivedIds(deps)
        expect([ids.length, ids.filter((id) => id % 2 === 1).length]).toEqual([500, 500])
        const { rows } = await source.query('select count(*)::int as count from t where id % 2 = 0')
        expect([rows[0].count, await left()]).toEqual([500, 500])
      } else {
        // As many rows, and none of them is the same.
        const failed = await refusal(run)
        expect([failed.code, failed.facts]).toEqual([
          'export-count-mismatch',
          { copied: 500, deleted: 500, keys: ['id'] },
        ])
        expect([await archivedIds(deps), await left()]).toEqual([[], 1_000])
      }
      expect(await deps.files.listStaged()).toEqual([])
      // The query was asked once.
      expect((await source.query('select last_value from turn')).rows[0].last_value).toBe(`${turn}`)
    },
  )

  test('a run whose job has ended is ended later, whatever lies beside it', async () => {
    await fill(10)
    const deps = depsOf(losing(sourceAt(url)))
    await expect(exportOnce(deps, task(), runOf('ended'))).rejects.toThrow('lost')
    await expect(exportOnce(deps, task(), runOf('running'))).resolves.toEqual({ outcome: 'empty' })
    const unreadable = deps.files.stagedLocation('a', 'cut', 'id-0')
    await objects.putIfAbsent(`${unreadable}.json`, new TextEncoder().encode('{"run_id":'))
    const left = deps.files.stagedLocation('t', 'abandoned', 'id-0')
    await objects.putIfAbsent(left, new TextEncoder().encode('id\n'))
    const told: unknown[] = []
    const open = new Set<string>()
    const recovering = {
      ...depsOf(sourceAt(url)),
      folder: new TaskFolder(home),
      // Jobs as they are read, without a catalog.
      jobs: { find: async (id: string) => ({ endedAtMs: open.has(id) ? undefined : 1 }) } as Jobs,
      log: { warn: (fields: object) => void told.push(fields) },
    }
    open.add('ended')
    expect(await recover(recovering, SIGNAL)).toBe(0)
    open.clear()
    expect(await recover(recovering, SIGNAL)).toBe(1)
    const receipts = await deps.files.list('t', { before: undefined, limit: 9 })
    expect(receipts).toMatchObject([{ run_id: 'ended', rows: 10 }])
    expect(told).toMatchObject([{ staged: unreadable }, { staged: unreadable }])
    // Not yet an hour old; then nobody will ever want it.
    expect(await objects.find(left)).toBeDefined()
    const nowMs = () => Date.now() + 7_200_000
    await recover({ ...recovering, ambient: { ...recovering.ambient, nowMs } }, SIGNAL)
    expect(await objects.find(left)).toBeUndefined()
    expect(await recover(recovering, SIGNAL)).toBe(0)
  })

  test('two runs of one name and size keep both files', async () => {
    await fill(10)
    const seed = task({ name: 'seed', compression: 'none' })
    await expect(exportOnce(depsOf(losing(sourceAt(url))), seed, runOf('one'))).rejects.toThrow()
    const deps = depsOf(sourceAt(url))
    const [note] = await deps.files.listNotes('t', 'one')
    if (note === undefined) throw new Error('no note')
    await fill(10)
    await exportOnce(deps, seed, runOf('two'))
    await settle(deps, note, SIGNAL)
    const receipts = await deps.files.list('t', { before: undefined, limit: 9 })
    expect(receipts.map(({ run_id }) => run_id).sort()).toEqual(['one', 'two'])
    expect(new Set(receipts.map(({ file }) => file)).size).toBe(2)
    for (const receipt of receipts) {
      const { location } = await deps.files.archived(receipt)
      expect(await objects.find(location)).toBeDefined()
    }
  })

  test.each([
    ['a cascade', 'create table other (t int references t on delete cascade)'],
    ['a child table', 'create table other (extra text) inherits (t)'],
  ])('%s would change rows that are archived nowhere: refused', async (_, statement) => {
    await fill(10)
    await source.query(statement)
    const failed = await refusal(exportOnce(depsOf(sourceAt(url)), task(), runOf('alone')))
    await source.query('drop table other')
    expect(failed.code).toBe('export-task-invalid')
    expect(failed.message).toContain('other')
    expect(await left()).toBe(10)
  })

  test('a condition that would be another statement is refused', async () => {
    await fill(10)
    const where = 'id = 1) returning *) to stdout; delete from t; copy (delete from t where (false'
    const failed = await refusal(exportOnce(depsOf(sourceAt(url)), task({ where }), runOf('more')))
    expect(failed.code).toBe('source-refused')
    expect(await left()).toBe(10)
  })
})
