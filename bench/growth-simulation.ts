import type { ManifestFile } from '../src/core/file/data-file.ts'
import { liveFilesCount } from '../src/core/file/data-file.ts'
import { planMerges } from '../src/lake/snapshot/plan-merges.ts'

export interface Growth {
  readonly entriesMergedMean: number
  readonly entriesMergedMax: number
  readonly manifestsMean: number
  readonly manifestsMax: number
}

/** What one-file commits do to the manifests of a table, simulated in memory. */
export function simulateGrowth(
  full: readonly number[],
  { commits }: { readonly commits: number },
): Growth {
  let manifests: readonly ManifestFile[] = full.map(manifestOf)
  let [merged, mergedMax, listed, listedMax] = [0, 0, 0, 0]
  for (let i = 0; i < commits; i++) {
    const groups = planMerges(manifests)
    const sizes = groups.map((group) =>
      group.reduce((entries, manifest) => entries + liveFilesCount(manifest), 0),
    )
    const gone = new Set(groups.flat())
    const kept = manifests.filter((manifest) => !gone.has(manifest))
    manifests = [manifestOf(1), ...sizes.map(mergedOf), ...kept]
    const entries = sizes.reduce((sum, size) => sum + size, 0)
    merged += entries
    mergedMax = Math.max(mergedMax, entries)
    listed += manifests.length
    listedMax = Math.max(listedMax, manifests.length)
  }
  return {
    entriesMergedMean: merged / commits,
    entriesMergedMax: mergedMax,
    manifestsMean: listed / commits,
    manifestsMax: listedMax,
  }
}

function mergedOf(files: number): ManifestFile {
  return { ...manifestOf(0), existingFilesCount: files }
}

/** Manifest of the files that one commit added. */
function manifestOf(files: number): ManifestFile {
  return {
    ...{ path: '', lengthBytes: 0, specId: 0, content: 'data', addedSnapshotId: 1n },
    ...{ sequenceNumber: 1n, minSequenceNumber: 1n, partitions: [] },
    ...{ addedFilesCount: files, existingFilesCount: 0, deletedFilesCount: 0 },
    ...{ addedRowsCount: 0, existingRowsCount: 0, deletedRowsCount: 0 },
  }
}
