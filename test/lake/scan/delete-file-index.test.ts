import type { DataFile, ManifestEntry, ManifestFile } from '../../../src/core/file/data-file.ts'
import { DeleteFileIndex } from '../../../src/lake/scan/delete-file-index.ts'
import type { ManifestCache } from '../../../src/lake/scan/manifest-cache.ts'
import { dataFileOf } from '../../catalog/catalog-samples.ts'

const DELETES = 500

/** A cache with one manifest, of these entries. */
function cacheOf(entries: readonly ManifestEntry[]): ManifestCache {
  const manifest = {
    entryCount: entries.length,
    isLive: () => true,
    entry: (i: number) => entries[i],
  }
  return { getManifest: async () => manifest } as unknown as ManifestCache
}

function deleteOf(i: number, sequenceNumber: bigint, overrides: Partial<DataFile> = {}) {
  const file = { ...dataFileOf(`file:///d/${i}`), content: 'equality-deletes' as const }
  const dataFile: DataFile = { ...file, equalityIds: [1], ...overrides }
  return { status: 'added', dataFile, sequenceNumber } as ManifestEntry
}

function load(entries: readonly ManifestEntry[], unpartitionedSpecIds = new Set([0])) {
  const file = { content: 'deletes', addedFilesCount: 1, existingFilesCount: 0 } as ManifestFile
  return DeleteFileIndex.load([file], { cache: cacheOf(entries), unpartitionedSpecIds })
}

test('data files of one age share one list, however many there are', async () => {
  const index = await load(Array.from({ length: DELETES }, (_, i) => deleteOf(i, 9n)))
  const lists = Array.from({ length: 1_000 }, (_, i) => {
    return index.findFor(dataFileOf(`file:///f/${i}`), i % 2 === 0 ? 5n : 6n)
  })
  expect(new Set(lists).size).toBe(2)
  expect(lists[0]).toHaveLength(DELETES)
})

test('equality deletes apply to older files, position deletes from their own age on', async () => {
  const positions = { content: 'position-deletes' as const }
  const entries = [
    deleteOf(1, 5n),
    deleteOf(2, 7n),
    deleteOf(3, 5n, positions),
    deleteOf(4, 7n, positions),
  ]
  const index = await load(entries)
  const foundAt = (sequenceNumber: bigint) =>
    index
      .findFor(dataFileOf('file:///f'), sequenceNumber)
      .map(({ path }) => path.slice(-1))
      .sort()
  expect(foundAt(4n)).toEqual(['1', '2', '3', '4'])
  expect(foundAt(5n)).toEqual(['2', '3', '4'])
  expect(foundAt(6n)).toEqual(['2', '4'])
  expect(foundAt(7n)).toEqual(['4'])
  expect(foundAt(8n)).toEqual([])
  // Asked again, beside many others.
  for (let n = 0n; n < 200n; n++) foundAt(n + 100n)
  expect(foundAt(5n)).toEqual(['2', '3', '4'])
})

test('deletes of a partition are for files of that partition and spec only', async () => {
  const of = (specId: number, ...partition: DataFile['partition']) => ({ specId, partition })
  const index = await load([
    deleteOf(1, 9n, of(1, 1)),
    deleteOf(2, 9n, of(1, '1')),
    deleteOf(3, 9n, of(2, 1)),
    deleteOf(4, 9n, of(0)),
    deleteOf(5, 9n, { ...of(0), content: 'position-deletes' }),
  ])
  const found = (specId: number, ...partition: DataFile['partition']) =>
    index
      .findFor({ ...dataFileOf('file:///d/data'), ...of(specId, ...partition) }, 1n)
      .map(({ path }) => path.slice(-1))
  expect(found(1, 1)).toEqual(['1', '4'])
  expect(found(1, '1')).toEqual(['2', '4'])
  expect(found(2, 1)).toEqual(['3', '4'])
  expect(found(1, 2)).toEqual(['4'])
  expect(found(0)).toEqual(['5', '4'])
})

test('deletes of a partition apply whether its column was widened before or after', async () => {
  const of = (...partition: DataFile['partition']) => ({ specId: 1, partition })
  const index = await load([
    deleteOf(1, 9n, of(7n)),
    deleteOf(2, 9n, of(8)),
    deleteOf(3, 9n, of(-0)),
  ])
  const found = (...partition: DataFile['partition']) =>
    index
      .findFor({ ...dataFileOf('file:///d/data'), ...of(...partition) }, 1n)
      .map(({ path }) => path.slice(-1))
  expect(found(7)).toEqual(['1'])
  expect(found(8n)).toEqual(['2'])
  expect([found(0), found(-0)]).toEqual([[], ['3']])
})
