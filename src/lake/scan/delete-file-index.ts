import type { DataFile, ManifestEntry, ManifestFile } from '../../core/file/data-file.ts'
import { liveFilesCount } from '../../core/file/data-file.ts'
import { partitionKey } from '../../core/partition/partition-key.ts'
import { Turns } from '../../core/turns.ts'
import { forEachLiveEntry } from './live-entries.ts'
import { onlyDataFile } from './live-rows.ts'
import type { ManifestCache } from './manifest-cache.ts'

interface DeleteEntry {
  readonly file: DataFile
  readonly sequenceNumber: bigint
}

/** Lists that are kept: data files of one partition and age come one after the other. */
const LISTS_KEPT = 64
const NONE: readonly DataFile[] = []

/**
 * Which delete files apply to a data file (Iceberg spec, "Scan Planning"). Files to which the same
 * apply share one list: what is made of it can be made once.
 */
export class DeleteFileIndex {
  readonly #byPartition = new Map<string, DeleteEntry[]>()
  readonly #global: DeleteEntry[] = []
  readonly #byDataFile = new Map<string, DeleteEntry[]>()
  /** The most recently used last. */
  readonly #lists = new Map<string, readonly DataFile[]>()

  static async load(
    manifests: readonly ManifestFile[],
    {
      cache,
      unpartitionedSpecIds,
      signal,
    }: {
      readonly cache: ManifestCache
      readonly unpartitionedSpecIds: ReadonlySet<number>
      readonly signal?: AbortSignal | undefined
    },
  ): Promise<DeleteFileIndex> {
    const index = new DeleteFileIndex()
    const turns = new Turns(signal)
    for (const file of manifests) {
      if (file.content !== 'deletes' || liveFilesCount(file) === 0) continue
      const manifest = await cache.getManifest(file, signal)
      await forEachLiveEntry(manifest, turns, (i) => {
        index.#add(manifest.entry(i), unpartitionedSpecIds)
      })
    }
    return index
  }

  get isEmpty(): boolean {
    return this.#byPartition.size + this.#global.length + this.#byDataFile.size === 0
  }

  /**
   * A deletion vector or position delete applies from its own sequence number on, an equality
   * delete only to older files.
   */
  findFor(dataFile: DataFile, sequenceNumber: bigint): readonly DataFile[] {
    const own = this.#byDataFile.get(dataFile.path)
    const shared = this.#sharedFor(dataFile, sequenceNumber)
    return own === undefined ? shared : [...applicable(own, sequenceNumber), ...shared]
  }

  /** Those that are not of one data file alone. */
  #sharedFor(dataFile: DataFile, sequenceNumber: bigint): readonly DataFile[] {
    if (this.#byPartition.size === 0 && this.#global.length === 0) return NONE
    const partition = partitionKey(dataFile)
    const key = `${sequenceNumber} ${partition}`
    const known = this.#lists.get(key)
    const list =
      known ??
      applicable([...(this.#byPartition.get(partition) ?? []), ...this.#global], sequenceNumber)
    this.#lists.delete(key)
    this.#lists.set(key, list)
    for (const oldest of this.#lists.keys()) {
      if (this.#lists.size <= LISTS_KEPT) break
      this.#lists.delete(oldest)
    }
    return list
  }

  #add(entry: ManifestEntry, unpartitionedSpecIds: ReadonlySet<number>): void {
    const file = entry.dataFile
    const deleteEntry = { file, sequenceNumber: entry.sequenceNumber ?? 0n }
    const only = onlyDataFile(file)
    if (only !== undefined) {
      // Whatever its partition: DuckDB gives it one of no spec after the spec has changed.
      append(this.#byDataFile, only, deleteEntry)
    } else if (file.content === 'equality-deletes' && unpartitionedSpecIds.has(file.specId)) {
      this.#global.push(deleteEntry)
    } else {
      append(this.#byPartition, partitionKey(file), deleteEntry)
    }
  }
}

function applicable(entries: readonly DeleteEntry[], sequenceNumber: bigint): readonly DataFile[] {
  const found = entries.filter((entry) =>
    entry.file.content === 'equality-deletes'
      ? entry.sequenceNumber > sequenceNumber
      : entry.sequenceNumber >= sequenceNumber,
  )
  return found.map((entry) => entry.file)
}

function append(map: Map<string, DeleteEntry[]>, key: string, entry: DeleteEntry): void {
  const entries = map.get(key)
  if (entries === undefined) map.set(key, [entry])
  else entries.push(entry)
}
