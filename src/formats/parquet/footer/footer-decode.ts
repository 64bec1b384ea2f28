import { CatalogError } from '../../../core/errors.ts'
import { runSteps } from '../../../core/steps.ts'
import { compareBytes } from '../../../core/value/value.ts'
import { findField, readThriftStruct, ThriftError, type ThriftStruct } from '../thrift/thrift.ts'
import {
  findBoolean,
  findBytes,
  findNumber,
  findNumbers,
  findStruct,
  findStructs,
  getByteStrings,
  getBytes,
  getCount,
  getNumber,
  getStructs,
} from '../thrift/thrift-fields.ts'
import { readThriftInSteps } from '../thrift/thrift-steps.ts'
import { asciiText } from './ascii-text.ts'
import type {
  ColumnChunk,
  ColumnStatistics,
  ParquetFooter,
  ParquetLeaf,
  RowGroup,
} from './footer-model.ts'
import { footerSchemaSteps, physicalTypeOf } from './footer-schema.ts'
import { shownPath } from './shown-path.ts'

const MAGIC_BYTES = 4
/** Writers give some dozens. */
const KEY_VALUES_MAX = 10_000
/** Nothing that is read has a longer key. */
const KEY_BYTES_MAX = 1_000
/** Keys that are decoded without a pause. */
const KEYS_AT_ONCE = 100
/** Longest name of a writer that is looked at: its version is at the beginning. */
const WRITER_BYTES_MAX = 1_000
/** Columns of a row group that are decoded without a pause: half a millisecond. */
const COLUMNS_AT_ONCE = 500
const DECODER = new TextDecoder()

interface FooterPlace {
  readonly footerOffset: number
  readonly fileSizeBytes: number
}

/**
 * Decodes FileMetaData, and checks it for consistency and against the file's size. Throws
 * `file-not-parquet`.
 */
export function decodeFooter(bytes: Uint8Array, place: FooterPlace): ParquetFooter {
  return decoded(() => runSteps(metadataSteps(readThriftStruct(bytes).struct, place)))
}

/** As `decodeFooter`, with pauses for others. */
export function* decodeFooterInSteps(
  bytes: Uint8Array,
  place: FooterPlace,
): Generator<void, ParquetFooter> {
  const steps = footerSteps(bytes, place)
  for (;;) {
    const { done, value } = decoded(() => steps.next())
    if (done === true) return value
    yield
  }
}

function* footerSteps(bytes: Uint8Array, place: FooterPlace): Generator<void, ParquetFooter> {
  return yield* metadataSteps(yield* readThriftInSteps(bytes), place)
}

function decoded<T>(decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    if (!(cause instanceof ThriftError)) throw cause
    throw new CatalogError('file-not-parquet', `the Parquet footer is corrupt: ${cause.message}`, {
      cause,
    })
  }
}

function* metadataSteps(thrift: ThriftStruct, place: FooterPlace): Generator<void, ParquetFooter> {
  if (findField(thrift, 8) !== undefined) {
    const detail = 'the Parquet file is encrypted: write it again without encryption'
    throw new CatalogError('file-not-parquet', detail)
  }
  const keyValueMetadata = yield* keyValueSteps(thrift)
  const { root, leaves, leafPaths } = yield* footerSchemaSteps(thrift)
  const rowCount = getCount(thrift, 3)
  const columns = leaves.map(
    (leaf, i) => new ColumnDecoder(leaf, leafPaths[i] ?? [], place.footerOffset),
  )
  const rowGroups: RowGroup[] = []
  let groupRows = 0
  let pagesBytes = 0
  for (const group of getStructs(thrift, 4)) {
    const rowGroup = yield* rowGroupSteps(group, columns)
    groupRows += rowGroup.rowCount
    for (const { compressedBytes } of rowGroup.columns) pagesBytes += compressedBytes
    rowGroups.push(rowGroup)
  }
  // A few bytes that are listed many times would stand for any number of rows.
  if (pagesBytes > place.footerOffset) {
    throw new ThriftError(`column chunks have ${pagesBytes} bytes together, more than the file`)
  }
  if (groupRows !== rowCount) {
    throw new ThriftError(`row groups have ${groupRows} rows, but the file claims ${rowCount}`)
  }
  const createdBy = findBytes(thrift, 6)
  return {
    ...place,
    rowCount,
    createdBy: createdBy && textOf(createdBy.subarray(0, WRITER_BYTES_MAX)),
    keyValueMetadata,
    root,
    leaves,
    rowGroups,
    thrift,
  }
}

function* keyValueSteps(thrift: ThriftStruct): Generator<void, ReadonlyMap<string, Uint8Array>> {
  const pairs = findStructs(thrift, 5) ?? []
  if (pairs.length > KEY_VALUES_MAX) throw new ThriftError('too much metadata of its writer')
  const values = new Map<string, Uint8Array>()
  for (const [i, pair] of pairs.entries()) {
    if (i % KEYS_AT_ONCE === KEYS_AT_ONCE - 1) yield
    const key = getBytes(pair, 1)
    if (key.length > KEY_BYTES_MAX) continue
    values.set(textOf(key), findBytes(pair, 2) ?? new Uint8Array())
  }
  return values
}

function textOf(bytes: Uint8Array): string {
  return asciiText(bytes) ?? DECODER.decode(bytes)
}

function* rowGroupSteps(
  group: ThriftStruct,
  decoders: readonly ColumnDecoder[],
): Generator<void, RowGroup> {
  const rowCount = getCount(group, 3)
  const chunks = getStructs(group, 1)
  if (chunks.length !== decoders.length) {
    throw new ThriftError(`a row group has ${chunks.length} of ${decoders.length} columns`)
  }
  let fileOffset: number | undefined
  const columns: ColumnChunk[] = []
  for (let i = 0; i < chunks.length; i++) {
    if (i % COLUMNS_AT_ONCE === 0) yield
    const column = (decoders[i] as ColumnDecoder).decode(chunks[i] as ThriftStruct, rowCount)
    const start = firstPageOffset(column)
    if (column.compressedBytes > 0 && (fileOffset === undefined || start < fileOffset)) {
      fileOffset = start
    }
    columns.push(column)
  }
  return { rowCount, totalBytes: getCount(group, 2), fileOffset, columns }
}

/**
 * Start of a column chunk: its dictionary page, if that comes before the data. Some writers use 0
 * for no such page; a chunk without values has no data page either.
 */
function firstPageOffset(column: ColumnChunk): number {
  const { dictionaryPageOffset = 0, dataPageOffset, valueCount } = column
  if (dictionaryPageOffset === 0) return dataPageOffset
  if (valueCount === 0 && dataPageOffset === 0) return dictionaryPageOffset
  return Math.min(dictionaryPageOffset, dataPageOffset)
}

/** Decodes the chunks of one column, in every row group. */
class ColumnDecoder {
  readonly #leaf: ParquetLeaf
  readonly #pathBytes: readonly Uint8Array[]
  readonly #dataEnd: number

  constructor(leaf: ParquetLeaf, pathBytes: readonly Uint8Array[], dataEnd: number) {
    this.#leaf = leaf
    this.#pathBytes = pathBytes
    this.#dataEnd = dataEnd
  }

  decode(chunk: ThriftStruct, rowCount: number): ColumnChunk {
    if (findField(chunk, 8) !== undefined || findField(chunk, 9) !== undefined) {
      throw this.#corrupt('is encrypted')
    }
    if ((findBytes(chunk, 1)?.length ?? 0) > 0) throw this.#corrupt('is in another file')
    const metadata = findStruct(chunk, 3)
    if (metadata === undefined) throw this.#corrupt('has no metadata')
    this.#checkIdentity(metadata)
    const valueCount = getCount(metadata, 5)
    this.#checkValueCount(valueCount, rowCount)
    const statistics = findStruct(metadata, 12)
    const column: ColumnChunk = {
      path: this.#leaf.path,
      codec: getNumber(metadata, 4),
      encodings: findNumbers(metadata, 2) ?? [],
      valueCount,
      compressedBytes: getCount(metadata, 7),
      uncompressedBytes: getCount(metadata, 6),
      dataPageOffset: getCount(metadata, 9),
      dictionaryPageOffset: findNumber(metadata, 11),
      statistics: statistics === undefined ? undefined : decodeStatistics(statistics, valueCount),
    }
    this.#checkRange(column)
    return column
  }

  #checkIdentity(metadata: ThriftStruct): void {
    if (physicalTypeOf(metadata) !== this.#leaf.physicalType)
      throw this.#corrupt('changes its type')
    const path = getByteStrings(metadata, 3)
    const isSame =
      path.length === this.#pathBytes.length &&
      path.every((name, i) => compareBytes(name, this.#pathBytes[i] as Uint8Array) === 0)
    if (!isSame) throw this.#corrupt('is not in the position given by the schema')
  }

  #checkValueCount(valueCount: number, rowCount: number): void {
    // A repeated column has at least one entry for each row, even for an empty list.
    const fits = this.#leaf.isRepeated ? valueCount >= rowCount : valueCount === rowCount
    if (!fits) throw this.#corrupt(`has ${valueCount} values in ${rowCount} rows`)
  }

  /** Also detects a truncated file with its old footer appended. */
  #checkRange(column: ColumnChunk): void {
    if (column.valueCount === 0 && column.compressedBytes === 0) return
    const start = firstPageOffset(column)
    const end = start + column.compressedBytes
    if (start < MAGIC_BYTES || end > this.#dataEnd || column.dataPageOffset > this.#dataEnd) {
      throw this.#corrupt(`has its pages at ${start}-${end}, outside the data of the file`)
    }
  }

  #corrupt(detail: string): ThriftError {
    return new ThriftError(`column ${shownPath(this.#leaf.path)} ${detail}`)
  }
}

function decodeStatistics(statistics: ThriftStruct, valueCount: number): ColumnStatistics {
  const nullCount = findNumber(statistics, 3)
  const isNullCountPossible = nullCount !== undefined && nullCount >= 0 && nullCount <= valueCount
  return {
    min: findBytes(statistics, 2),
    max: findBytes(statistics, 1),
    minValue: findBytes(statistics, 6),
    maxValue: findBytes(statistics, 5),
    nullCount: isNullCountPossible ? nullCount : undefined,
    isMinValueExact: findBoolean(statistics, 8),
    isMaxValueExact: findBoolean(statistics, 7),
  }
}
