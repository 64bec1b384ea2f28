import { createHash } from 'node:crypto'
import type { Ambient } from '../../core/ambient.ts'
import type { BoundQuery } from '../../core/query/bound-query.ts'
import type { Schema } from '../../core/value/type.ts'
import type { TableQuery } from '../../lake/convert/converter.ts'
import type { PlannedFile } from '../../lake/scan/plan-files.ts'
import type { ObjectStore } from '../../objects/object-store.ts'

/** What a file of a dataset is made of, at least: a process that dies loses no more. */
const SHARD_ROWS_MIN = 1_000_000
const SHARD_BYTES_MIN = 256 * 1024 * 1024
/** Files of older attempts may be deleted soon, since nothing names them yet. */
const KEPT_MS_MAX = 12 * 3_600_000

type Sources = readonly Pick<PlannedFile, 'dataFile' | 'deleteFiles'>[]

/**
 * The source files of each data file of a dataset, in the order of the rows; the same for the same
 * snapshot and query. A query whose rows depend on all of them has one.
 */
export function shardsOf(query: BoundQuery, sources: Sources): readonly Sources[] {
  const { groupBy, orderBy, limit } = query
  const isByRow = groupBy === undefined && orderBy.length === 0 && limit === undefined
  if (!isByRow) return [sources]
  const shards: Sources[number][][] = []
  let [rows, bytes] = [Number.POSITIVE_INFINITY, 0]
  for (const source of sources) {
    if (rows >= SHARD_ROWS_MIN || bytes >= SHARD_BYTES_MIN) {
      shards.push([])
      rows = 0
      bytes = 0
    }
    shards.at(-1)?.push(source)
    rows += source.dataFile.recordCount
    bytes += source.dataFile.fileSizeBytes
  }
  return shards.length === 0 ? [[]] : shards
}

export interface ShardsToWrite {
  readonly query: Pick<TableQuery, 'query' | 'sources'>
  /** Equal where the same files are read to the same rows: a file of other ones is not kept. */
  readonly identity: string
  /** Folder of the data files, which are of this dataset alone. */
  readonly folder: string
  readonly ambient: Pick<Ambient, 'newUuid' | 'nowMs'>
  readonly signal: AbortSignal
  report(progress: unknown): void
  /** Makes the rows of some of the sources, and places them there. */
  write(sources: Sources, location: string): Promise<void>
}

/**
 * Writes the rows of a query, file by file. What an earlier attempt has finished stays as it is:
 * each file is there whole or not at all. Returns where they are.
 */
export async function writeShards(
  objects: Pick<ObjectStore, 'find'>,
  { query, identity, folder, ambient, signal, report, write }: ShardsToWrite,
): Promise<readonly string[]> {
  const shards = shardsOf(query.query, query.sources)
  const locations: string[] = []
  for (const [i, sources] of shards.entries()) {
    signal.throwIfAborted()
    const place = (id: string) => `${folder}/data-${String(i).padStart(5, '0')}-${id}.parquet`
    const called = place(idOf(sources, identity))
    const found = await objects.find(called)
    const isKept = found !== undefined && ambient.nowMs() - found.modifiedAtMs < KEPT_MS_MAX
    const location = found === undefined || isKept ? called : place(ambient.newUuid())
    if (!isKept) await write(sources, location)
    locations.push(location)
    if (shards.length > 1) report({ files_done: i + 1, files: shards.length })
  }
  return locations
}

/** Another release may leave out other files of those that have no row of the query. */
function idOf(sources: Sources, identity: string): string {
  const files = sources.map(({ dataFile, deleteFiles }) => [
    dataFile.path,
    ...deleteFiles.map(({ path, contentOffset = null }) => [path, contentOffset]),
  ])
  const parts = JSON.stringify([identity, files])
  return createHash('sha256').update(parts).digest('hex').slice(0, 32)
}

/** The schema, and the data files that have the rows. */
export interface WrittenRows {
  readonly schema: Schema
  readonly locations: readonly string[]
}
