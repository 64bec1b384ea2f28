import { CatalogError } from '../../../core/errors.ts'
import { parseExactJson, stringifyExactJson } from '../../../formats/json/exact-json.ts'
import { JsonNode } from '../../../formats/json/json-node.ts'
import type { ByteRange } from '../../../http/byte-range.ts'
import type { SourceIdentity } from '../../../lake/file/source-identity.ts'
import { DIALECT_VERSION } from './dialect-version.ts'
import { EDITION } from './dump-edition.ts'

export const DUMP_FORMATS = ['csv', 'ndjson', 'parquet', 'arrow', 'tsv', 'json', 'xml'] as const
export const DUMP_COMPRESSIONS = ['none', 'gzip', 'zstd'] as const
export type DumpFormat = (typeof DUMP_FORMATS)[number]
export type DumpCompression = (typeof DUMP_COMPRESSIONS)[number]

/** A range of an object's bytes that is part of a dump. */
export interface DumpPiece {
  readonly location: string
  /** Start of the range in the object. */
  readonly offset: number
  readonly lengthBytes: number
  readonly rowCount: number
  /** Digest of these bytes, in hexadecimal. */
  readonly sha256?: string
}

/** The pieces of a dump, in order. Written last: without its index a dump does not exist. */
export interface DumpIndex {
  readonly tableUuid: string
  readonly snapshotId: bigint
  /** Only where it is not the snapshot's own schema. */
  readonly schemaId?: number
  /** Absent in dumps made before there were editions (`dump-edition.ts`). */
  readonly edition?: string
  /** Other editions of this snapshot and schema that were there when this one was made. */
  readonly earlier?: readonly EarlierEdition[]
  readonly format: DumpFormat
  readonly compression: DumpCompression
  readonly mediaType: string
  readonly fileName: string
  readonly createdAtMs: number
  readonly pieces: readonly DumpPiece[]
  /** The data files, as they were read. Those of shards made before this was kept are missing. */
  readonly sources: readonly IndexedSource[]
  /** Length of all pieces. */
  readonly lengthBytes: number
  readonly rowCount: number
  /** Digest of the whole file, in hexadecimal. */
  readonly sha256: string
  /** State from which to continue the digest of a dump that begins with this one. */
  readonly digestState?: string
  /** The dump of that snapshot and schema is the first `bytes` bytes of this one. */
  readonly extends?: DumpExtension
}

export interface IndexedSource extends SourceIdentity {
  /** Checksum of all that is copied from the file; absent if its rows were converted. */
  readonly crc32?: number
}

export interface DumpExtension {
  readonly snapshotId: bigint
  /** Only where it is not the snapshot's own schema. */
  readonly schemaId?: number
  readonly edition?: string
  /** The name that it was downloaded as. */
  readonly fileName?: string
  readonly bytes: number
}

export interface EarlierEdition {
  readonly edition?: string
  /** Digest of the whole file: other editions often have the same bytes. */
  readonly sha256: string
}

/** Form of this file. What the bytes of its dump are like is the dialect's. */
const VERSION = 2
const EARLIER_MAX = 20
const BYTES_MAX = 512 * 1024 * 1024
const PIECES_MAX = 2_000_000
const SHA256 = /^[0-9a-f]{64}$/
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const DIGEST_STATE_LENGTH_MAX = 1000

export function serialiseDumpIndex(index: DumpIndex): string {
  return stringifyExactJson({
    version: VERSION,
    dialect: DIALECT_VERSION,
    table_uuid: index.tableUuid,
    snapshot_id: String(index.snapshotId),
    schema_id: index.schemaId,
    edition: index.edition,
    earlier: index.earlier?.slice(0, EARLIER_MAX),
    format: index.format,
    compression: index.compression,
    media_type: index.mediaType,
    file_name: index.fileName,
    created_at: new Date(index.createdAtMs).toISOString(),
    total_bytes: index.lengthBytes,
    total_rows: index.rowCount,
    sha256: index.sha256,
    digest_state: index.digestState,
    extends: index.extends && {
      snapshot_id: String(index.extends.snapshotId),
      schema_id: index.extends.schemaId,
      edition: index.extends.edition,
      file_name: index.extends.fileName,
      byte: index.extends.bytes,
    },
    pieces: index.pieces.map(({ location, offset, lengthBytes, rowCount, sha256 }) => ({
      location,
      offset,
      length: lengthBytes,
      rows: rowCount,
      sha256,
    })),
    sources: index.sources.map(({ path, sizeBytes, footerSha256, crc32, ...seen }) => ({
      path,
      size: sizeBytes,
      modified_at_ms: seen.modifiedAtMs,
      version: seen.version,
      footer_sha256: footerSha256,
      crc32,
    })),
  })
}

/** The inverse of `serialiseDumpIndex`; throws `metadata-corrupt` if the text is inconsistent. */
export function parseDumpIndex(text: string): DumpIndex {
  const node = new JsonNode(parseJson(text))
  const version = node.get('version').safeInteger()
  if (version !== VERSION) throw node.error(`unknown version ${version}`)
  const pieces = node.get('pieces').items()
  if (pieces.length > PIECES_MAX) throw node.error(`more than ${PIECES_MAX} pieces`)
  const digestState = node.find('digest_state')?.string()
  if ((digestState?.length ?? 0) > DIGEST_STATE_LENGTH_MAX)
    throw node.error('digest_state too long')
  const extended = node.find('extends')
  const earlier = node.find('earlier')?.items()
  const index: DumpIndex = {
    tableUuid: matching(node.get('table_uuid'), UUID),
    ...versionIn(node),
    ...(earlier === undefined ? {} : { earlier: earlier.map(earlierEdition) }),
    format: node.get('format').oneOf(DUMP_FORMATS),
    compression: node.get('compression').oneOf(DUMP_COMPRESSIONS),
    mediaType: node.get('media_type').string(),
    fileName: node.get('file_name').string(),
    createdAtMs: instant(node.get('created_at')),
    pieces: pieces.map(piece),
    sources: node.get('sources').items().map(source),
    lengthBytes: countOf(node.get('total_bytes')),
    rowCount: countOf(node.get('total_rows')),
    sha256: matching(node.get('sha256'), SHA256),
    ...(digestState === undefined ? {} : { digestState }),
    ...(extended === undefined ? {} : { extends: extension(extended) }),
  }
  checkTotals(index, node)
  return index
}

function parseJson(text: string): unknown {
  try {
    return parseExactJson(text, { bytesMax: BYTES_MAX, depthMax: 8 })
  } catch (cause) {
    throw new CatalogError('metadata-corrupt', 'the dump index is not JSON', { cause })
  }
}

function piece(node: JsonNode): DumpPiece {
  const sha256 = node.find('sha256')
  return {
    location: node.get('location').string(),
    offset: countOf(node.get('offset')),
    lengthBytes: countOf(node.get('length')),
    rowCount: countOf(node.get('rows')),
    ...(sha256 === undefined ? {} : { sha256: matching(sha256, SHA256) }),
  }
}

function source(node: JsonNode): IndexedSource {
  const crc32 = node.find('crc32')
  const version = node.find('version')?.string()
  return {
    path: node.get('path').string(),
    sizeBytes: countOf(node.get('size')),
    modifiedAtMs: node.get('modified_at_ms').safeInteger(),
    footerSha256: matching(node.get('footer_sha256'), SHA256),
    ...(version !== undefined && { version }),
    ...(crc32 !== undefined && { crc32: countOf(crc32) }),
  }
}

function extension(node: JsonNode): DumpExtension {
  const fileName = node.find('file_name')?.string()
  return {
    ...versionIn(node),
    ...(fileName !== undefined && { fileName }),
    bytes: countOf(node.get('byte')),
  }
}

function versionIn(node: JsonNode): Pick<DumpIndex, 'snapshotId' | 'schemaId' | 'edition'> {
  const schemaId = node.find('schema_id')
  return {
    snapshotId: snapshotId(node.get('snapshot_id')),
    ...(schemaId !== undefined && { schemaId: countOf(schemaId) }),
    ...editionIn(node),
  }
}

function editionIn(node: JsonNode): Pick<DumpIndex, 'edition'> {
  const edition = node.find('edition')
  return edition === undefined ? {} : { edition: matching(edition, EDITION) }
}

function earlierEdition(node: JsonNode): EarlierEdition {
  return { ...editionIn(node), sha256: matching(node.get('sha256'), SHA256) }
}

function checkTotals({ pieces, ...index }: DumpIndex, node: JsonNode): void {
  const bytes = pieces.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0)
  if (bytes !== index.lengthBytes) {
    throw node.error(`pieces add up to ${bytes} bytes, not ${index.lengthBytes}`)
  }
  const rows = pieces.reduce((sum, { rowCount }) => sum + rowCount, 0)
  if (rows !== index.rowCount)
    throw node.error(`pieces add up to ${rows} rows, not ${index.rowCount}`)
  if ((index.extends?.bytes ?? 0) > bytes) throw node.error('extends more bytes than there are')
}

function countOf(node: JsonNode): number {
  const count = node.safeInteger()
  if (count < 0) throw node.error(`${count} is negative`)
  return count
}

function matching(node: JsonNode, pattern: RegExp): string {
  const text = node.string()
  if (!pattern.test(text)) throw node.error(`does not match ${pattern.source}`)
  return text
}

function snapshotId(node: JsonNode): bigint {
  return BigInt(matching(node, /^(\d{1,19}|-1)$/))
}

function instant(node: JsonNode): number {
  const milliseconds = Date.parse(matching(node, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/))
  if (Number.isNaN(milliseconds)) throw node.error('is not a time')
  return milliseconds
}

/** The bytes of a range, as slices of pieces in order; none is empty. */
export function findPiecesInRange(
  { pieces }: Pick<DumpIndex, 'pieces'>,
  { start, end }: ByteRange,
): readonly DumpSlice[] {
  const slices: DumpSlice[] = []
  let pieceStart = 0
  for (const { location, offset, lengthBytes } of pieces) {
    if (pieceStart >= end) break
    const from = Math.max(start - pieceStart, 0)
    const to = Math.min(end - pieceStart, lengthBytes)
    if (from < to) slices.push({ location, offset: offset + from, lengthBytes: to - from })
    pieceStart += lengthBytes
  }
  return slices
}

export type DumpSlice = Pick<DumpPiece, 'location' | 'offset' | 'lengthBytes'>
