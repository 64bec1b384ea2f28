import type pg from 'pg'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { Jobs } from '../../../src/lake/jobs/jobs.ts'
import { Waiters } from '../../../src/lake/jobs/waiters.ts'
import type { ArchiveTableDependencies } from '../../../src/modules/exports/archive-table.ts'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { askForExport, exportJob } from '../../../src/modules/exports/run-job.ts'
import { TaskFolder } from '../../../src/modules/exports/task-folder.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import type { RowSource } from '../../../src/sources/row-source.ts'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { realAmbient } from '../../lake/jobs/background.ts'
import { openWorkshop, type Workshop } from '../../lake/workshop.ts'
import { writeTask } from './export-harness.ts'
import {
  archivedTexts,
  exportParts,
  openTestSource,
  runOf,
  sourceAt,
  type TestSource,
} from './export-runs.ts'

describeWithPostgres('attempts of a run after one that did everything', () => {
  let opened: TestSource
  let source: pg.Client
  let workshop: Workshop
  let folder: string
  let jobs: Jobs
  beforeAll(async () => {
    opened = await openTestSource()
    source = opened.client
  })
  afterAll(() => opened.close())
  beforeEach(async () => {
    workshop = await openWorkshop()
    folder = `${workshop.dataFolder}/exports`
    await source.query(
      'drop table if exists t, moraine_exports; ' +
        'create table t as select i as id from generate_series(1, 10) i',
    )
  })
  afterEach(async () => {
    await jobs.close()
    await workshop.close()
  })

  function depsOf(of: RowSource = sourceAt(opened.url), objects = workshop.deps.objects) {
    const { deps } = workshop
    const { warehouse } = deps
    return exportParts({ objects, warehouse, source: of, tables: deps as ArchiveTableDependencies })
  }

  /** Does the job to its end. The end of each attempt is written if the test says so. */
  async function runToEnd(
    isEnded: (attempt: number) => boolean,
    deps = depsOf(),
    asked: (jobId: string) => void = () => undefined,
  ) {
    const { catalog } = workshop.deps
    let attempts = 0
    const failing: Catalog['jobs'] = new Proxy(catalog.jobs, {
      get(target, name) {
        const called = Reflect.get(target, name)
        if (name !== 'end') return typeof called === 'function' ? called.bind(target) : called
        return async (...given: Parameters<Catalog['jobs']['end']>) => {
          if (!isEnded(++attempts)) throw new Error('the catalog is away')
          return target.end(...given)
        }
      },
    })
    const log = { warn: () => undefined }
    jobs = new Jobs(
      { catalog: { ...catalog, jobs: failing }, ambient: realAmbient, log },
      new Waiters(),
    )
    const kind = exportJob({ ...deps, folder: new TaskFolder(folder), jobs, log })
    jobs.start({ kinds: [kind], leaseMs: 500, pollMs: 20 })
    const { jobId } = await askForExport(jobs, { task: 't', asker: 'x' })
    asked(jobId)
    const { signal } = new AbortController()
    return jobs.waitForEnd(jobId, { waitMs: 30_000, signal })
  }

  const left = async () => Number((await source.query('select count(*) from t')).rows[0].count)
  const rowsOf = async (name: string) => {
    const found = await workshop.deps.catalog.tables.find({ namespace: ['archive'], name })
    return Number(found?.currentSnapshot?.summary['total-records'] ?? 0)
  }

  const archive_to = 'archive.copy'
  test.each([
    ['keep', { table: 't', where: 'true', mode: 'keep', archive_to }, { rows: 10, left: 10 }],
    ['atomic', { table: 't', where: 'true', archive_to }, { rows: 10, left: 0 }],
    ['a bounded run', { table: 't', where: 'true', max_rows: 4, archive_to }, { rows: 4, left: 6 }],
    [
      'keep, named as the seed does',
      { table: 't', where: 'true', mode: 'keep', name: 'seed', archive_to },
      { rows: 10, left: 10 },
    ],
    [
      'keep, of our own table',
      { source: 'moraine', table: 'archive.own', where: 'true', mode: 'keep', archive_to },
      { rows: 10, left: 10 },
    ],
  ])('%s: the run has one file, and its rows are appended once', async (_, json, wanted) => {
    const own = { table: 't', where: 'true', mode: 'keep', archive_to: 'archive.own' }
    const filled = parseTask('filled', { json: JSON.stringify(own), changedAtMs: 0 })
    await exportOnce(depsOf(), filled, runOf())
    await writeTask(folder, 't', { 'task.json': json })
    const { state, result, attempts } = await runToEnd((attempt) => attempt === 2)
    expect([state, attempts]).toEqual(['succeeded', 2])
    expect(result).toMatchObject({ outcome: 'exported', rows: wanted.rows, table: archive_to })
    expect(await archivedTexts(depsOf())).toHaveLength(1)
    expect(await rowsOf('copy')).toBe(wanted.rows)
    expect(await left()).toBe(wanted.left)
  })

  test('batches: the next attempt goes on, and counts what was archived before', async () => {
    const json = { mode: 'batches', table: 't', where: 'true', batch_rows: 2, max_rows: 5 }
    await writeTask(folder, 't', { 'task.json': { ...json, archive_to } })
    const { result } = await runToEnd((attempt) => attempt === 2)
    expect(result).toMatchObject({ parts: 3, rows: 5 })
    expect([await rowsOf('copy'), await left()]).toEqual([5, 5])
  })

  test('a run that is withdrawn once it is committed comes to its end', async () => {
    await writeTask(folder, 't', { 'task.json': { table: 't', where: 'true', archive_to } })
    const of = sourceAt(opened.url)
    let id = ''
    const withdrawing: RowSource = {
      count: (...given) => of.count(...given),
      open: async (...given) => {
        const session = await of.open(...given)
        return Object.assign(Object.create(session), {
          outcomeOf: session.outcomeOf.bind(session),
          forget: session.forget.bind(session),
          close: session.close.bind(session),
          begin: async (work: Parameters<typeof session.begin>[0]) => {
            const transaction = await session.begin(work)
            const { commit } = transaction
            transaction.commit = async () => {
              await commit.call(transaction)
              // The rows are converted again, for the new schema, which a signal would end.
              const changes = [{ op: 'add', column: { name: 'more', type: 'int' } } as const]
              await evolveTable(workshop.deps, archive_to, { changes })
              await jobs.cancel(id)
            }
            return transaction
          },
        })
      },
    }
    const ended = await runToEnd(
      () => true,
      depsOf(withdrawing),
      (jobId) => {
        id = jobId
      },
    )
    expect(ended).toMatchObject({ state: 'succeeded', result: { rows: 10, table: archive_to } })
    expect([await rowsOf('copy'), await left()]).toEqual([10, 0])
    expect(await depsOf().files.listStaged()).toEqual([])
  })

  test('the second part of a run can be cut off, as the first', async () => {
    const json = { mode: 'batches', table: 't', where: 'true', batch_rows: 5 }
    await writeTask(folder, 't', { 'task.json': json })
    const stop = new AbortController()
    const run = { ...runOf(), signal: stop.signal }
    let parts = 0
    const { objects } = workshop.deps
    const cutting = new Proxy(objects, {
      get(target, name) {
        const called = Reflect.get(target, name)
        if (name !== 'putStreamIfAbsent') {
          return typeof called === 'function' ? called.bind(target) : called
        }
        return async (...given: Parameters<typeof objects.putStreamIfAbsent>) => {
          if (++parts === 2) {
            stop.abort(new Error('withdrawn'))
            // The transaction has ended: its rows can be had.
            await source.query("set lock_timeout = '10s'; lock table t in access exclusive mode")
          }
          return target.putStreamIfAbsent(...given)
        }
      },
    })
    const task = parseTask('t', { json: JSON.stringify(json), changedAtMs: 0 })
    await expect(exportOnce(depsOf(undefined, cutting), task, run)).rejects.toThrow()
    expect(await left()).toBe(5)
  })
})
