import { CatalogError } from '../../core/errors.ts'
import type { Restriction } from '../../core/table/restriction.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import { getSchema, type TableState } from '../../core/table/table.ts'
import type { Schema } from '../../core/value/type.ts'
import { type DumpVersion, indexLocationIn, versionText } from './dump-folder.ts'
import { DIALECT_VERSION } from './format/dialect-version.ts'
import { editionOf, fingerprintOf } from './format/dump-edition.ts'
import { homeOf } from './format/dump-home.ts'
import type { DumpCompression, DumpFormat, DumpIndex } from './format/dump-index.ts'

/** One dump: one snapshot in one format, with the columns of one schema. Its bytes never change. */
export interface DumpTarget {
  readonly state: TableState
  readonly snapshot: Snapshot
  readonly schema: Schema
  /** What of the rows it has. */
  readonly restriction: Restriction
  readonly format: DumpFormat
  readonly compression: DumpCompression
  /** Whether the text begins with a byte order mark, by which some programs know UTF-8. */
  readonly bom?: boolean
}

/** By default the columns are the snapshot's own. */
export function dumpTargetOf(
  state: TableState,
  snapshot: Snapshot,
  choice: DumpFormatChoice & Pick<DumpTarget, 'restriction'>,
  schema = getSchema(state.definition, snapshot.schemaId),
): DumpTarget {
  const { restriction } = choice
  return { state, snapshot, schema, restriction, ...choiceOf(choice) }
}

const MEDIA_TYPES: Record<DumpFormat, string> = {
  csv: 'text/csv; charset=utf-8',
  ndjson: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
  arrow: 'application/vnd.apache.arrow.stream',
  tsv: 'text/tab-separated-values; charset=utf-8',
  json: 'application/json; charset=utf-8',
  xml: 'text/xml; charset=utf-8',
}
const COMPRESSED_MEDIA_TYPES = { gzip: 'application/gzip', zstd: 'application/zstd' } as const
const EXTENSIONS: Record<DumpFormat, string> = {
  csv: 'csv',
  ndjson: 'ndjson',
  parquet: 'parquet',
  arrow: 'arrows',
  tsv: 'tsv',
  json: 'json',
  xml: 'xml',
}
const COMPRESSED_EXTENSIONS = { none: '', gzip: '.gz', zstd: '.zst' } as const

/**
 * Compression is part of the file, never a Content-Encoding: joined members would break clients.
 */
export function mediaTypeOf({ format, compression }: DumpFormatChoice): string {
  return compression === 'none' ? MEDIA_TYPES[format] : COMPRESSED_MEDIA_TYPES[compression]
}

export type DumpFormatChoice = Pick<DumpTarget, 'format' | 'compression' | 'bom'>

/** `csv`, `csv.gz`, `ndjson.zst`, `parquet`, ... */
export function extensionOf({ format, compression }: DumpFormatChoice): string {
  return EXTENSIONS[format] + COMPRESSED_EXTENSIONS[compression]
}

/**
 * The extension, with what else tells dumps of one snapshot apart: `csv-bom`, `csv-r5d41402abc4b`.
 */
export function formOf(choice: DumpFormatChoice & Pick<DumpTarget, 'restriction'>): string {
  const fingerprint = fingerprintOf(choice.restriction)
  const mark = choice.bom === true ? '-bom' : ''
  return `${extensionOf(choice)}${mark}${fingerprint === undefined ? '' : `-r${fingerprint}`}`
}

export function versionOf(target: DumpTarget): DumpVersion & { readonly edition: string } {
  const { snapshotId, schemaId: ownSchemaId } = target.snapshot
  const { schemaId } = target.schema
  const edition = editionOf({ ...target, dialectVersion: DIALECT_VERSION })
  return { snapshotId, ...(schemaId !== ownSchemaId && { schemaId }), edition }
}

/**
 * The version in the name keeps downloaders from joining halves of two dumps. Safe in a shell:
 * names of tables may have any characters.
 */
export function fileNameOf(target: DumpTarget): string {
  const name = target.state.name.replaceAll(/[^\p{L}\p{N}_-]/gu, '_')
  return `${name}-${versionText(versionOf(target))}.${extensionOf(target)}`
}

/** Unique among all dumps of this catalog. */
export function dumpName(target: DumpTarget): string {
  const { tableUuid } = target.state.definition
  return `${tableUuid}/${formOf(target)}/${versionText(versionOf(target))}`
}

/**
 * The lease of a folder, which has the dumps of one table and format: shards are shared among them,
 * and a sweep must not meet a half-made one.
 */
export function leaseName(folder: string): string {
  return `dump ${folder}`
}

/** Begins with a dot, as all folders of the service: no table is in it (`table-location.ts`). */
export function allDumpsFolder(warehouse: string): string {
  return `${warehouse}/.dumps`
}

export function dumpsFolder(warehouse: string, tableUuid: string): string {
  return `${allDumpsFolder(warehouse)}/${tableUuid}`
}

/** Folder of the dumps of one table in one format, for those who may see the same of it. */
export function folderOf(
  warehouse: string,
  { state, ...choice }: Pick<DumpTarget, 'state' | 'restriction'> & DumpFormatChoice,
): string {
  return `${dumpsFolder(warehouse, state.definition.tableUuid)}/${formOf(choice)}`
}

export function indexLocation(warehouse: string, target: DumpTarget): string {
  return indexLocationIn(folderOf(warehouse, target), versionOf(target))
}

/** Location, next to its index, of a dump that was joined to one object, named by its digest. */
export function joinedLocation(
  indexLocation: string,
  index: Pick<DumpIndex, 'sha256'> & DumpFormatChoice,
): string {
  return `${homeOf(indexLocation)}${index.sha256}.${extensionOf(index)}`
}

export function choiceOf({ format, compression, bom }: DumpFormatChoice): DumpFormatChoice {
  return { format, compression, ...(bom === true && { bom }) }
}

const MARKED: ReadonlySet<DumpFormat> = new Set(['csv', 'tsv'])
const COMPRESSED: ReadonlySet<DumpFormat> = new Set(['csv', 'ndjson', 'tsv'])

/** Whether a dump of more rows may begin with the bytes of this one: nothing follows its rows. */
export function isContinued(format: DumpFormat): boolean {
  return COMPRESSED.has(format)
}

/**
 * Parquet and Arrow compress internally: a second layer would only hide them from readers. What is
 * around the rows of JSON and XML cannot be cut out of compressed pieces.
 */
export function requireChoice({ format, compression, bom = false }: DumpFormatChoice): void {
  if (bom && !MARKED.has(format)) {
    throw new CatalogError(
      'request-invalid',
      `${format} has no byte order mark: only csv and tsv have one, so leave "bom" out`,
      { facts: { format } },
    )
  }
  if (compression === 'none' || COMPRESSED.has(format)) return
  const isBinary = format === 'parquet' || format === 'arrow'
  const reason = isBinary ? 'compresses its own pages' : 'has no compressed form'
  throw new CatalogError('request-invalid', `${format} ${reason}: leave "compression" out`, {
    facts: { format, compression },
  })
}
