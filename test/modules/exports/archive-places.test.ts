import {
  access,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ArchivePlaces } from '../../../src/modules/exports/archive-places.ts'
import { exportOnce, settle } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { recover } from '../../../src/modules/exports/run-job.ts'
import { TaskFolder } from '../../../src/modules/exports/task-folder.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { changedStore } from './changed-store.ts'
import { dyingStore, Killed } from './dying-store.ts'
import { linesOf, writeTask } from './export-harness.ts'
import { exportParts, runOf, SIGNAL } from './export-runs.ts'
import { sendBytes } from './send-bytes.ts'

const MARKER = '.moraine-exports.json'

let folder: string
let archive: string
let services: TestService[]
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'moraine-places-')))
  archive = join(folder, 'archive')
  await mkdir(archive)
  services = []
})
afterEach(async () => {
  for (const service of services) await service.stop()
  await rm(folder, { recursive: true })
})

const home = () => join(folder, 'home')

async function start(environment: Record<string, string> = { EXPORT_PATH: archive }) {
  const service = await startTestService({ home: home(), environment })
  services.push(service)
  return service
}

/** Two rows of a table, and a task that archives them. */
async function makeTask(service: TestService, more: object = {}): Promise<void> {
  const schema = { columns: [{ name: 'id', type: 'int' }] }
  await must(post(service, '/v1/tables', { name: 's.t', schema }), 201)
  await addRows(service, '1\n2')
  const task = { source: 'moraine', table: 's.t', where: 'true', ...more }
  await writeTask(join(home(), 'exports'), 't', { 'task.json': task })
}

async function addRows(service: TestService, rows: string): Promise<void> {
  const headers = { 'Content-Type': 'text/csv' }
  const sent = { method: 'POST', headers, body: `id\n${rows}\n` }
  expect((await fetch(`${service.url}/v1/tables/s.t/files`, sent)).status).toBe(201)
}

const rowsLeft = async (service: TestService) =>
  (await must(ask(service, '/v1/tables/s.t'))).totals.records
const filesOf = async (service: TestService) =>
  (await must(ask(service, '/v1/exports/t/files'))).files
const remarksOf = ({ log }: TestService) =>
  log.filter(({ level }) => level === 40).map(({ msg }) => String(msg))

/** As a disk that is not mounted: an empty folder is in its place. */
async function unmount(): Promise<void> {
  await rename(archive, `${archive}-away`)
  await mkdir(archive)
}

async function mount(): Promise<void> {
  await rm(archive, { recursive: true })
  await rename(`${archive}-away`, archive)
}

test('archives go to EXPORT_PATH, and what is known of them is in the warehouse', async () => {
  const service = await start()
  await makeTask(service, { archive_to: 's.old' })
  expect((await post(service, '/exports/t', {})).status).toBe(200)
  const [file, ...others] = await filesOf(service)
  expect(others).toEqual([])
  expect(file).toMatchObject({ rows: 2, table: 's.old', place: `file://${archive}` })
  expect(linesOf(await sendBytes(service.url + file.url))).toEqual(['id', '1', '2'])
  const run = await must(ask(service, `/v1/exports/t/runs/${file.run_id}/files`))
  expect(run.files).toEqual([file])
  expect((await readdir(archive)).sort()).toEqual(['.moraine-exports.json', '.staged', 't'])
  expect(await readdir(join(archive, 't'))).toEqual([file.file])
  expect(await readdir(join(archive, '.staged/t'))).toEqual([])
  const own = join(home(), 'warehouse/.exports')
  expect(await readdir(join(own, 't'))).toEqual([`${file.file}.json`])
  expect(await readdir(join(own, '.staged/t'))).toEqual([])
  expect((await must(ask(service, '/v1/tables/s.old'))).totals.records).toBe(2)
  expect(remarksOf(service)).toEqual([])
  // Tables have none of it.
  const files = [{ path: `file://${archive}/t/${file.file}` }]
  const registered = await post(service, '/v1/tables/s.t/files', { files })
  expect(registered.body.type).toBe('/problems/location-not-allowed')
})

test('no row is removed while the folder is away, nor anything written in its place', async () => {
  const service = await start()
  await makeTask(service)
  await unmount()
  for (const address of ['/v1/exports/t/runs', '/exports/t', '/exports']) {
    const { status, body } = await post(service, address, {})
    expect([status, body.type]).toEqual([503, '/problems/storage-unavailable'])
    expect(body.detail).toMatch(/archive are out of reach: .*not there: mount its disk/)
  }
  expect((await must(post(service, '/v1/exports/runs', {}), 202)).runs).toEqual([
    { task: 't', run_id: null, url: null, problem: expect.stringContaining('mount its disk') },
  ])
  const described = await must(ask(service, '/v1/exports/t'))
  expect(described).toMatchObject({ problem: expect.stringContaining('mount its disk') })
  expect((await must(ask(service, '/v1/exports'))).exports).toEqual([described])
  const metrics = await (await fetch(`${service.url}/metrics`)).text()
  expect(metrics).toContain('moraine_export_failing{task="t"} 1')
  expect(await rowsLeft(service)).toBe(2)
  expect(await readdir(archive)).toEqual([])
  // Nor after a start, which tells it.
  await service.stop()
  const again = await start()
  expect(remarksOf(again)).toEqual([expect.stringMatching(/^exports cannot run: .*mount its disk/)])
  expect((await post(again, '/exports/t', {})).status).toBe(503)
  expect(await readdir(archive)).toEqual([])
  await mount()
  expect((await post(again, '/exports/t', {})).status).toBe(200)
  expect(await rowsLeft(again)).toBe(0)
  // What is archived is known while it is away, and cannot be had.
  await unmount()
  const [file] = await filesOf(again)
  const { status, body } = await ask(again, file.url)
  expect([status, body.type]).toEqual([503, '/problems/storage-unavailable'])
  await mount()
  expect(linesOf(await sendBytes(again.url + file.url))).toEqual(['id', '1', '2'])
})

test('a process with another setting, or none, finds the files and is told', async () => {
  const first = await start()
  await makeTask(first)
  expect((await post(first, '/exports/t', {})).status).toBe(200)
  const [file] = await filesOf(first)
  const without = await start({})
  expect(remarksOf(without)).toEqual([
    expect.stringMatching(/^EXPORT_PATH is not set, and exports have archived to file:.*archive:/),
  ])
  expect(linesOf(await sendBytes(without.url + file.url))).toEqual(['id', '1', '2'])
  const second = join(folder, 'second')
  await mkdir(second)
  const other = await start({ EXPORT_PATH: second })
  expect(remarksOf(other)).toEqual([expect.stringMatching(/is file:.*second, and .*archive:/)])
  await addRows(other, '3')
  expect((await post(other, '/exports/t', {})).status).toBe(200)
  await addRows(without, '4')
  expect((await post(without, '/exports/t', {})).status).toBe(200)
  for (const service of [first, without, other]) {
    const files = await filesOf(service)
    const texts = await Promise.all(
      files.map(async ({ url }: { url: string }) => linesOf(await sendBytes(service.url + url))),
    )
    expect(texts.map(([, ...rows]) => rows.join()).sort()).toEqual(['1,2', '3', '4'])
  }
  await unmount()
  const blind = await start({})
  expect(remarksOf(blind)).toContainEqual(
    expect.stringMatching(/archive: those files stay there.*cannot be read: .*mount its disk/),
  )
})

test('a folder that was moved is found where MORAINE_RELOCATED says', async () => {
  const service = await start()
  await makeTask(service)
  expect((await post(service, '/exports/t', {})).status).toBe(200)
  const [file] = await filesOf(service)
  await service.stop()
  const moved = join(folder, 'moved')
  await rename(archive, moved)
  const lost = await start({ EXPORT_PATH: moved })
  const setting = `MORAINE_RELOCATED=file://${archive}=file://${moved}`
  expect(remarksOf(lost)[0]).toMatch(/^exports cannot run: .* it is known as file:/)
  expect(remarksOf(lost)[0]).toContain(setting)
  await lost.stop()
  const found = await start({
    EXPORT_PATH: moved,
    MORAINE_RELOCATED: setting.slice('MORAINE_RELOCATED='.length),
  })
  expect(remarksOf(found)).toEqual([])
  expect(linesOf(await sendBytes(found.url + file.url))).toEqual(['id', '1', '2'])
  await addRows(found, '3')
  expect((await post(found, '/exports/t', {})).status).toBe(200)
  expect(await readdir(join(moved, 't'))).toHaveLength(2)
  await expect(access(archive)).rejects.toThrow('ENOENT')
})

test('a folder of another service, and one that is not there, are none', async () => {
  const service = await start()
  await service.stop()
  await rename(home(), join(folder, 'other'))
  const other = await start()
  expect(remarksOf(other)).toEqual([expect.stringMatching(/is of another service: give a folder/)])
  await other.stop()
  const missing = await start({ EXPORT_PATH: join(folder, 'none') })
  expect(remarksOf(missing)).toEqual([expect.stringMatching(/no folder is there: mount its disk/)])
  await expect(access(join(folder, 'none'))).rejects.toThrow('ENOENT')
})

test.each([
  ['in the warehouse', () => join(home(), 'warehouse/a'), /apart from what the service has$/],
  ['of everything', () => folder, /it is, has or is in .*; give a folder apart/],
  ['in a bucket', () => 's3://bucket/archive', /archives go to a bucket with the warehouse$/],
])('an EXPORT_PATH %s is refused in one line', async (_, path, told) => {
  await expect(start({ EXPORT_PATH: path() })).rejects.toThrow(told)
})

describe('a run', () => {
  let service: TestService
  beforeEach(async () => {
    service = await start({})
    await makeTask(service)
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
  }: {
    readonly own?: (store: ObjectStore) => ObjectStore
    readonly outside?: (store: ObjectStore) => ObjectStore
    readonly archiveTo?: string | undefined
  } = {}) {
    const { deps } = service
    const objects = own(deps.objects)
    const archives = new ArchivePlaces({
      ...{ catalog: deps.catalog, objects, warehouse: deps.warehouse },
      ...(archiveTo !== '' && { archiveTo }),
      openArchive: async (...given) => outside(await deps.openArchive(...given)),
    })
    const tables = { ...deps, objects }
    return exportParts({ objects, warehouse: deps.warehouse, tables, archives })
  }

  test('is rolled back when the folder goes while it copies', async () => {
    const losing = (store: ObjectStore) =>
      changedStore(store, {
        putStreamIfAbsent: async (...given: Parameters<ObjectStore['putStreamIfAbsent']>) => {
          const written = await store.putStreamIfAbsent(...given)
          await unmount()
          return written
        },
      })
    const json = JSON.stringify({ source: 'moraine', table: 's.t', where: 'true' })
    const plain = parseTask('t', { json, changedAtMs: 0 })
    const run = exportOnce(partsOf({ outside: losing }), plain, runOf())
    await expect(run).rejects.toMatchObject({ code: 'storage-unavailable' })
    expect(await rowsLeft(service)).toBe(2)
    expect(await readdir(archive)).toEqual([])
    await mount()
    await exportOnce(partsOf(), plain, runOf())
    expect(await rowsLeft(service)).toBe(0)
    expect(await filesOf(service)).toHaveLength(1)
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
    await unmount()
    const deps = partsOf({ archiveTo: '' })
    const [note] = await deps.files.listNotes('t', run.jobId)
    if (note === undefined) throw new Error('no note')
    await expect(settle(deps, note, SIGNAL)).rejects.toMatchObject({ code: 'storage-unavailable' })
    expect(await readdir(archive)).toEqual([])
    expect(await deps.files.list('t', { before: undefined, limit: 9 })).toEqual([])
    await mount()
    await settle(deps, note, SIGNAL)
    expect(await filesOf(service)).toHaveLength(1)
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
    await unmount()
    const lost = { location: expect.stringMatching(/\/archive\/t\/t-/), isMissing: true }
    expect(await outside()).toEqual([lost])
    await mount()
    const deps = partsOf()
    for (const note of await deps.files.listNotes('t', staged?.split('_')[0] ?? '')) {
      await settle(deps, note, SIGNAL)
    }
    const [file] = await filesOf(service)
    const named = { location: `file://${archive}/t/${file.file}`, isMissing: false }
    expect(await outside()).toEqual([named])
    await unmount()
    expect(await outside()).toEqual([{ ...named, isMissing: true }])
  })
})

test('the marker says whose archives are in the folder', async () => {
  const service = await start()
  const marker = JSON.parse(await readFile(join(archive, MARKER), 'utf8'))
  expect(marker).toEqual({ warehouse_id: expect.any(String), place: `file://${archive}` })
  await makeTask(service)
  await writeFile(join(archive, MARKER), 'text')
  const { status, body } = await post(service, '/exports/t', {})
  expect([status, body.detail]).toEqual([503, expect.stringContaining('cannot be read')])
  expect(await rowsLeft(service)).toBe(2)
})
