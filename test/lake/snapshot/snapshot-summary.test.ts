import type { DataFile, ManifestFile } from '../../../src/core/file/data-file.ts'
import type { ManifestCache } from '../../../src/lake/scan/manifest-cache.ts'
import { changeSummary, totalsOf } from '../../../src/lake/snapshot/snapshot-summary.ts'
import { dataFileOf, snapshotOf } from '../../catalog/catalog-samples.ts'

const NONE = {
  'total-data-files': 0,
  'total-delete-files': 0,
  'total-records': 0,
  'total-files-size': 0,
  'total-position-deletes': 0,
  'total-equality-deletes': 0,
}
const data = (recordCount: number, rest: Partial<DataFile> = {}): DataFile => {
  return { ...dataFileOf('file:///d/a'), recordCount, fileSizeBytes: 100, ...rest }
}
const positions = (n: number) => data(n, { content: 'position-deletes' })
const equality = (n: number) => data(n, { content: 'equality-deletes' })

/** One manifest of these files, all live. */
function cacheOf(files: readonly DataFile[]): ManifestCache {
  const manifest = {
    entryCount: files.length,
    isLive: () => true,
    entry: (i: number) => ({ dataFile: files[i] }),
  }
  return { getManifest: async () => manifest } as unknown as ManifestCache
}

test('totals are those before, with what is added and without what is removed', () => {
  const before = { ...NONE, 'total-data-files': 3, 'total-records': 30, 'total-files-size': 300 }
  expect(changeSummary(before, { added: [data(7), data(5)], removed: [data(10)] })).toEqual({
    'added-data-files': '2',
    'deleted-data-files': '1',
    'added-records': '12',
    'deleted-records': '10',
    'added-files-size': '200',
    'removed-files-size': '100',
    'changed-partition-count': '1',
    'total-data-files': '4',
    'total-delete-files': '0',
    'total-records': '32',
    'total-files-size': '400',
    'total-position-deletes': '0',
    'total-equality-deletes': '0',
  })
})

test('delete files are no data files, and their rows are no records', () => {
  const before = {
    ...NONE,
    'total-delete-files': 2,
    'total-files-size': 200,
    'total-position-deletes': 4,
    'total-equality-deletes': 2,
  }
  const summary = changeSummary(before, { added: [], removed: [positions(4), equality(2)] })
  expect(summary).toEqual({
    ...Object.fromEntries(Object.keys(NONE).map((name) => [name, '0'])),
    'removed-delete-files': '2',
    'removed-files-size': '200',
    'changed-partition-count': '1',
  })
})

test('partitions are counted once each, by type as well as by text', () => {
  const at = (...partition: DataFile['partition']) => data(1, { partition })
  const change = { added: [at(1), at(1), at('1'), at(null)], removed: [at(2)] }
  expect(changeSummary(NONE, change)['changed-partition-count']).toBe('4')
  const specs = { added: [at(1), data(1, { partition: [1], specId: 1 })], removed: [] }
  expect(changeSummary(NONE, specs)['changed-partition-count']).toBe('2')
})

test('totals are read from the summary, and counted when a writer left one out', async () => {
  const summary = Object.fromEntries(Object.keys(NONE).map((name, i) => [name, String(i + 1)]))
  const files = [data(7), positions(3), equality(2)]
  const list = [{ addedFilesCount: 3, existingFilesCount: 0 } as ManifestFile]
  const whole = snapshotOf(1n, { summary })
  expect(await totalsOf(whole, list, cacheOf(files))).toEqual(
    Object.fromEntries(Object.keys(NONE).map((name, i) => [name, i + 1])),
  )
  const counted = {
    'total-data-files': 1,
    'total-delete-files': 2,
    'total-records': 7,
    'total-files-size': 300,
    'total-position-deletes': 3,
    'total-equality-deletes': 2,
  }
  for (const name of Object.keys(NONE)) {
    const { [name]: _, ...others } = summary
    const snapshot = snapshotOf(1n, { summary: others })
    expect(await totalsOf(snapshot, list, cacheOf(files))).toEqual(counted)
  }
  expect(await totalsOf(undefined, list, cacheOf(files))).toEqual(NONE)
})
