import { randomUUID } from 'node:crypto'
import { access, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exportFilesOf } from '../../../src/modules/exports/export-files.ts'
import { ask, must, post } from '../../http/client.ts'
import type { TestService } from '../../http/harness.ts'
import { linesOf } from './export-harness.ts'
import { SIGNAL } from './export-runs.ts'
import { addRows, filesOf, OutsideShop, rowsLeft } from './outside-shop.ts'
import { sendBytes } from './send-bytes.ts'

const MARKER = '.moraine-exports.json'

let shop: OutsideShop
let folder: string
let archive: string
beforeEach(async () => {
  shop = await OutsideShop.open()
  folder = shop.folder
  archive = shop.archive
})
afterEach(() => shop.close())

const home = () => shop.home
const start = (environment?: Record<string, string>) => shop.start(environment)

const remarksOf = ({ log }: TestService) =>
  log.filter(({ level }) => level === 40).map(({ msg }) => String(msg))

test('archives go to EXPORT_PATH, and what is known of them is in the warehouse', async () => {
  const service = await start()
  await shop.makeTask(service, { archive_to: 's.old' })
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
  await shop.makeTask(service)
  await shop.unmount()
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
  await shop.mount()
  expect((await post(again, '/exports/t', {})).status).toBe(200)
  expect(await rowsLeft(again)).toBe(0)
  // What is archived is known while it is away, and cannot be had.
  await shop.unmount()
  const [file] = await filesOf(again)
  const { status, body } = await ask(again, file.url)
  expect([status, body.type]).toEqual([503, '/problems/storage-unavailable'])
  await shop.mount()
  expect(linesOf(await sendBytes(again.url + file.url))).toEqual(['id', '1', '2'])
})

test('a process with another setting, or none, finds the files and is told', async () => {
  const first = await start()
  await shop.makeTask(first)
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
  await shop.unmount()
  const blind = await start({})
  expect(remarksOf(blind)).toContainEqual(
    expect.stringMatching(/archive: those files stay there.*cannot be read: .*mount its disk/),
  )
})

test('a folder that was moved is found where MORAINE_RELOCATED says', async () => {
  const service = await start()
  await shop.makeTask(service)
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

test('of two folders of one name on two machines one is the recorded one', async () => {
  const first = await start()
  await shop.makeTask(first)
  // That of the second machine, in which the same start has put a marker.
  await shop.unmount()
  const marker = JSON.parse(await readFile(join(`${archive}-away`, MARKER), 'utf8'))
  await writeFile(join(archive, MARKER), JSON.stringify({ ...marker, id: 'other' }))
  const { status, body } = await post(first, '/exports/t', {})
  expect([status, body.detail]).toEqual([
    503,
    expect.stringMatching(/another folder has that name/),
  ])
  expect(await rowsLeft(first)).toBe(2)
  await shop.mount()
  expect((await post(first, '/exports/t', {})).status).toBe(200)
})

test('what a killed run left half-written there is deleted once it is a day old', async () => {
  const service = await start()
  await shop.makeTask(service)
  const { deps } = service
  const sweep = (beforeMs: number) => exportFilesOf(deps).sweepPlaces({ beforeMs, signal: SIGNAL })
  await sweep(Date.now())
  expect((await post(service, '/exports/t', {})).status).toBe(200)
  const left = `.moraine-${randomUUID()}.tmp`
  await writeFile(join(archive, '.staged/t', left), 'id\n')
  await sweep(Date.now() - 3_600_000)
  expect(await readdir(join(archive, '.staged/t'))).toEqual([left])
  await sweep(Date.now() + 3_600_000)
  expect(await readdir(join(archive, '.staged/t'))).toEqual([])
})

test('the marker says whose archives are in the folder', async () => {
  const service = await start()
  const marker = JSON.parse(await readFile(join(archive, MARKER), 'utf8'))
  const of = { id: expect.any(String), warehouse_id: expect.any(String) }
  expect(marker).toEqual({ ...of, place: `file://${archive}` })
  await shop.makeTask(service)
  await writeFile(join(archive, MARKER), 'text')
  const { status, body } = await post(service, '/exports/t', {})
  expect([status, body.detail]).toEqual([503, expect.stringContaining('cannot be read')])
  expect(await rowsLeft(service)).toBe(2)
})
