import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CatalogError } from '../../../src/core/errors.ts'
import { holdDeletions } from '../../../src/lake/jobs/held-deletions.ts'
import { MARKER_NAME } from '../../../src/lake/table/warehouse-claim.ts'
import { backUp, copyWarehouse } from '../../../src/modules/operations/backup.ts'
import { mayReceive } from '../../../src/modules/operations/warehouse-ids.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import type { ObjectInfo, ObjectStore } from '../../../src/objects/object-store.ts'
import { openWorkshop, type Workshop } from '../../lake/workshop.ts'
import { changedStore } from '../exports/changed-store.ts'

const WAREHOUSE_ID = '9d7a1c0e-0000-4000-8000-000000000001'

let base: string
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'moraine-copies-')))
})
afterEach(() => rm(base, { recursive: true, force: true }))

async function openPlace(name: string) {
  const folder = join(base, name)
  const objects = await openLocalStore({ writableRoots: [folder], readableRoots: [] })
  return { objects, root: `file://${folder}`, warehouse: `file://${folder}` }
}

async function writeAll(place: { objects: ObjectStore; root: string }, texts: object) {
  for (const [name, text] of Object.entries(texts)) {
    await place.objects.putIfAbsent(`${place.root}/${name}`, new TextEncoder().encode(text))
  }
}

async function sizesOf({ objects, root }: { objects: ObjectStore; root: string }) {
  const sizes: Record<string, number> = {}
  for await (const info of objects.list(root)) {
    sizes[info.location.slice(root.length + 1)] = info.sizeBytes
  }
  return sizes
}

/** The store of a disk that takes only so many files. */
function fullAfter(objects: ObjectStore, filesMax: number): ObjectStore {
  let files = 0
  return new Proxy(objects, {
    get: (target, key) => {
      if (key !== 'putStreamIfAbsent') return Reflect.get(target, key).bind(target)
      return async (...words: Parameters<ObjectStore['putStreamIfAbsent']>) => {
        if (++files > filesMax) throw new CatalogError('storage-full', 'The disk is full.')
        return await target.putStreamIfAbsent(...words)
      }
    },
  })
}

const MARKER = JSON.stringify({ 'warehouse-id': WAREHOUSE_ID, location: 'file:///old' })
const FILES = { 'a/1': '1', 'a/2': '22', 'b/3': '333', [MARKER_NAME]: MARKER, 'c/4': '4444' }

test('a copy that broke off after any file may go on, and then has each', async () => {
  const from = await openPlace('backup')
  await writeAll(from, FILES)
  const count = Object.keys(FILES).length
  for (let n = 1; n < count; n++) {
    const to = await openPlace(`to-${n}`)
    expect(await mayReceive(to, WAREHOUSE_ID)).toBe(true)
    const full = { ...to, objects: fullAfter(to.objects, n) }
    await expect(copyWarehouse(from, full)).rejects.toThrow('disk is full')
    expect(await mayReceive(to, WAREHOUSE_ID)).toBe(true)
    expect(await mayReceive(to, 'another')).toBe(false)
    const copied = await copyWarehouse(from, to)
    expect(copied).toEqual({ written: count - n, present: n, differing: [] })
    expect(await sizesOf(to)).toEqual(await sizesOf(from))
  }
})

test('a file of another size is named, and stays as it is', async () => {
  const [from, to] = [await openPlace('backup'), await openPlace('to')]
  await writeAll(from, FILES)
  await writeAll(to, { [MARKER_NAME]: MARKER, 'a/2': 'cut', 'b/3': '333' })
  const { differing } = await copyWarehouse(from, to)
  expect(differing).toEqual([`${to.root}/a/2`])
  expect(await sizesOf(to)).toMatchObject({ 'a/2': 3 })
})

test('a backup that waits for another ends when it is stopped', async () => {
  const workshop = await openWorkshop()
  try {
    const hold = await holdDeletions(workshop.deps, new AbortController().signal)
    const stop = new AbortController()
    // Each pause lasts until it is cut short.
    const sleep = (_ms: number, until?: AbortSignal) => {
      const cut = new Promise<void>((resolve) => {
        until?.addEventListener('abort', () => resolve(), { once: true })
      })
      stop.abort(new Error('stopped by SIGINT'))
      return cut
    }
    const deps = { ...workshop.deps, ambient: { ...workshop.deps.ambient, sleep } }
    const to = await openPlace('to')
    const unused = { copyCatalog: async () => undefined, openCopy: async () => undefined }
    const target = { ...to, ...unused, nowMs: () => Date.now() }
    const about = { version: '1', warehouseId: WAREHOUSE_ID }
    await expect(backUp(deps, target, about, stop.signal)).rejects.toThrow('stopped by SIGINT')
    expect(await sizesOf(to)).toEqual({})
    await hold?.release()
  } finally {
    await workshop.close()
  }
})

const ROWS = Buffer.from('rows')

/** Names in a backup that is made of the workshop's warehouse, as this store shows it. */
async function backedUp(
  { deps }: Workshop,
  objects: ObjectStore,
  { nowMs = Date.now }: { readonly nowMs?: () => number } = {},
) {
  const to = await openPlace('to')
  const unused = { copyCatalog: async () => undefined, openCopy: async () => undefined }
  const target = { ...to, ...unused, nowMs }
  const about = { version: '1', warehouseId: WAREHOUSE_ID }
  const { signal } = new AbortController()
  const report = await backUp({ ...deps, objects }, target, about, signal)
  expect(report.missingFiles).toBe(0)
  const names = Object.keys(await sizesOf(to)).filter((name) => name.startsWith('warehouse/'))
  return names.map((name) => name.slice('warehouse/'.length)).sort()
}

test('a backup has an archive that gets its name meanwhile', async () => {
  const workshop = await openWorkshop()
  try {
    const { objects, warehouse } = workshop.deps
    const at = (name: string) => `${warehouse}/.exports/${name}`
    for (const name of ['x', 'y']) await objects.putIfAbsent(at(`.staged/t/${name}.csv`), ROWS)
    const publish = (name: string) =>
      objects.moveIfAbsent(at(`.staged/t/${name}.csv`), at(`t/${name}.csv`))
    let lists = 0
    const busy = changedStore(objects, {
      // As local stores do, which list one folder after another.
      async *list(root) {
        lists++
        const named: ObjectInfo[] = []
        for await (const info of objects.list(at('t'))) named.push(info)
        if (lists === 1) await publish('x')
        for await (const info of objects.list(root)) {
          if (!info.location.startsWith(at('t/'))) yield info
        }
        if (lists === 2) await publish('y')
        if (at('t').startsWith(root)) yield* named
      },
    })
    const names = await backedUp(workshop, busy)
    expect(names).toEqual(expect.arrayContaining(['.exports/t/x.csv', '.exports/t/y.csv']))
  } finally {
    await workshop.close()
  }
})

test('what no catalog names is in a backup, whatever clock has dated it', async () => {
  const workshop = await openWorkshop()
  try {
    const { objects, warehouse } = workshop.deps
    const names = ['.exports/t/x.csv', '.exports/t/x.csv.json', '.namespaces/a.json']
    const kept = [...names, '.moraine-audit/1.json', MARKER_NAME]
    for (const name of [...kept, '.dumps/d', 'a/later']) {
      await objects.putIfAbsent(`${warehouse}/${name}`, ROWS)
    }
    const nowMs = () => Date.now() - 60_000
    const all = [...kept, '.moraine-generation/1.json']
    expect(await backedUp(workshop, objects, { nowMs })).toEqual(all.sort())
  } finally {
    await workshop.close()
  }
})
