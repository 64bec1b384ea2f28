import { utimes } from 'node:fs/promises'
import { jest } from '@jest/globals'
import { LEASE_MS } from '../../../src/core/limits.ts'
import type { Engine } from '../../../src/engine/engine.ts'
import { Lease } from '../../../src/lake/jobs/lease.ts'
import { folderOf, leaseName } from '../../../src/modules/dumps/dump-key.ts'
import { sweepDumps } from '../../../src/modules/dumps/dump-sweep.ts'
import { Dumps } from '../../../src/modules/dumps/dumps.ts'
import { sweepFailedDumps } from '../../../src/modules/dumps/failed-dumps.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { changed, withEngine } from '../../lake/failing-disk.ts'
import { append, Lake } from '../../lake/lake.ts'
import { START_MS } from '../../lake/workshop.ts'
import { refusal } from '../../refusal.ts'
import { bytesOf, type DumpShop, finished, openDumpShop } from './dump-shop.ts'

/** Engines start as processes of their own. */
jest.setTimeout(120_000)

const { signal } = new AbortController()

let lake: Lake
let shop: DumpShop
let folder: string
let nowMs: number
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openDumpShop()
  nowMs = START_MS
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  await append(shop, 't', await lake.numbers(shop, 'a'))
  folder = folderOf(shop.deps.warehouse, await shop.target('t'))
})
afterEach(() => shop.close())

/** Another process has the lease, because its holder did not renew it in time. */
async function takeOver(): Promise<Lease> {
  nowMs += LEASE_MS + 1
  shop.setClock(nowMs)
  const lease = await Lease.tryAcquire(shop.deps, { name: leaseName(folder), signal })
  if (lease === undefined) throw new Error('the lease is held')
  return lease
}

async function stored(): Promise<string[]> {
  const locations: string[] = []
  for await (const { location } of shop.deps.objects.list(folder)) locations.push(location)
  return locations.sort()
}

test('a dump whose lease was lost on the way is not finished', async () => {
  const { engine } = shop.deps.converter.options
  let taken: Lease | undefined
  const exportThenLose: Engine['export'] = async (job, options) => {
    const made = await engine.export(job, options)
    taken ??= await takeOver()
    return made
  }
  const dumps = new Dumps(withEngine(shop.deps, { export: exportThenLose }), { keepNewest: 3 })
  const target = await shop.target('t')
  expect((await refusal(finished(dumps, target))).code).toBe('overloaded')
  expect(taken).toBeDefined()
  expect(await dumps.find(target)).toBeUndefined()
  await taken?.release()
  expect((await shop.make('t')).index.lengthBytes).toBeGreaterThan(0)
  await dumps.close()
})

test('whoever lost the lease removes no dump', async () => {
  await shop.make('t')
  await shop.dumps.settle()
  const lost = await takeOver()
  const taken = await takeOver()
  const before = await stored()
  const sweep = { folder, lease: lost, keepNewest: 0, lasting: new Set<string>() }
  expect((await refusal(sweepDumps(shop.deps, sweep))).code).toBe('overloaded')
  expect(await stored()).toEqual(before)
  await sweepDumps(shop.deps, { ...sweep, lease: taken })
  expect(await stored()).toEqual([])
  for (const lease of [lost, taken]) await lease.release()
})

test('nor any piece of a dump that failed', async () => {
  await shop.make('t')
  await shop.dumps.settle()
  for (const location of await stored()) {
    if (location.endsWith('.json')) await shop.deps.objects.delete(location)
    else await utimes(new URL(location), new Date(0), new Date(0))
  }
  const before = await stored()
  expect(before).not.toEqual([])
  let taken: Lease | undefined
  const { list } = shop.deps.objects
  const listThenLose: ObjectStore['list'] = async function* (prefix, ...rest) {
    yield* list.call(shop.deps.objects, prefix, ...rest)
    if (prefix === folder) taken ??= await takeOver()
  }
  const deps = { ...shop.deps, objects: changed(shop.deps.objects, { list: listThenLose }) }
  expect((await refusal(sweepFailedDumps(deps, signal))).code).toBe('overloaded')
  expect(taken).toBeDefined()
  expect(await stored()).toEqual(before)
  await taken?.release()
  await sweepFailedDumps(shop.deps, signal)
  expect(await stored()).toEqual([])
})

test('what a finished dump has stays, however old, and so does a folder in use', async () => {
  const csv = await shop.make('t')
  await shop.make('t', { format: 'ndjson' })
  await shop.dumps.settle()
  const index = (await stored()).find((location) => location.endsWith('.json'))
  const inUse = folderOf(shop.deps.warehouse, await shop.target('t', { format: 'ndjson' }))
  const lost: string[] = []
  for await (const { location } of shop.deps.objects.list(inUse)) {
    if (location.endsWith('.json')) await shop.deps.objects.delete(location)
    else lost.push(location)
  }
  const kept = await stored()
  for (const location of [...kept, ...lost])
    await utimes(new URL(location), new Date(0), new Date(0))
  const wish = { name: leaseName(inUse), signal }
  const lease = await Lease.tryAcquire(shop.deps, wish)
  await sweepFailedDumps(shop.deps, signal)
  expect(await stored()).toEqual(kept)
  expect(index).toBeDefined()
  expect((await bytesOf(shop.deps, csv.index)).length).toBe(csv.index.lengthBytes)
  const there = await Promise.all(lost.map((location) => shop.deps.objects.find(location)))
  expect(there.every((one) => one !== undefined)).toBe(true)
  await lease?.release()
})
