import type { DataFile, EntryStatus, ManifestFile } from '../../../src/core/file/data-file.ts'
import type { ManifestCache } from '../../../src/lake/scan/manifest-cache.ts'
import { type FileChange, resolveChange } from '../../../src/lake/snapshot/snapshot-change.ts'
import { dataFileOf } from '../../catalog/catalog-samples.ts'

type Live = readonly [file: DataFile, status: EntryStatus]

const file = (name: string, rest: Partial<DataFile> = {}): DataFile => ({
  ...dataFileOf(`file:///d/${name}`),
  ...rest,
})

/** Manifests in memory; those named in `read` were asked for. */
function manifestsOf(lists: readonly (readonly Live[])[], deletesAt?: number) {
  const read: string[] = []
  const contentOf = (i: number) => (i === deletesAt ? 'deletes' : 'data')
  const files = lists.map((entries, i) => {
    const count = (status: EntryStatus) => entries.filter(([, own]) => own === status).length
    const counts = {
      addedFilesCount: count('added'),
      existingFilesCount: count('existing'),
      deletedFilesCount: count('deleted'),
    }
    return { path: `m${i}`, content: contentOf(i), ...counts } as ManifestFile
  })
  const getManifest = async ({ path }: ManifestFile) => {
    read.push(path)
    const entries = lists[Number(path.slice(1))] as readonly Live[]
    return {
      content: contentOf(Number(path.slice(1))),
      entryCount: entries.length,
      isLive: (i: number) => entries[i]?.[1] !== 'deleted',
      path: (i: number) => entries[i]?.[0].path,
      entry: (i: number) => ({
        ...{ status: entries[i]?.[1], snapshotId: 5n, sequenceNumber: 5n },
        dataFile: entries[i]?.[0],
      }),
    }
  }
  return { files, cache: { getManifest } as unknown as ManifestCache, read }
}

async function resolve(
  lists: readonly (readonly Live[])[],
  change: Partial<FileChange>,
  deletesAt?: number,
) {
  const { files, cache, read } = manifestsOf(lists, deletesAt)
  const whole = { added: [], removedPaths: [], truncate: false, ...change }
  const { added, removed, kept, rewritten } = await resolveChange(files, whole, cache)
  const names = (list: readonly DataFile[]) => list.map(({ path }) => path.slice(-1))
  return {
    added: names(added),
    removed: names(removed),
    kept: kept.map(({ path }) => path),
    rewritten: rewritten.map(({ source, entries }) => [
      source.path,
      ...entries.map(({ status, snapshotId, dataFile }) => {
        return `${dataFile.path.slice(-1)} ${status} ${snapshotId}`
      }),
    ]),
    read,
  }
}

const [A, B, C, D] = ['a', 'b', 'c', 'd'].map((name) => file(name)) as [
  ...[DataFile, DataFile, DataFile, DataFile],
]
const AB: readonly Live[] = [
  [A, 'added'],
  [B, 'existing'],
]
const CD: readonly Live[] = [
  [C, 'added'],
  [D, 'deleted'],
]
const GONE: readonly Live[] = [[D, 'deleted']]

test('an append reads no manifest, and leaves out those that hold only deletions', async () => {
  expect(await resolve([AB, GONE, CD], { added: [D] })).toEqual({
    added: ['d'],
    removed: [],
    kept: ['m0', 'm2'],
    rewritten: [],
    read: [],
  })
})

test('a removal rewrites the manifests that have the file, and keeps the others', async () => {
  expect(await resolve([AB, CD], { removedPaths: ['file:/d/a'] })).toMatchObject({
    removed: ['a'],
    kept: ['m1'],
    rewritten: [['m0', 'a deleted null', 'b existing 5']],
  })
})

test('a truncation removes every file that is live', async () => {
  expect(await resolve([AB, GONE, CD], { truncate: true })).toMatchObject({
    removed: ['a', 'b', 'c'],
    kept: [],
    rewritten: [
      ['m0', 'a deleted null', 'b deleted null'],
      ['m2', 'c deleted null'],
    ],
  })
})

test('a file that is removed and added again, unchanged, stays where it is', async () => {
  const again = { added: [A, D], removedPaths: [A.path] }
  expect(await resolve([AB], again)).toMatchObject({
    added: ['d'],
    removed: [],
    kept: ['m0'],
    rewritten: [],
  })
  expect(await resolve([AB], { ...again, removedPaths: [A.path, B.path] })).toMatchObject({
    added: ['d'],
    removed: ['b'],
    rewritten: [['m0', 'a existing 5', 'b deleted null']],
  })
})

const bound = (byte: number) => new Map([[1, Uint8Array.of(byte)]])
test.each<[string, Partial<DataFile>]>([
  ['rows', { recordCount: 11 }],
  ['bytes', { fileSizeBytes: 1_001 }],
  ['spec', { specId: 1 }],
  ['sizes of columns', { columnSizes: new Map([[1, 1]]) }],
  ['counts of nulls', { nullValueCounts: new Map([[1, 1]]) }],
  ['a lower bound', { lowerBounds: bound(2) }],
  ['an upper bound', { upperBounds: bound(2) }],
])('a file that is overwritten, which its %s tell, is another file', async (_, other) => {
  const before = file('a', { lowerBounds: bound(1), upperBounds: bound(1) })
  const after = { ...before, ...other }
  const change = { added: [after], removedPaths: [before.path] }
  expect(await resolve([[[before, 'added']]], change)).toMatchObject({
    added: ['a'],
    removed: ['a'],
    kept: [],
  })
})

test('a deletion vector goes with its data file, wherever its manifest stands', async () => {
  const vectorOf = (name: string, data: string) =>
    file(name, {
      ...{ content: 'position-deletes', format: 'puffin', referencedDataFile: `file:/d/${data}` },
    })
  const vectors: readonly Live[] = [
    [vectorOf('v', 'a'), 'added'],
    [vectorOf('w', 'c'), 'added'],
    // Of version 2: it may say something of other files, too.
    [file('p', { content: 'position-deletes', referencedDataFile: A.path }), 'added'],
  ]
  const deletes = [1, 0].map((at) => ({ lists: at === 0 ? [vectors, AB] : [AB, vectors], at }))
  for (const { lists, at } of deletes) {
    const removal = { removedPaths: ['file:///d/a'] }
    const { removed, rewritten } = await resolve(lists, removal, at)
    expect(removed).toEqual(['a', 'v'])
    expect(rewritten).toEqual([
      [`m${1 - at}`, 'a deleted null', 'b existing 5'],
      [`m${at}`, 'v deleted null', 'w existing 5', 'p existing 5'],
    ])
    // It stays with a file that is removed and added at once, unchanged.
    const again = { added: [A], removedPaths: [A.path, B.path] }
    expect(await resolve(lists, again, at)).toMatchObject({ removed: ['b'], kept: [`m${at}`] })
  }
})
