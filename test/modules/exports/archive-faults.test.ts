import type pg from 'pg'
import { sweepUnfinished } from '../../../src/lake/deletion/sweep-unfinished.ts'
import { unlinkDue } from '../../../src/lake/deletion/unlinker.ts'
import type { ArchiveTableDependencies } from '../../../src/modules/exports/archive-table.ts'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { EXPORT_KIND, recover } from '../../../src/modules/exports/run-job.ts'
import { settle } from '../../../src/modules/exports/settle-run.ts'
import { TaskFolder } from '../../../src/modules/exports/task-folder.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { unkeyAll } from '../../catalog/unkeyed.ts'
import { openWorkshop, type Workshop } from '../../lake/workshop.ts'
import { dyingStore, Killed } from './dying-store.ts'
import {
  exportParts,
  JOB,
  openTestSource,
  runOf,
  SIGNAL,
  sourceAt,
  type TestSource,
} from './export-runs.ts'

const TABLE = 'archive.t'
const DAY_MS = 86_400_000

describeWithPostgres('faults of an append', () => {
  let opened: TestSource
  let source: pg.Client
  let workshop: Workshop
  beforeAll(async () => {
    opened = await openTestSource()
    source = opened.client
  })
  afterAll(() => opened.close())
  beforeEach(async () => {
    workshop = await openWorkshop()
    await source.query(
      'drop table if exists t, moraine_exports; ' +
        'create table t as select i as id from generate_series(1, 10) i',
    )
  })
  afterEach(() => workshop.close())

  /** What a run has, with parts that fail as if the process died. */
  function depsOf(broken: { readonly objects?: ObjectStore; readonly tables?: object } = {}) {
    const { deps } = workshop
    const objects = broken.objects ?? deps.objects
    return exportParts({
      ...{ objects, warehouse: deps.warehouse, source: sourceAt(opened.url) },
      tables: { ...deps, objects, ...broken.tables } as ArchiveTableDependencies,
    })
  }
  const task = parseTask('t', {
    json: JSON.stringify({ table: 't', where: 'true', archive_to: TABLE }),
    changedAtMs: 0,
  })
  const run = runOf(JOB)
  const left = async () => Number((await source.query('select count(*) from t')).rows[0].count)
  const appended = async () => {
    const found = await workshop.deps.catalog.tables.find({ namespace: ['archive'], name: 't' })
    return Number(found?.currentSnapshot?.summary['total-records'] ?? 0)
  }

  const dying = (method: keyof ObjectStore, isIt: (location: string) => boolean, after: boolean) =>
    dyingStore(workshop.deps.objects, { method, isIt, after })

  const isParquet = (location: string) => location.endsWith('.csv.parquet')
  const isNote = (location: string) => location.endsWith('.csv.json')
  const isPlaced = (location: string) => location.endsWith('.placed')
  const isIncoming = (location: string) => location.includes('/data/incoming/')
  const isStaged = (location: string) => /\/\.staged\/.*\.csv$/.test(location)
  test.each([
    ['before the rows are Parquet', 'putFileIfAbsent', isParquet, false],
    ['after the rows are Parquet', 'putFileIfAbsent', isParquet, true],
    ['before the note', 'putIfAbsent', isNote, false],
    ['after the commit, before the file has its name', 'moveIfAbsent', isStaged, false],
    ['after the file has its name', 'moveIfAbsent', isStaged, true],
    ['before the file is in the folder of the table', 'putStreamIfAbsent', isIncoming, false],
    ['while it is', 'moveIfAbsent', isIncoming, false],
    ['after it is', 'moveIfAbsent', isIncoming, true],
    ['before it is noted there', 'putIfAbsent', isPlaced, false],
    ['before the append', 'putIfAbsent', isPlaced, true],
    ['after the append', 'delete', isNote, false],
    ['after the note is gone', 'delete', isNote, true],
    ['between what lies beside it', 'delete', isParquet, false],
  ] as const)('killed %s: each row is there once', async (_, method, isIt, after) => {
    const broken = depsOf({ objects: dying(method, isIt, after) })
    await expect(exportOnce(broken, task, run)).rejects.toThrow(Killed)
    const deps = depsOf()
    const notes = await deps.files.listNotes('t', run.jobId)
    for (const note of notes) await settle(deps, note, SIGNAL)
    if ((await left()) > 0) await exportOnce(deps, task, run)
    expect(await left()).toBe(0)
    expect(await appended()).toBe(10)
    const receipts = await deps.files.list('t', { before: undefined, limit: 9 })
    expect(receipts).toMatchObject([{ rows: 10 }])
    expect(await deps.files.listNotes('t', run.jobId)).toEqual([])
  })

  /** A run whose process dies after the append, and its note. */
  async function cutOff(broken = dying('delete', isNote, false)) {
    await expect(exportOnce(depsOf({ objects: broken }), task, run)).rejects.toThrow(Killed)
    const [note] = await depsOf().files.listNotes('t', run.jobId)
    if (note === undefined) throw new Error('no note')
    return note
  }

  test('a table that may name any path gets its rows all the same, once', async () => {
    const note = await cutOff(dying('putIfAbsent', isPlaced, true))
    unkeyAll(workshop.deps)
    const tables = await workshop.another()
    for (let round = 0; round < 2; round++) {
      await settle(depsOf({ tables }), note, SIGNAL)
      expect(await appended()).toBe(10)
    }
  })

  test('however late: a commit that the catalog has forgotten is not made again', async () => {
    const note = await cutOff()
    workshop.setClock(Date.now() + 30 * DAY_MS)
    await workshop.deps.catalog.transactions.forget(Date.now() + 30 * DAY_MS)
    expect(
      await workshop.deps.catalog.transactions.find(note.append?.commit_id ?? ''),
    ).toBeUndefined()
    await settle(depsOf(), note, SIGNAL)
    expect(await appended()).toBe(10)
  })

  test('what is staged outlasts purges and every sweep until the late append', async () => {
    const { deps } = workshop
    const note = await cutOff(dying('moveIfAbsent', isStaged, false))
    const staged = [note.staged, note.append?.parquet ?? '']
    await dropTable({ ...deps, fileNamers: () => [] }, TABLE, { purge: 'now' })
    workshop.setClock(Date.now() + 30 * DAY_MS)
    await unlinkDue(deps)
    await sweepUnfinished(deps, SIGNAL)
    const { files } = depsOf()
    // Its job is there and runs, so that nobody else ends the run.
    const { job } = await deps.catalog.jobs.submit({
      ...{ jobId: run.jobId, kind: EXPORT_KIND, key: 't', input: { task: 't' } },
      nowMs: Date.now(),
    })
    expect(job.endedAtMs).toBeUndefined()
    const recovery = {
      ...depsOf(),
      folder: new TaskFolder('/none'),
      jobs: deps.jobs,
      log: deps.log,
    }
    expect(await recover(recovery, SIGNAL)).toBe(0)
    for (const location of staged) expect(await deps.objects.find(location)).toBeDefined()
    expect(await files.listNotes('t', run.jobId)).toHaveLength(1)
    await settle(depsOf(), note, SIGNAL)
    expect(await appended()).toBe(10)
    for (const location of staged) expect(await deps.objects.find(location)).toBeUndefined()
  })

  test('without the source, what was committed there is appended here', async () => {
    const note = await cutOff(dying('putStreamIfAbsent', isIncoming, false))
    const { exportSources: _, ...rest } = depsOf()
    const fails = async () => Promise.reject(new Error('away'))
    const away = { open: fails, count: fails }
    const deps = { ...rest, exportSources: new Map([['default', away]]) }
    await settle(deps, note, SIGNAL)
    expect(await appended()).toBe(10)
  })

  test('the table was dropped in between: it is made again', async () => {
    const note = await cutOff(dying('putStreamIfAbsent', isIncoming, false))
    await dropTable({ ...workshop.deps, fileNamers: () => [] }, TABLE, { purge: false })
    await settle(depsOf(), note, SIGNAL)
    expect(await appended()).toBe(10)
  })

  test('the table has another schema by then: the rows are converted to that', async () => {
    const note = await cutOff(dying('putStreamIfAbsent', isIncoming, false))
    const changes = [{ op: 'add', column: { name: 'extra', type: 'int', default: 7 } } as const]
    await evolveTable(workshop.deps, TABLE, { changes })
    await settle(depsOf(), note, SIGNAL)
    expect(await appended()).toBe(10)
  })

  test('two that end one run at once append its rows once', async () => {
    const note = await cutOff(dying('putStreamIfAbsent', isIncoming, false))
    await Promise.allSettled([settle(depsOf(), note, SIGNAL), settle(depsOf(), note, SIGNAL)])
    expect(await appended()).toBe(10)
  })
})
