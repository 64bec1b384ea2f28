import { CatalogError } from '../../core/errors.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import { getSchema, type TableState } from '../../core/table/table.ts'
import type { Schema } from '../../core/value/type.ts'
import { indexLocationIn } from './dump-folder.ts'
import type { DumpCompression, DumpFormat } from './format/dump-index.ts'

/** Raised when the same rows would be written as other bytes: then every shard is made anew. */
export const DIALECT_VERSION = 1

/** One dump: of one snapshot, in one format. Its bytes never change. */
export interface DumpTarget {
  readonly state: TableState
  readonly snapshot: Snapshot
  readonly schema: Schema
  readonly format: DumpFormat
  readonly compression: DumpCompression
}

/**
 * A dump has the columns that the table had at the snapshot: one that was added since would change
 * bytes that are out.
 */
export function dumpTargetOf(
  state: TableState,
  snapshot: Snapshot,
  choice: DumpFormatChoice,
): DumpTarget {
  const schema = getSchema(state.definition, snapshot.schemaId)
  return { state, snapshot, schema, ...choiceOf(choice) }
}

const MEDIA_TYPES: Record<DumpFormat, string> = {
  csv: 'text/csv; charset=utf-8',
  ndjson: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
  arrow: 'application/vnd.apache.arrow.stream',
}
const COMPRESSED_MEDIA_TYPES = { gzip: 'application/gzip', zstd: 'application/zstd' } as const
const EXTENSIONS: Record<DumpFormat, string> = {
  csv: 'csv',
  ndjson: 'ndjson',
  parquet: 'parquet',
  arrow: 'arrows',
}
const COMPRESSED_EXTENSIONS = { none: '', gzip: '.gz', zstd: '.zst' } as const

/**
 * Compression is a file format here, never a Content-Encoding: concatenated members break clients
 * otherwise.
 */
export function mediaTypeOf({ format, compression }: DumpFormatChoice): string {
  return compression === 'none' ? MEDIA_TYPES[format] : COMPRESSED_MEDIA_TYPES[compression]
}

export type DumpFormatChoice = Pick<DumpTarget, 'format' | 'compression'>

/** `csv`, `csv.gz`, `ndjson.zst`, `parquet`, ... */
export function extensionOf({ format, compression }: DumpFormatChoice): string {
  return EXTENSIONS[format] + COMPRESSED_EXTENSIONS[compression]
}

/** The snapshot id in the name keeps downloaders from joining halves of two snapshots. */
export function fileNameOf({ state, snapshot, ...choice }: DumpTarget): string {
  return `${state.name}-${snapshot.snapshotId}.${extensionOf(choice)}`
}

/** Names the dump among all of this catalog. */
export function dumpName({ state, snapshot, ...choice }: DumpTarget): string {
  return `${state.definition.tableUuid}/${extensionOf(choice)}/${snapshot.snapshotId}`
}

/**
 * The lease of a folder, which has the dumps of one table and format: shards are shared among them,
 * and a sweep must not meet a half-made one.
 */
export function leaseName(folder: string): string {
  return `dump ${folder}`
}

export function allDumpsFolder(warehouse: string): string {
  return `${warehouse}/dumps`
}

export function dumpsFolder(warehouse: string, tableUuid: string): string {
  return `${allDumpsFolder(warehouse)}/${tableUuid}`
}

/** Where the dumps of one table in one format are. */
export function folderOf(
  warehouse: string,
  { state, ...choice }: Pick<DumpTarget, 'state'> & DumpFormatChoice,
): string {
  return `${dumpsFolder(warehouse, state.definition.tableUuid)}/${extensionOf(choice)}`
}

export function indexLocation(warehouse: string, target: DumpTarget): string {
  return indexLocationIn(folderOf(warehouse, target), target.snapshot.snapshotId)
}

export function choiceOf({ format, compression }: DumpFormatChoice): DumpFormatChoice {
  return { format, compression }
}

/** Parquet and Arrow compress inside: a file around a file would only hide them from readers. */
export function requireChoice({ format, compression }: DumpFormatChoice): void {
  if (compression === 'none' || format === 'csv' || format === 'ndjson') return
  throw new CatalogError(
    'request-invalid',
    `${format} compresses its own pages: leave compression out`,
    { facts: { format, compression } },
  )
}
