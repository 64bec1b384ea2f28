import fc from 'fast-check'
import type { ManifestFile } from '../../../src/core/file/data-file.ts'
import { liveFilesCount } from '../../../src/core/file/data-file.ts'
import {
  ENTRIES_PER_MANIFEST_MAX,
  MANIFEST_MERGE_FANOUT,
  RECODED_ENTRIES_MAX,
} from '../../../src/core/limits.ts'
import { isCopied, planMerges } from '../../../src/lake/snapshot/plan-merges.ts'
import { manifestFile } from '../../formats/manifest/manifest-samples.ts'

/** A manifest of files that one commit added. */
function addedManifest(files: number, part: Partial<ManifestFile> = {}): ManifestFile {
  return manifestFile({ addedFilesCount: files, partitions: [], ...part })
}

function mergedManifest(files: number, part: Partial<ManifestFile> = {}): ManifestFile {
  return addedManifest(0, { existingFilesCount: files, ...part })
}

function entriesOf(manifests: readonly ManifestFile[]): number {
  return manifests.reduce((sum, manifest) => sum + liveFilesCount(manifest), 0)
}

function recodedOf(manifests: readonly ManifestFile[]): number {
  return entriesOf(manifests.filter((manifest) => !isCopied(manifest)))
}

/** A table as commits leave it, without the files. */
class GrowingTable {
  manifests: readonly ManifestFile[] = []
  files = 0
  rewritten = 0
  rewrittenMax = 0
  recodedMax = 0
  listedMax = 0

  commit(files: number): void {
    const groups = planMerges(this.manifests)
    const gone = new Set(groups.flat())
    const kept = this.manifests.filter((manifest) => !gone.has(manifest))
    const merged = groups.map((group) => mergedManifest(entriesOf(group)))
    const added: ManifestFile[] = []
    for (let left = files; left > 0; left -= ENTRIES_PER_MANIFEST_MAX) {
      added.push(addedManifest(Math.min(left, ENTRIES_PER_MANIFEST_MAX)))
    }
    this.manifests = [...added, ...merged, ...kept]
    this.files += files
    this.rewritten += entriesOf(merged)
    this.rewrittenMax = Math.max(this.rewrittenMax, entriesOf(merged))
    this.recodedMax = Math.max(this.recodedMax, recodedOf(groups.flat()))
    this.listedMax = Math.max(this.listedMax, this.manifests.length)
  }
}

const manifests = fc.array(
  fc.record({
    files: fc.oneof(fc.nat(20), fc.nat(300), fc.nat(12_000)),
    isMerged: fc.boolean(),
    deleted: fc.constantFrom(0, 0, 0, 5),
    specId: fc.constantFrom(0, 0, 0, 1),
    content: fc.constantFrom('data' as const, 'data' as const, 'deletes' as const),
  }),
  { maxLength: 80, size: 'max' },
)

test('every manifest is in one group at most, of its spec and content, within limits', () => {
  fc.assert(
    fc.property(manifests, (drawn) => {
      const listed = drawn.map(({ files, isMerged, deleted, specId, content }) => {
        const part = { deletedFilesCount: deleted, specId, content }
        return isMerged ? mergedManifest(files, part) : addedManifest(files, part)
      })
      const groups = planMerges(listed)
      const grouped = groups.flat()
      expect(new Set(grouped).size).toBe(grouped.length)
      for (const manifest of grouped) expect(listed).toContain(manifest)
      for (const group of groups) {
        expect(group.length).toBeGreaterThan(1)
        expect(new Set(group.map(({ specId, content }) => `${specId}/${content}`)).size).toBe(1)
        expect(entriesOf(group)).toBeLessThanOrEqual(ENTRIES_PER_MANIFEST_MAX)
        const largest = Math.max(...group.map(liveFilesCount))
        expect(entriesOf(group)).toBeGreaterThanOrEqual(1.5 * largest)
      }
      expect(recodedOf(grouped)).toBeLessThanOrEqual(RECODED_ENTRIES_MAX)
    }),
    { numRuns: 300 },
  )
})

/** The sizes of what is merged, group by group. */
function mergedSizes(listed: readonly ManifestFile[]): number[][] {
  return planMerges(listed).map((group) => group.map(liveFilesCount))
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make)
}

describe('what is merged', () => {
  test('is a tier that has come to ten manifests, and no fewer', () => {
    expect(mergedSizes(times(9, () => addedManifest(1)))).toEqual([])
    expect(mergedSizes(times(10, () => addedManifest(1)))).toEqual([times(10, () => 1)])
  })

  test('is of one content and one spec, which are counted apart', () => {
    const kinds: readonly Partial<ManifestFile>[] = [{}, { content: 'deletes' }, { specId: 1 }]
    const each = (count: number) => {
      return kinds.flatMap((part) => times(count, () => addedManifest(1, part)))
    }
    expect(mergedSizes(each(9))).toEqual([])
    expect(mergedSizes(each(10))).toEqual(kinds.map(() => times(10, () => 1)))
  })

  test('does not count a manifest that is too large to be encoded again', () => {
    const small = times(9, () => addedManifest(1_000))
    const tooLarge = addedManifest(RECODED_ENTRIES_MAX + 1)
    expect(mergedSizes([...small, tooLarge])).toEqual([])
    expect(mergedSizes([...small, addedManifest(RECODED_ENTRIES_MAX)])).not.toEqual([])
  })

  test('is taken smallest first, as many as one manifest holds', () => {
    const sizes = [5_000, 1_000, 4_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000]
    const groups = mergedSizes(sizes.map((size) => mergedManifest(size)))
    expect(groups).toEqual([times(9, () => 1_000), [4_000, 5_000]])
  })

  test('is as many as are encoded again at once, and the rest stays for later commits', () => {
    const added = times(12, () => addedManifest(500))
    expect(mergedSizes(added)).toEqual([times(4, () => 500)])
    const ofEither = [...added, ...times(12, () => addedManifest(500, { specId: 1 }))]
    expect(mergedSizes(ofEither)).toEqual([times(4, () => 500)])
  })

  test('grows by half at least: a smaller gain is not worth it', () => {
    const alone = times(10, () => mergedManifest(9_000))
    expect(mergedSizes(alone)).toEqual([])
    const small = times(8, () => mergedManifest(1_000))
    const [third, seven] = [mergedManifest(3_000), mergedManifest(7_000)]
    expect(mergedSizes([...small, third, seven])).toEqual([times(8, () => 1_000)])
    const [half, six] = [mergedManifest(3_000), mergedManifest(6_000)]
    const both = [times(8, () => 1_000), [3_000, 6_000]]
    expect(mergedSizes([...small, half, six])).toEqual(both)
  })
})

test('commits of one file rewrite each entry once a tier, and the list stays short', () => {
  const table = new GrowingTable()
  for (let i = 0; i < 30_000; i++) table.commit(1)
  const tiers = Math.log10(ENTRIES_PER_MANIFEST_MAX)
  expect(entriesOf(table.manifests)).toBe(30_000)
  expect(table.rewritten).toBeLessThanOrEqual(tiers * table.files)
  expect(table.listedMax).toBeLessThanOrEqual(
    (tiers + 1) * MANIFEST_MERGE_FANOUT + table.files / ENTRIES_PER_MANIFEST_MAX,
  )
  // All but the smallest are copied: a merge of ten thousand entries costs a commit hardly more
  // than one of ten.
  expect(table.rewrittenMax).toBeGreaterThanOrEqual(ENTRIES_PER_MANIFEST_MAX)
  expect(table.recodedMax).toBeLessThanOrEqual(2 * MANIFEST_MERGE_FANOUT ** 2)
})

const commits = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 70 }) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 1_500 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 25_000 }) },
  ),
  { minLength: 50, maxLength: 400, size: 'max' },
)

test('whatever the sizes of commits, nothing is lost and rewriting is bounded', () => {
  fc.assert(
    fc.property(commits, fc.integer({ min: 1, max: 3 }), (sizes, repeats) => {
      const table = new GrowingTable()
      for (let i = 0; i < repeats; i++) for (const size of sizes) table.commit(size)
      expect(entriesOf(table.manifests)).toBe(table.files)
      expect(table.recodedMax).toBeLessThanOrEqual(RECODED_ENTRIES_MAX)
      // Half as large again each time: log(10,000) / log(1.5) times at most.
      expect(table.rewritten).toBeLessThanOrEqual(23 * table.files)
      const small = table.manifests.filter((m) => liveFilesCount(m) <= RECODED_ENTRIES_MAX / 2)
      expect(small.length).toBeLessThanOrEqual(8 * MANIFEST_MERGE_FANOUT)
    }),
    { numRuns: 60 },
  )
})
