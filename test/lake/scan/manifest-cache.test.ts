import type { ManifestFile } from '../../../src/core/file/data-file.ts'
import { createTable, readTable, rollbackTable } from '../../../src/modules/tables/tables.ts'
import { cacheOver, queueOver } from '../compose.ts'
import { changed, withStore } from '../failing-disk.ts'
import { append, Lake, liveNames } from '../lake.ts'
import { commitFiles } from '../trusted-caller.ts'
import { CountingMeter, openWorkshop, type Workshop } from '../workshop.ts'

let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
})
afterEach(() => shop.close())

/** Manifests of six commits, newest first. */
async function sixManifests(): Promise<readonly ManifestFile[]> {
  for (let i = 0; i < 6; i++) await append(shop, 't', await lake.numbers(shop, `f${i}`, i))
  const { snapshot } = await readTable(shop.deps, { table: 't' })
  return shop.deps.manifests.getManifestList(snapshot?.manifestList ?? '')
}

function counting(bytesMax: number) {
  const reads: string[] = []
  const objects = changed(shop.deps.objects, {
    read: (location, limits) => {
      reads.push(location)
      return shop.deps.objects.read(location, limits)
    },
  })
  const meter = new CountingMeter()
  return { cache: cacheOver({ objects, meter }, bytesMax), reads, meter }
}

test('a manifest is read once, however many ask for it at once', async () => {
  const [manifest] = await sixManifests()
  const { cache, reads } = counting(1e6)
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => cache.getManifest(manifest as ManifestFile)),
  )
  expect(new Set(answers).size).toBe(1)
  expect(await cache.getManifest(manifest as ManifestFile)).toBe(answers[0])
  expect(reads).toEqual([manifest?.path])
})

test('it holds no more bytes than it may, and forgets what was least recently used', async () => {
  const manifests = await sixManifests()
  const one = await counting(1e6).cache.getManifest(manifests[0] as ManifestFile)
  const { cache, reads, meter } = counting(Math.floor(one.retainedBytes * 3.5))
  const [a, b, c, d] = manifests as [ManifestFile, ManifestFile, ManifestFile, ManifestFile]
  for (const manifest of [a, b, c, a, d]) await cache.getManifest(manifest)
  expect(meter.counts['bytes']).toBeLessThanOrEqual(one.retainedBytes * 3.5)
  reads.length = 0
  for (const manifest of [a, d, c]) await cache.getManifest(manifest)
  expect(reads).toEqual([])
  await cache.getManifest(b)
  expect(reads).toEqual([b.path])
})

test('what is larger than the cache is read each time and pushes nothing out', async () => {
  const [manifest] = await sixManifests()
  const { cache, reads, meter } = counting(10)
  await cache.getManifest(manifest as ManifestFile)
  await cache.getManifest(manifest as ManifestFile)
  expect(reads).toHaveLength(2)
  expect(meter.counts['bytes'] ?? 0).toBe(0)
})

test('a failed read is not remembered', async () => {
  const [manifest] = await sixManifests()
  let isFailing = true
  const objects = changed(shop.deps.objects, {
    read: (location, limits) =>
      isFailing ? Promise.reject(new Error('timeout')) : shop.deps.objects.read(location, limits),
  })
  const cache = cacheOver({ objects, meter: new CountingMeter() }, 1e6)
  const attempts = [1, 2].map(() => cache.getManifest(manifest as ManifestFile))
  for (const attempt of attempts) await expect(attempt).rejects.toThrow('timeout')
  isFailing = false
  expect((await cache.getManifest(manifest as ManifestFile)).entryCount).toBe(1)
})

test('a lost race’s manifest list is not mistaken for another process’s later one', async () => {
  const base = await append(shop, 't', await lake.numbers(shop, 'base'))
  const [f, g] = [await lake.numbers(shop, 'f'), await lake.numbers(shop, 'g')]
  const other = await shop.another()
  let isFirst = true
  const catalog = withStore(shop.deps.catalog, 'tables', {
    commit: async (commit) => {
      if (isFirst) {
        isFirst = false
        await commitFiles(other, { table: 't', paths: [g] })
      }
      return shop.deps.catalog.tables.commit(commit)
    },
  })
  const racing = { ...shop.deps, catalog }
  const commits = queueOver(racing)
  await commitFiles({ ...racing, commits }, { table: 't', paths: [f] })
  expect(await liveNames(shop, 't')).toEqual(['base', 'f', 'g'])
  // The other process now does to the base what the loser tried: the same snapshot id, the same
  // name.
  await rollbackTable(other, 't', { snapshotIdentifier: String(base) })
  await commitFiles(other, { table: 't', paths: [f] })
  expect(await liveNames(shop, 't')).toEqual(['base', 'f'])
})

test('a commit merges manifests of this process without reading them back', async () => {
  const { cache, reads } = counting(1e6)
  const deps = { ...shop.deps, manifests: cache }
  const commits = queueOver(deps)
  const names = Array.from({ length: 12 }, (_, i) => `f${10 + i}`)
  for (const [i, name] of names.entries()) {
    await commitFiles(
      { ...deps, commits },
      { table: 't', paths: [await lake.numbers(shop, name, i)] },
    )
  }
  expect(reads).toEqual([])
  const { snapshot } = await readTable(shop.deps, { table: 't' })
  const list = await shop.deps.manifests.getManifestList(snapshot?.manifestList ?? '')
  expect(list.length).toBeLessThan(12)
  // Another cache, which reads what was merged.
  expect(await liveNames(shop, 't')).toEqual(names)
})
