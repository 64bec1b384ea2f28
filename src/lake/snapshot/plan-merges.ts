import { liveFilesCount, type ManifestFile } from '../../core/file/data-file.ts'
import {
  ENTRIES_PER_MANIFEST_MAX,
  MANIFEST_MERGE_FANOUT,
  RECODED_ENTRIES_MAX,
} from '../../core/limits.ts'
import { isCopyable } from '../../formats/manifest/manifest-copy.ts'

/** Fewer are encoded again, so that merged manifests have few and large blocks. */
const COPIED_ENTRIES_MIN = 100
/** A merged manifest holds so many times the entries of its largest source, or more. */
const GROWTH_MIN = 1.5

/** Whether a merge takes the entries over as they are stored. */
export function isCopied(manifest: ManifestFile): boolean {
  return isCopyable(manifest) && manifest.existingFilesCount >= COPIED_ENTRIES_MIN
}

/**
 * Groups of manifests to merge, each into one. Manifests are sorted into tiers by size, a tenfold
 * each, and a tier is merged when it holds ten: an entry is rewritten once a tier, so that a commit
 * costs O(new files) and a list of a million files stays short.
 *
 * Ten commits of one file each: ten manifests of tier 0 become one of tier 1. After a hundred
 * commits the ten of tier 1 become one of tier 2. Above `ENTRIES_PER_MANIFEST_MAX` entries nothing
 * is merged any more.
 *
 * Whatever the sizes, an entry gets into a manifest half as large again or more each time that it
 * is rewritten: at most 23 times. One commit encodes at most `RECODED_ENTRIES_MAX` entries again;
 * what is left over, a later one does.
 */
export function planMerges(manifests: readonly ManifestFile[]): readonly ManifestFile[][] {
  const tiers = new Map<string, ManifestFile[]>()
  for (const manifest of manifests) {
    if (recodedCount(manifest) > RECODED_ENTRIES_MAX) continue
    const tier = Math.floor(Math.log10(Math.max(1, liveFilesCount(manifest))))
    const key = `${manifest.content}/${manifest.specId}/${tier}`
    const tierManifests = tiers.get(key)
    if (tierManifests === undefined) tiers.set(key, [manifest])
    else tierManifests.push(manifest)
  }
  const bins = [...tiers.values()]
    .filter((tier) => tier.length >= MANIFEST_MERGE_FANOUT)
    .flatMap(binsOf)
    .filter(isWorthIt)
  return withinBudget(bins)
}

/**
 * Smallest first, each bin with as many manifests as one manifest may hold entries of, and as are
 * encoded at once.
 */
function binsOf(tier: readonly ManifestFile[]): ManifestFile[][] {
  const bins: ManifestFile[][] = []
  let [room, budget] = [0, 0]
  for (const manifest of tier.toSorted((a, b) => liveFilesCount(a) - liveFilesCount(b))) {
    const [entries, recoded] = [liveFilesCount(manifest), recodedCount(manifest)]
    if (entries > room || recoded > budget) {
      bins.push([])
      room = ENTRIES_PER_MANIFEST_MAX
      budget = RECODED_ENTRIES_MAX
    }
    bins.at(-1)?.push(manifest)
    room -= entries
    budget -= recoded
  }
  return bins
}

function isWorthIt(bin: readonly ManifestFile[]): boolean {
  const sizes = bin.map(liveFilesCount)
  return sum(sizes) >= GROWTH_MIN * Math.max(...sizes)
}

function withinBudget(bins: readonly ManifestFile[][]): readonly ManifestFile[][] {
  let budget = RECODED_ENTRIES_MAX
  return bins.filter((bin) => {
    const recoded = sum(bin.map(recodedCount))
    if (recoded > budget) return false
    budget -= recoded
    return true
  })
}

function recodedCount(manifest: ManifestFile): number {
  return isCopied(manifest) ? 0 : liveFilesCount(manifest)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
