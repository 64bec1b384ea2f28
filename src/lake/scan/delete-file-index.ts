import type { DataFile, ManifestEntry, ManifestFile } from '../../core/file/data-file.ts'
import { liveFilesCount } from '../../core/file/data-file.ts'
import { Turns } from '../../core/turns.ts'
import { forEachLiveEntry } from './live-entries.ts'
import { onlyDataFile } from './live-rows.ts'
import type { ManifestCache } from './manifest-cache.ts'

interface DeleteEntry {
  readonly file: DataFile
  readonly sequenceNumber: bigint
}

/** Which delete files apply to a data file (Iceberg spec, "Scan Planning"). */
export class DeleteFileIndex {
  readonly #byPartition = new Map<string, DeleteEntry[]>()
  readonly #global: DeleteEntry[] = []
  readonly #byDataFile = new Map<string, DeleteEntry[]>()

  static async load(
    manifests: readonly ManifestFile[],
    {
      cache,
      unpartitionedSpecIds,
    }: {
      readonly cache: ManifestCache
      readonly unpartitionedSpecIds: ReadonlySet<number>
    },
  ): Promise<DeleteFileIndex> {
    const index = new DeleteFileIndex()
    const turns = new Turns()
    for (const file of manifests) {
      if (file.content !== 'deletes' || liveFilesCount(file) === 0) continue
      const manifest = await cache.getManifest(file)
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
    const candidates = [
      ...(this.#byDataFile.get(dataFile.path) ?? []),
      ...(this.#byPartition.get(partitionKey(dataFile)) ?? []),
      ...this.#global,
    ]
    return candidates
      .filter((entry) =>
        entry.file.content === 'equality-deletes'
          ? entry.sequenceNumber > sequenceNumber
          : entry.sequenceNumber >= sequenceNumber,
      )
      .map((entry) => entry.file)
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

function append(map: Map<string, DeleteEntry[]>, key: string, entry: DeleteEntry): void {
  const entries = map.get(key)
  if (entries === undefined) map.set(key, [entry])
  else entries.push(entry)
}

/** Equal for files of one partition; typed, so that 1 and '1' differ. */
export function partitionKey(file: Pick<DataFile, 'specId' | 'partition'>): string {
  const values = file.partition.map((value) =>
    value instanceof Uint8Array ? `bytes:${[...value].join('.')}` : `${typeof value}:${value}`,
  )
  return JSON.stringify([file.specId, ...values])
}
