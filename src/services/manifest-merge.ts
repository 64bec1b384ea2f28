import type { ManifestFile } from '../core/data-file.ts'
import { ENTRIES_PER_MANIFEST_MAX, MANIFEST_MERGE_FANOUT } from './limits.ts'

export function liveFilesCount(manifest: ManifestFile): number {
  return manifest.addedFilesCount + manifest.existingFilesCount
}

/**
 * Groups of manifests to merge, each into one. Manifests are sorted into tiers by size, a tenfold each, and a tier is
 * merged when it holds ten: an entry is rewritten once a tier, so that a commit costs O(new files)
 * and a list of a million files stays short.
 *
 * Ten commits of one file each: ten manifests of tier 0 become one of tier 1. After a hundred commits the ten of
 * tier 1 become one of tier 2. Above `ENTRIES_PER_MANIFEST_MAX` entries nothing is merged any more.
 */
export function planMerges(manifests: readonly ManifestFile[]): readonly ManifestFile[][] {
  const tiers = new Map<string, ManifestFile[]>()
  for (const manifest of manifests) {
    const tier = Math.floor(Math.log10(Math.max(1, liveFilesCount(manifest))))
    const key = `${manifest.content}/${manifest.specId}/${tier}`
    const tierManifests = tiers.get(key)
    if (tierManifests === undefined) tiers.set(key, [manifest])
    else tierManifests.push(manifest)
  }
  return [...tiers.values()]
    .filter((tier) => tier.length >= MANIFEST_MERGE_FANOUT)
    .flatMap(binsOf)
    .filter((bin) => bin.length > 1)
}

/** In the order given, each bin with as many manifests as one manifest may hold entries of. */
function binsOf(tier: readonly ManifestFile[]): ManifestFile[][] {
  const bins: ManifestFile[][] = []
  let room = 0
  for (const manifest of tier) {
    const entries = liveFilesCount(manifest)
    if (entries > room) {
      bins.push([])
      room = ENTRIES_PER_MANIFEST_MAX
    }
    bins.at(-1)?.push(manifest)
    room -= entries
  }
  return bins
}
