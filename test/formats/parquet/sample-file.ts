import { readParquetFooter } from '../../../src/formats/parquet/footer/footer.ts'
import type { ParquetFooter } from '../../../src/formats/parquet/footer/footer-model.ts'
import {
  THRIFT,
  type ThriftField,
  type ThriftStruct,
  type ThriftValue,
  writeThriftStruct,
} from '../../../src/formats/parquet/thrift/thrift.ts'

/** Footers made to order: whatever a writer could write, sound or not, after a file of zeros. */

const { BINARY, I32, I64, LIST, STRUCT, TRUE } = THRIFT
const PHYSICAL = {
  BOOLEAN: 0,
  INT32: 1,
  INT64: 2,
  INT96: 3,
  FLOAT: 4,
  DOUBLE: 5,
  BYTE_ARRAY: 6,
  FIXED_LEN_BYTE_ARRAY: 7,
} as const
const REPETITION = { required: 0, optional: 1, repeated: 2 } as const

export interface SampleNode {
  readonly name: string
  readonly physical?: keyof typeof PHYSICAL
  readonly repetition?: keyof typeof REPETITION
  readonly typeLength?: number
  readonly fieldId?: number
  readonly converted?: number
  readonly scale?: number
  readonly precision?: number
  readonly logical?: ThriftStruct
  readonly children?: readonly SampleNode[]
}
export interface SampleStatistics {
  readonly min?: Uint8Array
  readonly max?: Uint8Array
  readonly minValue?: Uint8Array
  readonly maxValue?: Uint8Array
  readonly nullCount?: number
  readonly isMinExact?: boolean
  readonly isMaxExact?: boolean
}
export interface SampleChunk {
  readonly values?: number
  readonly statistics?: SampleStatistics
  readonly compressed?: number
  readonly dataOffset?: number
  readonly dictionaryOffset?: number
  readonly path?: readonly string[]
  readonly physical?: keyof typeof PHYSICAL
  /** Fields of the ColumnChunk itself. */
  readonly extra?: readonly ThriftField[]
}
export interface SampleFile {
  readonly columns: readonly SampleNode[]
  readonly rowGroups?: readonly { readonly rows: number; readonly chunks: readonly SampleChunk[] }[]
  readonly rowCount?: number
  /** Fields of FileMetaData. */
  readonly extra?: readonly ThriftField[]
}

export function struct(...fields: (ThriftField | undefined)[]): ThriftStruct {
  return { fields: fields.filter((field) => field !== undefined) }
}
export function field(id: number, type: number, value: ThriftValue): ThriftField {
  return { id, type, value }
}
export function structs(values: readonly ThriftStruct[]) {
  return { elementType: STRUCT, values }
}
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
function optional(id: number, type: number, value: ThriftValue | undefined) {
  return value === undefined ? undefined : field(id, type, value)
}

const DATA_BYTES = 1000

export function fileMetadata({ columns, rowGroups = [], rowCount, extra = [] }: SampleFile) {
  const leaves = columns.flatMap((column) => leavesOf(column, []))
  const rows = rowCount ?? rowGroups.reduce((sum, group) => sum + group.rows, 0)
  const root: SampleNode = { name: 'schema', children: columns }
  return struct(
    field(1, I32, 1),
    field(2, LIST, structs(elementsOf(root))),
    field(3, I64, rows),
    field(4, LIST, structs(rowGroups.map((group) => rowGroup(group, leaves)))),
    ...extra,
  )
}

export function sampleBytes(file: SampleFile): Uint8Array {
  return fileOf(writeThriftStruct(fileMetadata(file)))
}

/** A file of zeros with this footer. */
export function fileOf(footer: Uint8Array, magic = 'PAR1'): Uint8Array {
  const data = new Uint8Array(4 + DATA_BYTES)
  data.set(bytesOf('PAR1'))
  return withFooter(data, footer, magic)
}

/** A file that begins with this, its magic and its pages. */
export function withFooter(data: Uint8Array, footer: Uint8Array, magic = 'PAR1'): Uint8Array {
  const bytes = new Uint8Array(data.length + footer.length + 8)
  bytes.set(data)
  bytes.set(footer, data.length)
  new DataView(bytes.buffer).setUint32(bytes.length - 8, footer.length, true)
  bytes.set(bytesOf(magic), bytes.length - 4)
  return bytes
}

export function footerOf(bytes: Uint8Array, tailBytes = 65_536): Promise<ParquetFooter> {
  return readParquetFooter(
    { bytes: bytes.subarray(Math.max(0, bytes.length - tailBytes)), sizeBytes: bytes.length },
    async (offset, bytesMax) => bytes.subarray(offset, offset + bytesMax),
  )
}

export function sampleFooter(file: SampleFile): Promise<ParquetFooter> {
  return footerOf(sampleBytes(file))
}

interface Leaf {
  readonly node: SampleNode
  readonly path: readonly string[]
}
function leavesOf(node: SampleNode, above: readonly string[]): Leaf[] {
  const path = [...above, node.name]
  if (node.children === undefined) return [{ node, path }]
  return node.children.flatMap((child) => leavesOf(child, path))
}

function elementsOf(node: SampleNode): ThriftStruct[] {
  const { physical, children } = node
  const element = struct(
    optional(1, I32, physical === undefined ? undefined : PHYSICAL[physical]),
    optional(2, I32, node.typeLength),
    field(3, I32, REPETITION[node.repetition ?? 'optional']),
    field(4, BINARY, bytesOf(node.name)),
    optional(5, I32, children?.length),
    optional(6, I32, node.converted),
    optional(7, I32, node.scale),
    optional(8, I32, node.precision),
    optional(9, I32, node.fieldId),
    optional(10, STRUCT, node.logical),
  )
  return [element, ...(children ?? []).flatMap(elementsOf)]
}

function rowGroup(
  { rows, chunks }: { rows: number; chunks: readonly SampleChunk[] },
  leaves: readonly Leaf[],
): ThriftStruct {
  return struct(
    field(1, LIST, structs(chunks.map((chunk, i) => columnChunk(chunk, leaves[i], rows)))),
    field(2, I64, 1000),
    field(3, I64, rows),
  )
}

function columnChunk(chunk: SampleChunk, leaf: Leaf | undefined, rows: number): ThriftStruct {
  const physical = chunk.physical ?? leaf?.node.physical ?? 'INT32'
  const path = (chunk.path ?? leaf?.path ?? ['?']).map(bytesOf)
  const statistics = chunk.statistics
  const metadata = struct(
    field(1, I32, PHYSICAL[physical]),
    field(2, LIST, { elementType: I32, values: [0] }),
    field(3, LIST, { elementType: BINARY, values: path }),
    field(4, I32, 0),
    field(5, I64, chunk.values ?? rows),
    field(6, I64, 10),
    field(7, I64, chunk.compressed ?? 10),
    field(9, I64, chunk.dataOffset ?? 4),
    optional(11, I64, chunk.dictionaryOffset),
    optional(12, STRUCT, statistics === undefined ? undefined : statisticsOf(statistics)),
  )
  return struct(field(2, I64, 4), field(3, STRUCT, metadata), ...(chunk.extra ?? []))
}

function statisticsOf(statistics: SampleStatistics): ThriftStruct {
  return struct(
    optional(1, BINARY, statistics.max),
    optional(2, BINARY, statistics.min),
    optional(3, I64, statistics.nullCount),
    optional(5, BINARY, statistics.maxValue),
    optional(6, BINARY, statistics.minValue),
    optional(7, TRUE, statistics.isMaxExact),
    optional(8, TRUE, statistics.isMinExact),
  )
}

/** Logical types, as members of the union. */
export const LOGICAL = {
  string: struct(field(1, STRUCT, struct())),
  map: struct(field(2, STRUCT, struct())),
  list: struct(field(3, STRUCT, struct())),
  date: struct(field(6, STRUCT, struct())),
  uuid: struct(field(14, STRUCT, struct())),
  float16: struct(field(15, STRUCT, struct())),
  variant: struct(field(16, STRUCT, struct())),
  later: struct(field(99, STRUCT, struct())),
  decimal: (precision: number, scale: number) =>
    struct(field(5, STRUCT, struct(field(1, I32, scale), field(2, I32, precision)))),
  timestamp: (unit: 'millis' | 'micros' | 'nanos', adjustedToUtc: boolean) =>
    struct(field(8, STRUCT, timeParameters(unit, adjustedToUtc))),
  time: (unit: 'millis' | 'micros' | 'nanos') =>
    struct(field(7, STRUCT, timeParameters(unit, true))),
  integer: (bitWidth: number, signed: boolean) =>
    struct(field(10, STRUCT, struct(field(1, THRIFT.BYTE, bitWidth), field(2, TRUE, signed)))),
}

function timeParameters(unit: 'millis' | 'micros' | 'nanos', adjustedToUtc: boolean): ThriftStruct {
  const member = { millis: 1, micros: 2, nanos: 3 }[unit]
  return struct(
    field(1, TRUE, adjustedToUtc),
    field(2, STRUCT, struct(field(member, STRUCT, struct()))),
  )
}
