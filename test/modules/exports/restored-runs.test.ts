import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CatalogError } from '../../../src/core/errors.ts'
import type { Jobs } from '../../../src/lake/jobs/jobs.ts'
import { markRestoredRuns } from '../../../src/modules/exports/copy-tasks.ts'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { recover } from '../../../src/modules/exports/run-job.ts'
import { TaskFolder } from '../../../src/modules/exports/task-folder.ts'
import { copyWarehouse } from '../../../src/modules/operations/backup.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import type { RowSource } from '../../../src/sources/row-source.ts'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import {
  archivedIds,
  exportParts,
  openTestSource,
  runOf,
  SIGNAL,
  sourceAt,
  type TestSource,
} from './export-runs.ts'

const HOUR_MS = 3_600_000

describeWithPostgres('runs that had not ended when a backup was made', () => {
  let opened: TestSource
  let home: string
  let told: unknown[]
  beforeAll(async () => {
    opened = await openTestSource()
  })
  afterAll(() => opened.close())
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'moraine-restored-runs-'))
    told = []
    await opened.client.query(
      'drop table if exists t, moraine_exports; ' +
        'create table t as select i as id from generate_series(1, 10) i',
    )
  })
  afterEach(() => rm(home, { recursive: true }))

  async function openPlace(name: string, nowMs = Date.now) {
    const path = `${home}/${name}`
    const root = `file://${path}`
    const objects = await openLocalStore({ writableRoots: [path], readableRoots: [] })
    const source = sourceAt(opened.url)
    return { ...exportParts({ objects, warehouse: root, source, nowMs }), root, warehouse: root }
  }
  type Place = Awaited<ReturnType<typeof openPlace>>

  /** The backup in the place of what it was made of, which is lost. */
  async function restored(backup: Place, nowMs = Date.now): Promise<Place> {
    await rm(`${home}/live`, { recursive: true })
    const place = await openPlace('live', nowMs)
    await copyWarehouse(backup, place)
    await markRestoredRuns(backup, place)
    return place
  }

  /** Ends what can be ended, as a service that knows no job of the run. */
  function end(place: Place): Promise<number> {
    const jobs = { find: async () => undefined } as unknown as Jobs
    const log = { warn: (facts: unknown) => void told.push(facts) }
    return recover({ ...place, folder: new TaskFolder(`${home}/tasks`), jobs, log }, SIGNAL)
  }

  /** The source, which is lost once the transaction of a run has ended so. */
  function losing(ending: 'commit' | 'rollback'): RowSource {
    const source = sourceAt(opened.url)
    return {
      count: (...given) => source.count(...given),
      open: async (...given) => {
        const session = await source.open(...given)
        return {
          outcomeOf: (...asked) => session.outcomeOf(...asked),
          forget: (mark) => session.forget(mark),
          close: () => session.close(),
          begin: async (work) => {
            const transaction = await session.begin(work)
            const { mark, rows } = transaction
            const commit = async () => {
              await transaction[ending]()
              throw new CatalogError('overloaded', 'the answer is lost')
            }
            return {
              ...{ mark, rows, commit },
              describe: () => transaction.describe(),
              finish: () => transaction.finish(),
              rollback: () => transaction.rollback(),
            }
          },
        }
      },
    }
  }

  const json = JSON.stringify({ table: 't', where: 'true', compression: 'none' })

  /** A run that is cut off at its end, and a backup of it. */
  async function cutOff(ending: 'commit' | 'rollback') {
    const live = await openPlace('live')
    const lost = { ...live, exportSources: new Map([['default', losing(ending)]]) }
    const run = exportOnce(lost, parseTask('t', { json, changedAtMs: 0 }), runOf('run'))
    await expect(run).rejects.toThrow('lost')
    const backup = await openPlace('backup')
    await copyWarehouse(live, backup)
    const [note] = await backup.files.listNotes('t', 'run')
    if (note === undefined) throw new Error('no note')
    /** As if the server of the source had been started anew since. */
    const forgetStart = async () => {
      const path = note.staged.replace(live.root, `${home}/backup`)
      const mark = { ...note.mark, startedAt: '1' }
      await writeFile(`${path}.json`, JSON.stringify({ ...note, mark }))
    }
    const staged = note.staged.slice(live.root.length)
    return { live, backup, staged, forgetStart }
  }

  const isThere = async ({ objects, root }: Place, name: string) =>
    (await objects.find(`${root}${name}`)) !== undefined

  test('the only copy of rows stays whose run was ended, and forgotten, since', async () => {
    const { live, backup, staged, forgetStart } = await cutOff('commit')
    await forgetStart()
    expect(await end(live)).toBe(1)
    const { rows } = await opened.client.query('select count(*)::int as marks from moraine_exports')
    expect(rows).toEqual([{ marks: 0 }])
    const place = await restored(backup)
    expect(await end(place)).toBe(0)
    expect(told).toEqual([
      { problem: expect.stringContaining('does not remember'), staged: place.root + staged },
    ])
    expect(await isThere(place, staged)).toBe(true)
  })

  test.each([
    ['committed', 'commit', 10],
    ['rolled back', 'rollback', 0],
  ] as const)('one that the source still knows to be %s is ended', async (_, ending, count) => {
    const { live, backup, staged } = await cutOff(ending)
    await end(live)
    const place = await restored(backup)
    await end(place)
    expect(told).toEqual([])
    expect(await archivedIds(place)).toHaveLength(count)
    for (const beside of ['', '.json', '.restored']) {
      expect(await isThere(place, staged + beside)).toBe(false)
    }
  })

  test('rows of which the backup has no note stay, too, until somebody takes them', async () => {
    const { backup, staged } = await cutOff('commit')
    await backup.objects.delete(`${backup.root}${staged}.json`)
    const place = await restored(backup, () => Date.now() + 2 * HOUR_MS)
    await end(place)
    const problem = expect.stringContaining('whether the rows are still in the source')
    expect(told).toEqual([{ problem, staged: place.root + staged }])
    expect(await isThere(place, staged)).toBe(true)
    await place.objects.delete(place.root + staged)
    await end(place)
    expect(told).toHaveLength(1)
    expect(await isThere(place, `${staged}.restored`)).toBe(false)
  })
})
