import type { DataFile, ManifestEntry, ManifestFile } from '../../core/file/data-file.ts'
import { liveFilesCount } from '../../core/file/data-file.ts'
import { Turns } from '../../core/turns.ts'
import { compareBytes } from '../../core/value/value.ts'
import type { DecodedManifest } from '../../formats/manifest/manifest-reader.ts'
import { forEachLiveEntry, someLiveEntry } from '../scan/live-entries.ts'
import type { ManifestCache } from '../scan/manifest-cache.ts'

const METRICS = ['columnSizes', 'nullValueCounts', 'lowerBounds', 'upperBounds'] as const

/** What a batch of transactions does to the files of one table. */
export interface FileChange {
  /** In commit order. */
  readonly added: readonly DataFile[]
  readonly removedPaths: ReadonlySet<string>
  /** Removes every file that the table has, delete files included. */
  readonly truncate: boolean
}

/**
 * A manifest of the current snapshot whose entries change, with all the entries that it will have.
 */
export interface RewrittenManifest {
  readonly source: ManifestFile
  readonly entries: readonly ManifestEntry[]
}

export interface ResolvedChange {
  /**
   * Without those that the table had already: a file that is removed and added at once, unchanged,
   * simply stays.
   */
  readonly added: readonly DataFile[]
  readonly removed: readonly DataFile[]
  readonly kept: readonly ManifestFile[]
  readonly rewritten: readonly RewrittenManifest[]
}

/** Finds the entries that a change removes. Reads manifests only when something is removed. */
export async function resolveChange(
  manifests: readonly ManifestFile[],
  change: FileChange,
  cache: ManifestCache,
): Promise<ResolvedChange> {
  // Manifests that hold nothing but the deletions of an earlier snapshot have said what they had to
  // say.
  const live = manifests.filter((manifest) => liveFilesCount(manifest) > 0)
  if (!change.truncate && change.removedPaths.size === 0) {
    return { added: change.added, removed: [], kept: live, rewritten: [] }
  }
  const added = new Map(change.added.map((file) => [file.path, file]))
  const kept: ManifestFile[] = []
  const rewritten: RewrittenManifest[] = []
  const removed: DataFile[] = []
  const stays = new Set<string>()
  const turns = new Turns()
  for (const source of live) {
    const manifest = await cache.getManifest(source)
    if (!(await touches(manifest, change, turns))) {
      kept.push(source)
      continue
    }
    const entries = await rewriteEntries(manifest, { change, added, stays, turns })
    const removedHere = entries.filter((entry) => entry.status === 'deleted')
    for (const entry of removedHere) removed.push(entry.dataFile)
    if (removedHere.length === 0) kept.push(source)
    else rewritten.push({ source, entries })
  }
  const addedAnew = change.added.filter((file) => !stays.has(file.path))
  return { added: addedAnew, removed, kept, rewritten }
}

async function touches(
  manifest: DecodedManifest,
  { truncate, removedPaths }: FileChange,
  turns: Turns,
): Promise<boolean> {
  return truncate || someLiveEntry(manifest, turns, (i) => removedPaths.has(manifest.path(i)))
}

async function rewriteEntries(
  manifest: DecodedManifest,
  context: {
    readonly change: FileChange
    readonly added: ReadonlyMap<string, DataFile>
    readonly stays: Set<string>
    readonly turns: Turns
  },
): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = []
  await forEachLiveEntry(manifest, context.turns, (i) => {
    const entry = manifest.entry(i)
    const path = entry.dataFile.path
    const isRemoved = context.change.truncate || context.change.removedPaths.has(path)
    const again = context.added.get(path)
    if (isRemoved && !(again !== undefined && isSameFile(entry.dataFile, again))) {
      // Null: the id of the snapshot that removes it is inherited from the manifest list.
      entries.push({ ...entry, status: 'deleted', snapshotId: null })
    } else {
      if (isRemoved) context.stays.add(path)
      entries.push({ ...entry, status: 'existing' })
    }
  })
  return entries
}

/**
 * Whether all that is known of two files of one path is the same: if not, it was overwritten, and
 * is another file.
 */
function isSameFile(left: DataFile, right: DataFile): boolean {
  return (
    left.recordCount === right.recordCount &&
    left.fileSizeBytes === right.fileSizeBytes &&
    left.specId === right.specId &&
    METRICS.every((metric) => isSameMap(left[metric], right[metric]))
  )
}

function isSameMap(
  left: ReadonlyMap<number, number | Uint8Array> = new Map(),
  right: ReadonlyMap<number, number | Uint8Array> = new Map(),
): boolean {
  return left.size === right.size && [...left].every(([id, value]) => isSame(value, right.get(id)))
}

function isSame(left: number | Uint8Array, right: number | Uint8Array | undefined): boolean {
  if (!(left instanceof Uint8Array && right instanceof Uint8Array)) return left === right
  return compareBytes(left, right) === 0
}

/** The live entries of these files in a snapshot's manifests. */
export async function findLiveEntries(
  manifests: readonly ManifestFile[],
  paths: ReadonlySet<string>,
  cache: ManifestCache,
): Promise<ReadonlyMap<string, ManifestEntry>> {
  const found = new Map<string, ManifestEntry>()
  const turns = new Turns()
  for (const file of manifests) {
    if (found.size === paths.size) break
    if (liveFilesCount(file) === 0) continue
    const manifest = await cache.getManifest(file)
    await forEachLiveEntry(manifest, turns, (i) => {
      const path = manifest.path(i)
      if (paths.has(path)) found.set(path, manifest.entry(i))
    })
  }
  return found
}
