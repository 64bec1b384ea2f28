import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isAway, isLasting } from '../../../src/lake/jobs/lasting.ts'
import { PatientTurns } from '../../../src/lake/jobs/patient-turns.ts'
import { ArchivePlaces } from '../../../src/modules/exports/archive-places.ts'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { exportJob, recover } from '../../../src/modules/exports/run-job.ts'
import { settle } from '../../../src/modules/exports/settle-run.ts'
import { TaskFolder } from '../../../src/modules/exports/task-folder.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { ask, must } from '../../http/client.ts'
import type { TestService } from '../../http/harness.ts'
import { changedStore } from './changed-store.ts'
import { dyingStore, Killed } from './dying-store.ts'
import { linesOf } from './export-harness.ts'
import { exportParts, runOf, SIGNAL } from './export-runs.ts'
import { addRows, filesOf, OutsideShop, rowsLeft } from './outside-shop.ts'
import { sendBytes } from './send-bytes.ts'

let shop: OutsideShop
let archive: string
beforeEach(async () => {
  shop = await OutsideShop.open()
  archive = shop.archive
})
afterEach(() => shop.close())

const home = () => shop.home
const start = (environment?: Record<string, string>) => shop.start(environment)

describe('a run', () => {
  let service: TestService
  beforeEach(async () => {
    service = await start({})
    await shop.makeTask(service)
  })
  const task = parseTask('t', {
    json: JSON.stringify({ source: 'moraine', table: 's.t', where: 'true', archive_to: 's.old' }),
    changedAtMs: 0,
  })

  /** What a run has, with a warehouse and a folder that may fail. */
  function partsOf({
    own = (store) => store,
    outside = (store) => store,
    archiveTo = `file://${archive}`,
    patienceMs,
  }: {
    readonly own?: (store: ObjectStore) => ObjectStore
    readonly outside?: (store: ObjectStore) => ObjectStore
    readonly archiveTo?: string | undefined
    readonly patienceMs?: number
  } = {}) {
    const { deps } = service
    const objects = own(deps.objects)
    const parts = {
      ...{ catalog: deps.catalog, objects, warehouse: deps.warehouse },
      ...(archiveTo !== '' && { archiveTo }),
      openArchive: async (...given: Parameters<typeof deps.openArchive>) =>
        outside(await deps.openArchive(...given)),
    }
    const archives = new ArchivePlaces(parts, () => new PatientTurns(patienceMs))
    const tables = { ...deps, objects }
    return exportParts({ objects, warehouse: deps.warehouse, tables, archives })
  }

  test('is rolled back when the folder goes while it copies', async () => {
    const losing = (store: ObjectStore) =>
      changedStore(store, {
        putStreamIfAbsent: async (...given: Parameters<ObjectStore['putStreamIfAbsent']>) => {
          const written = await store.putStreamIfAbsent(...given)
          await shop.unmount()
          return written
        },
      })
    const json = JSON.stringify({ source: 'moraine', table: 's.t', where: 'true' })
    const plain = parseTask('t', { json, changedAtMs: 0 })
    const run = exportOnce(partsOf({ outside: losing }), plain, runOf())
    await expect(run).rejects.toMatchObject({ code: 'storage-unavailable' })
    expect(await rowsLeft(service)).toBe(2)
    expect(await readdir(archive)).toEqual([])
    await shop.mount()
    await exportOnce(partsOf(), plain, runOf())
    expect(await rowsLeft(service)).toBe(0)
    expect(await filesOf(service)).toHaveLength(1)
  })

  /** What attempts of runs come to. */
  function outcomesOf(folder = new TaskFolder(join(home(), 'exports'))) {
    const jobs = { ...service.deps.jobs, get: async () => ({}) } as never
    const log = { warn: () => undefined }
    const kind = exportJob({ ...partsOf(), jobs, folder, log })
    return (attempt: number) => {
      const { jobId, fence } = runOf()
      const job = { jobId, input: { task: 't' }, attempt, report: () => undefined }
      return kind.run(job, fence, SIGNAL).catch((error: unknown) => error)
    }
  }

  test('is tried again while the folder is away, some times; then it has failed', async () => {
    const outcomeOf = outcomesOf()
    expect(await outcomeOf(1)).toMatchObject({ outcome: 'exported', rows: 2 })
    await addRows(service, '3')
    await shop.unmount()
    for (const attempt of [1, 9, 10]) {
      const error = await outcomeOf(attempt)
      expect(error).toMatchObject({ code: 'storage-unavailable' })
      expect(isLasting(error)).toBe(attempt === 10)
    }
    await shop.mount()
    expect(await outcomeOf(10)).toMatchObject({ outcome: 'exported', rows: 1 })
  })

  test('is tried again while the folder of tasks hangs, some times; then has failed', async () => {
    const turns = new PatientTurns(50)
    let bring: () => void = () => undefined
    const away = new Promise<void>((resolve) => {
      bring = resolve
    })
    const outcomeOf = outcomesOf(new TaskFolder(join(home(), 'exports'), { turns }))
    const hanging = turns.run(
      () => away,
      () => new Error('hangs'),
    )
    await expect(hanging).rejects.toThrow('hangs')
    for (const attempt of [1, 9, 10]) {
      const error = await outcomeOf(attempt)
      expect(error).toMatchObject({ code: 'exports-unreadable' })
      expect([isLasting(error), isAway(error)]).toEqual([attempt === 10, true])
    }
    bring()
    await new Promise(setImmediate)
    expect(await outcomeOf(10)).toMatchObject({ outcome: 'exported', rows: 2 })
  })

  test('of a folder that does not answer one call hangs, and runs are refused', async () => {
    let reads = 0
    const hanging = (store: ObjectStore) =>
      changedStore(store, {
        read: async () => {
          reads++
          return new Promise<never>(() => undefined)
        },
      })
    await exportOnce(partsOf(), task, runOf())
    const parts = partsOf({ outside: hanging, patienceMs: 50 })
    const away = { code: 'storage-unavailable', message: expect.stringContaining('not answer') }
    await Promise.all(
      [1, 2, 3].map(() => expect(exportOnce(parts, task, runOf())).rejects.toMatchObject(away)),
    )
    expect(await parts.files.problem()).toMatch(/does not answer: mount its disk/)
    expect(reads).toBe(1)
  })

  const dying =
    (method: keyof ObjectStore, isIt: RegExp, after = false) =>
    (store: ObjectStore) =>
      dyingStore(store, { method, isIt: (location) => isIt.test(location), after })

  test.each([
    ['before the note of the place', { own: dying('putIfAbsent', /\.csv\.place$/) }],
    ['before the note', { own: dying('putIfAbsent', /\.csv\.json$/) }],
    ['after the note', { own: dying('putIfAbsent', /\.csv\.json$/, true) }],
    ['before the receipt', { own: dying('putIfAbsent', /\/t\/[^/]*\.csv\.gz\.json$/) }],
    ['before the file has its name', { outside: dying('moveIfAbsent', /\.csv$/) }],
    ['after the file has its name', { outside: dying('moveIfAbsent', /\.csv$/, true) }],
    ['before the note is gone', { own: dying('delete', /\.csv\.json$/) }],
    ['between what lies beside it', { own: dying('delete', /\.csv\.place$/) }],
  ])('killed %s is ended by a process without the setting', async (_, broken) => {
    const run = runOf()
    await expect(exportOnce(partsOf(broken), task, run)).rejects.toThrow(Killed)
    await service.stop()
    service = await start({})
    const deps = partsOf({ archiveTo: '' })
    for (const note of await deps.files.listNotes('t', run.jobId)) {
      const isCommitted = (await settle(deps, note, SIGNAL)) !== undefined
      expect(await rowsLeft(service)).toBe(isCommitted ? 0 : 2)
    }
    if ((await rowsLeft(service)) > 0) await exportOnce(partsOf(), task, runOf())
    expect(await rowsLeft(service)).toBe(0)
    const [file, ...others] = await filesOf(service)
    expect(others).toEqual([])
    expect(linesOf(await sendBytes(service.url + file.url))).toEqual(['id', '1', '2'])
    expect((await must(ask(service, '/v1/tables/s.old'))).totals.records).toBe(2)
    // What is left over is nobody's, and goes in time.
    const jobs = { ...service.deps.jobs, find: async () => undefined } as never
    const nowMs = () => Date.now() + 7_200_000
    const ambient = { ...deps.ambient, nowMs }
    const log = { warn: (facts: object, why: string) => expect([facts, why]).toBeUndefined() }
    const tasks = new TaskFolder(join(home(), 'exports'))
    await recover({ ...deps, ambient, jobs, folder: tasks, log }, SIGNAL)
    expect(await readdir(join(archive, '.staged/t'))).toEqual([])
    expect(await readdir(join(home(), 'warehouse/.exports/.staged/t'))).toEqual([])
  })

  test('of which the folder is away is not ended, and is when it is back', async () => {
    const run = runOf()
    const broken = partsOf({ outside: dying('moveIfAbsent', /\.csv$/) })
    await expect(exportOnce(broken, task, run)).rejects.toThrow(Killed)
    expect(await rowsLeft(service)).toBe(0)
    await shop.unmount()
    const deps = partsOf({ archiveTo: '' })
    const [note] = await deps.files.listNotes('t', run.jobId)
    if (note === undefined) throw new Error('no note')
    await expect(settle(deps, note, SIGNAL)).rejects.toMatchObject({ code: 'storage-unavailable' })
    expect(await readdir(archive)).toEqual([])
    // Its rows count as archived, though nobody can look: a next part must not take them again.
    const listed = await deps.files.list('t', { before: undefined, limit: 9 })
    expect(listed).toMatchObject([{ run_id: run.jobId, place: `file://${archive}` }])
    await shop.mount()
    await settle(deps, note, SIGNAL)
    expect(await filesOf(service)).toHaveLength(1)
  })

  /** Where the rows of a run are that was killed, of which all was in a backup. */
  async function restoredRun(broken: Parameters<typeof partsOf>[0]) {
    await expect(exportOnce(partsOf(broken), task, runOf())).rejects.toThrow(Killed)
    const deps = partsOf({ archiveTo: '' })
    const [staged] = await deps.files.listStaged('t')
    if (staged === undefined) throw new Error('nothing is staged')
    await deps.objects.putIfAbsent(`${staged.location}.restored`, Buffer.from('{}'))
    const location = deps.files.writtenAt({ staged: staged.location, place: `file://${archive}` })
    return { deps, staged: staged.location, location, path: location.slice('file://'.length) }
  }

  test('of a backup without its note stays as long as there may be rows of it', async () => {
    const broken = { outside: dying('putStreamIfAbsent', /\.csv$/, true) }
    const { deps, location, path } = await restoredRun(broken)
    const told: unknown[] = []
    const end = () => {
      const jobs = { ...service.deps.jobs, find: async () => undefined } as never
      const ambient = { ...deps.ambient, nowMs: () => Date.now() + 7_200_000 }
      const log = { warn: ({ staged: at }: { readonly staged?: string }) => void told.push(at) }
      const folder = new TaskFolder(join(home(), 'exports'))
      return recover({ ...deps, ambient, jobs, folder, log }, SIGNAL)
    }
    await end()
    await shop.unmount()
    await end()
    await shop.mount()
    expect(told).toEqual([location, location])
    await rm(path)
    await end()
    expect(told).toHaveLength(2)
    expect(await readdir(join(home(), 'warehouse/.exports/.staged/t'))).toEqual([])
  })

  test('of a backup may have rows that have got their name since', async () => {
    const broken = { outside: dying('moveIfAbsent', /\.csv$/) }
    const { deps, staged, location, path } = await restoredRun(broken)
    const note = await deps.files.findNote(staged)
    if (note === undefined) throw new Error('no note')
    const find = () => deps.files.findRestored(staged, note)
    expect(await find()).toBe(location)
    const named = `${archive}/t/${note.file}`
    await mkdir(`${archive}/t`, { recursive: true })
    await rename(path, named)
    expect(await find()).toBe(`file://${named}`)
    await rm(named)
    expect(await find()).toBeUndefined()
  })

  test('whose files are elsewhere is in no list of what is missing', async () => {
    const outside = async () => {
      const found = []
      for await (const each of partsOf({ archiveTo: '' }).files.listOutside()) found.push(each)
      return found
    }
    expect(await outside()).toEqual([])
    const broken = partsOf({ outside: dying('moveIfAbsent', /\.csv$/) })
    await expect(exportOnce(broken, task, runOf())).rejects.toThrow(Killed)
    const [staged] = await readdir(join(archive, '.staged/t'))
    const location = `file://${archive}/.staged/t/${staged}`
    expect(await outside()).toEqual([{ location, isMissing: false }])
    await shop.unmount()
    const lost = { location: expect.stringMatching(/\/archive\/t\/t-/), isMissing: true }
    expect(await outside()).toEqual([lost])
    await shop.mount()
    const deps = partsOf()
    for (const note of await deps.files.listNotes('t', staged?.split('_')[0] ?? '')) {
      await settle(deps, note, SIGNAL)
    }
    const [file] = await filesOf(service)
    const named = { location: `file://${archive}/t/${file.file}`, isMissing: false }
    expect(await outside()).toEqual([named])
    await shop.unmount()
    expect(await outside()).toEqual([{ ...named, isMissing: true }])
  })
})
