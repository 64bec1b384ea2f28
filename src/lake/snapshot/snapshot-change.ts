import type { AddedFile, DataFile, ManifestEntry, ManifestFile } from '../../core/file/data-file.ts'
import { liveFilesCount } from '../../core/file/data-file.ts'
import { locationKey } from '../../core/file/location-key.ts'
import { Turns } from '../../core/turns.ts'
import { compareBytes } from '../../core/value/value.ts'
import type { DecodedManifest } from '../../formats/manifest/manifest-reader.ts'
import { forEachLiveEntry, someLiveEntry } from '../scan/live-entries.ts'
import type { ManifestCache } from '../scan/manifest-cache.ts'

const METRICS = ['columnSizes', 'nullValueCounts', 'lowerBounds', 'upperBounds'] as const

/** What a batch of transactions does to the files of one table. */
export interface FileChange {
  /** In commit order. */
  readonly added: readonly AddedFile[]
  /** `PathStore.findFooters` of those, where the change removes some, too. */
  readonly knownFooters?: ReadonlyMap<string, string>
  readonly removedPaths: Iterable<string>
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
  readonly added: readonly AddedFile[]
  readonly removed: readonly DataFile[]
  readonly kept: readonly ManifestFile[]
  readonly rewritten: readonly RewrittenManifest[]
}

/**
 * Finds the entries that a change removes: deletion vectors of removed data files, too. Reads
 * manifests only when something is removed.
 */
export async function resolveChange(
  manifests: readonly ManifestFile[],
  change: FileChange,
  cache: ManifestCache,
): Promise<ResolvedChange> {
  // Manifests that hold nothing but the deletions of an earlier snapshot have said what they had to
  // say.
  const live = manifests.filter((manifest) => liveFilesCount(manifest) > 0)
  const removal = {
    truncate: change.truncate,
    removedKeys: new Set(Array.from(change.removedPaths, locationKey)),
    goneKeys: new Set<string>(),
  }
  if (!removal.truncate && removal.removedKeys.size === 0) {
    return { added: change.added, removed: [], kept: live, rewritten: [] }
  }
  const added = new Map(change.added.map((file) => [locationKey(file.path), file]))
  const { knownFooters = new Map() } = change
  const kept: ManifestFile[] = []
  const rewritten: RewrittenManifest[] = []
  const removed: DataFile[] = []
  const stays = new Set<string>()
  const turns = new Turns()
  for (const source of dataFirst(live)) {
    const manifest = await cache.getManifest(source)
    if (!(await someLiveEntry(manifest, turns, (i) => isRemoved(manifest, i, removal)))) {
      kept.push(source)
      continue
    }
    const entries = await rewriteEntries(manifest, { removal, added, knownFooters, stays, turns })
    const removedHere = entries.filter((entry) => entry.status === 'deleted')
    for (const { dataFile } of removedHere) {
      removed.push(dataFile)
      if (dataFile.content === 'data') removal.goneKeys.add(locationKey(dataFile.path))
    }
    if (removedHere.length === 0) kept.push(source)
    else rewritten.push({ source, entries })
  }
  const addedAnew = change.added.filter((file) => !stays.has(locationKey(file.path)))
  return { added: addedAnew, removed, kept, rewritten }
}

interface Removal {
  readonly truncate: boolean
  readonly removedKeys: ReadonlySet<string>
  /** Data files found and removed so far: not those among `removedKeys` that stay. */
  readonly goneKeys: ReadonlySet<string>
}

/** A deletion vector goes by its data file, which must be known by then. */
function dataFirst(manifests: readonly ManifestFile[]): readonly ManifestFile[] {
  const isData = ({ content }: ManifestFile) => content === 'data'
  return [...manifests.filter(isData), ...manifests.filter((manifest) => !isData(manifest))]
}

function isRemoved(
  manifest: DecodedManifest,
  i: number,
  { truncate, removedKeys, goneKeys }: Removal,
  key = locationKey(manifest.path(i)),
): boolean {
  if (truncate || removedKeys.has(key)) return true
  if (manifest.content === 'data' || goneKeys.size === 0) return false
  const { format, referencedDataFile } = manifest.entry(i, []).dataFile
  if (format !== 'puffin' || referencedDataFile === undefined) return false
  return goneKeys.has(locationKey(referencedDataFile))
}

async function rewriteEntries(
  manifest: DecodedManifest,
  context: {
    readonly removal: Removal
    /** By key, as `stays`. */
    readonly added: ReadonlyMap<string, AddedFile>
    readonly knownFooters: ReadonlyMap<string, string>
    readonly stays: Set<string>
    readonly turns: Turns
  },
): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = []
  await forEachLiveEntry(manifest, context.turns, (i) => {
    const entry = manifest.entry(i)
    const key = locationKey(entry.dataFile.path)
    const isMeant = isRemoved(manifest, i, context.removal, key)
    const again = context.added.get(key)
    const isSame =
      again !== undefined &&
      isSameFile(entry.dataFile, again) &&
      hasFooter(again, context.knownFooters.get(again.path))
    if (isMeant && !isSame) {
      // Null: the id of the snapshot that removes it is inherited from the manifest list.
      entries.push({ ...entry, status: 'deleted', snapshotId: null })
    } else {
      if (isMeant) context.stays.add(key)
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

/** Unless both footers are known nothing tells that it is another file. */
function hasFooter({ footerSha256 }: AddedFile, known: string | undefined): boolean {
  return known === undefined || footerSha256 === undefined || footerSha256.startsWith(known)
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

/** The live entries of these files in a snapshot's manifests, by the key of their location. */
export async function findLiveEntries(
  manifests: readonly ManifestFile[],
  paths: ReadonlySet<string>,
  cache: ManifestCache,
): Promise<ReadonlyMap<string, ManifestEntry>> {
  const keys = new Set(Array.from(paths, locationKey))
  const found = new Map<string, ManifestEntry>()
  const turns = new Turns()
  for (const file of manifests) {
    if (found.size === keys.size) break
    if (liveFilesCount(file) === 0) continue
    const manifest = await cache.getManifest(file)
    await forEachLiveEntry(manifest, turns, (i) => {
      const key = locationKey(manifest.path(i))
      if (keys.has(key)) found.set(key, manifest.entry(i))
    })
  }
  return found
}
