import { mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalStore } from '../../src/objects/local/local-store.ts'
import { oldLocation, relocatedStore } from '../../src/objects/relocated-store.ts'
import { bytesOf, describeObjectStore, expectCode, textOf } from './object-store.contract.ts'
import { describeObjectVersions } from './object-versions.contract.ts'

const OLD = 'file:///srv/old/warehouse'

async function openMoved() {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'moraine-moved-')))
  await writeFile(`${base}/secret`, 'secret')
  const to = `file://${base}/new`
  const local = await openLocalStore({ writableRoots: [to], readableRoots: [] })
  const relocations = [{ from: OLD, to }]
  const store = relocatedStore(local, relocations)
  return { store, local, to, base, relocations, close: () => rm(base, { recursive: true }) }
}

for (const describeStore of [describeObjectStore, describeObjectVersions])
  describeStore('of a moved folder, by its old name', async () => {
    const { store, base, close } = await openMoved()
    return { store, root: OLD, outside: `file://${base}/secret`, close }
  })

test('what has the old name is at the new place, and found by every spelling', async () => {
  const { store, local, to, close } = await openMoved()
  await store.putIfAbsent(`${OLD}/t/a.parquet`, bytesOf('rows'))
  expect(textOf(await local.read(`${to}/t/a.parquet`, { bytesMax: 9 }))).toBe('rows')
  const old = OLD.slice('file://'.length)
  for (const spelled of [`${OLD}/t/a.parquet`, `file:${old}/t/a.parquet`, `${old}/t/a.parquet`]) {
    expect(textOf(await store.read(spelled, { bytesMax: 9 }))).toBe('rows')
  }
  await close()
})

test('the new name is refused, so that no file has two; others are as they were', async () => {
  const { store, to, relocations, close } = await openMoved()
  await expectCode(store.read(`${to}/t/a.parquet`, { bytesMax: 9 }), 'location-not-allowed')
  await expectCode(store.putIfAbsent(`${to}//x`, bytesOf('x')), 'location-not-allowed')
  await expectCode(store.read(`${OLD}er/x`, { bytesMax: 9 }), 'location-not-allowed')
  expect(oldLocation(to, relocations)).toBe(OLD)
  expect(oldLocation(`${to}er/x`, relocations)).toBe(`${to}er/x`)
  await close()
})

test('a file that is reached through a link has an old name of its own', async () => {
  const { store, base, close } = await openMoved()
  await store.putIfAbsent(`${OLD}/t/a.parquet`, bytesOf('rows'))
  await symlink(`${base}/new/t`, `${base}/new/linked`)
  const location = `${OLD}/linked/a.parquet`
  expect(await store.findLinked([`${OLD}/t/a.parquet`])).toBeUndefined()
  expect(await store.findLinked([`${OLD}/t/a.parquet`, location])).toEqual({
    location,
    ownLocation: `${OLD}/t/a.parquet`,
  })
  await close()
})
