import type { ThriftStruct } from '../thrift/thrift.ts'

/**
 * The footer of a Parquet file, checked for consistency. Absent members are `undefined`, because
 * objects of one shape decode twice as fast.
 */
export interface ParquetFooter {
  readonly fileSizeBytes: number
  readonly rowCount: number
  /** Its beginning, if it is long. */
  readonly createdBy: string | undefined
  /** UTF-8 that nobody has looked at: there may be megabytes, which few need. */
  readonly keyValueMetadata: ReadonlyMap<string, Uint8Array>
  readonly root: ParquetGroup
  /** Depth first, in the order of the column chunks of every row group. */
  readonly leaves: readonly ParquetLeaf[]
  readonly rowGroups: readonly RowGroup[]
  /** Start of the footer: column chunks end at or before it. */
  readonly footerOffset: number
  /** The whole footer including unknown fields, for rewriting it. */
  readonly thrift: ThriftStruct
}

export type Repetition = 'required' | 'optional' | 'repeated'
export const PHYSICAL_TYPES = [
  'BOOLEAN',
  'INT32',
  'INT64',
  'INT96',
  'FLOAT',
  'DOUBLE',
  'BYTE_ARRAY',
  'FIXED_LEN_BYTE_ARRAY',
] as const
export type PhysicalType = (typeof PHYSICAL_TYPES)[number]
export type TimeUnit = 'millis' | 'micros' | 'nanos'

/** The logical type, or else the meaning of the older converted type. */
export type Annotation =
  | {
      readonly kind:
        | 'STRING'
        | 'MAP'
        | 'MAP_KEY_VALUE'
        | 'LIST'
        | 'ENUM'
        | 'DATE'
        | 'INTERVAL'
        | 'NULL'
        | 'JSON'
        | 'BSON'
        | 'UUID'
        | 'FLOAT16'
        | 'VARIANT'
        | 'GEOMETRY'
        | 'GEOGRAPHY'
    }
  | { readonly kind: 'DECIMAL'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'TIME'; readonly unit: TimeUnit; readonly adjustedToUtc: boolean }
  | { readonly kind: 'TIMESTAMP'; readonly unit: TimeUnit; readonly adjustedToUtc: boolean }
  | { readonly kind: 'INTEGER'; readonly bitWidth: number; readonly signed: boolean }
  /** From a later version of the format. */
  | { readonly kind: 'UNKNOWN'; readonly logicalTypeId: number }

interface ParquetNodeBase {
  readonly name: string
  readonly repetition: Repetition
  readonly annotation: Annotation | undefined
  /** Absent if the writer gave none or a negative one. */
  readonly fieldId: number | undefined
}
export interface ParquetGroup extends ParquetNodeBase {
  readonly kind: 'group'
  readonly children: readonly ParquetNode[]
}
export interface ParquetLeaf extends ParquetNodeBase {
  readonly kind: 'leaf'
  readonly physicalType: PhysicalType
  /** Length in bytes, positive; only for FIXED_LEN_BYTE_ARRAY. */
  readonly typeLength: number | undefined
  /** Index among the leaves. */
  readonly leafIndex: number
  /** Names from the child of the root down to this leaf. */
  readonly path: readonly string[]
  /** Whether it or one of its ancestors is repeated. */
  readonly isRepeated: boolean
  /** Whether `minValue` and `maxValue` follow the order that the type defines. */
  readonly hasTypeOrder: boolean
}
export type ParquetNode = ParquetGroup | ParquetLeaf

export interface RowGroup {
  readonly rowCount: number
  /** Uncompressed. */
  readonly totalBytes: number
  /**
   * Offset of the first page, according to the column chunks; `undefined` if there are no bytes.
   */
  readonly fileOffset: number | undefined
  /** One chunk for each leaf, in the order of the leaves. */
  readonly columns: readonly ColumnChunk[]
}

export interface ColumnChunk {
  readonly path: readonly string[]
  /** Thrift enum CompressionCodec. */
  readonly codec: number
  /** Thrift enum Encoding: those of levels, dictionaries and values together. */
  readonly encodings: readonly number[]
  /** Number of values, including nulls. */
  readonly valueCount: number
  readonly compressedBytes: number
  readonly uncompressedBytes: number
  readonly dataPageOffset: number
  readonly dictionaryPageOffset: number | undefined
  readonly statistics: ColumnStatistics | undefined
}

/**
 * Statistics as raw bytes in Parquet's PLAIN encoding. Minima and maxima are bounds, not values.
 */
export interface ColumnStatistics {
  /** Deprecated; its writers compared signed bytes. */
  readonly min: Uint8Array | undefined
  readonly max: Uint8Array | undefined
  readonly minValue: Uint8Array | undefined
  readonly maxValue: Uint8Array | undefined
  /** Absent if it is impossible: negative, or above the value count. */
  readonly nullCount: number | undefined
  readonly isMinValueExact: boolean | undefined
  readonly isMaxValueExact: boolean | undefined
}
