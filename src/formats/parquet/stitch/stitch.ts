import { CatalogError } from '../../../core/errors.ts'
import { runSteps } from '../../../core/steps.ts'
import { compareBytes } from '../../../core/value/value.ts'
import type { ParquetFooter } from '../footer/footer-model.ts'
import { areOldBinaryBoundsWrong } from '../footer/writer.ts'
import {
  THRIFT,
  type ThriftField,
  type ThriftStruct,
  writeThriftFields,
  writeThriftStruct,
} from '../thrift/thrift.ts'
import { findNumber, getStructs } from '../thrift/thrift-fields.ts'
import { writeThriftInSteps } from '../thrift/thrift-steps.ts'
import { laterFields } from './overlong-footer.ts'
import { CopyLayout, type CopyRange } from './stitch-layout.ts'
import { stitchProblemSteps } from './stitch-problem.ts'
import { type MovedColumn, moveRowGroup } from './stitch-row-group.ts'
import {
  isTypeOrder,
  ownStitchSchema,
  physicalSchemaKey,
  type StitchColumn,
  type StitchSchema,
} from './stitch-schema.ts'

export type { CopyRange } from './stitch-layout.ts'

export interface StitchPart {
  readonly footer: ParquetFooter
  /** The columns to show, with the table's names and field ids; by default the file's own. */
  readonly schema?: StitchSchema
  /** `physicalSchemaKey` of the columns to show, where it is known. */
  readonly key?: string
}
export interface StitchOptions {
  /** Written into the footer whatever the parts contain. */
  readonly keyValueMetadata?: ReadonlyMap<string, string>
  /** `STITCHED_FOOTER_BYTES_MAX` by default. */
  readonly footerBytesMax?: number
}

/** The stitched file is `head`, every range of every part in order, then `tail`. */
export interface StitchPlan {
  readonly head: Uint8Array
  /** One list for each part, empty for a part without rows. */
  readonly ranges: readonly (readonly CopyRange[])[]
  readonly tail: Uint8Array
  readonly lengthBytes: number
  readonly rowCount: number
  readonly rowGroupCount: number
}

const ENCODER = new TextEncoder()
const NO_KEY_VALUES: ReadonlyMap<string, Uint8Array> = new Map()
const MAGIC = ENCODER.encode('PAR1')
/**
 * Part of the bytes that a dump guarantees, so it changes only together with the dump's dialect.
 */
const CREATED_BY = 'moraine version 1.0.0'
/**
 * Size of the new footer, of which there are two copies for a moment; readers take many times as
 * much. Row groups of 20 columns have about 2 KB each. Readers in Java would end at 2^31.
 */
export const STITCHED_FOOTER_BYTES_MAX = 256 * 1024 * 1024
/** What parts have in common is kept as far as this: readers take as much from each file. */
const KEY_VALUES_BYTES_MAX = 4 * 1024 * 1024
/** Footers whose row groups are written without a pause within one. */
const SHORT_FOOTER_BYTES = 64 * 1024
/** Fields of Statistics: `max_value`, `min_value` and their exactness; then `max` and `min`. */
const ORDERED_BOUNDS = [5, 6, 7, 8]
const OLD_BOUNDS = [1, 2]
const TYPE_ORDER: ThriftStruct = {
  fields: [{ id: 1, type: THRIFT.STRUCT, value: { fields: [] } }],
}
const { BINARY, I32, I64, LIST, STRUCT } = THRIFT

export function planStitch(parts: Iterable<StitchPart>, options: StitchOptions = {}): StitchPlan {
  const planner = new StitchPlanner(options)
  for (const part of parts) planner.add(part)
  return planner.finish()
}

/**
 * Joins many Parquet files into one without decoding: pages are copied, and everything that says
 * where they are is written again. Takes footers one by one and keeps only what it writes, so that
 * memory is that of the new footer. Page indexes and Bloom filters are dropped.
 */
export class StitchPlanner {
  readonly #options: StitchOptions
  readonly #footerBytesMax: number
  #first: { readonly schema: StitchSchema; readonly key: string } | undefined
  readonly #ranges: (readonly CopyRange[])[] = []
  readonly #rowGroups: Uint8Array[] = []
  #rowGroupBytes = 0
  #rowCount = 0
  #position = MAGIC.length
  #formatVersion = 1
  #keyValues: Map<string, Uint8Array> | undefined
  #laterFields: readonly ThriftField[] | undefined

  constructor(options: StitchOptions = {}) {
    this.#options = options
    this.#footerBytesMax = options.footerBytesMax ?? STITCHED_FOOTER_BYTES_MAX
  }

  /**
   * Adds a part and returns its ranges to copy. Throws `file-schema-mismatch` if the part must be
   * rewritten first: check `stitchProblem` and compare `physicalSchemaKey` before.
   */
  add(part: StitchPart): readonly CopyRange[] {
    return runSteps(this.addSteps(part))
  }

  /** As `add`, with pauses for others: nothing else may be added in them. */
  *addSteps({
    footer,
    schema = ownStitchSchema(footer),
    key = physicalSchemaKey(schema),
  }: StitchPart): Generator<void, readonly CopyRange[]> {
    const problem = yield* stitchProblemSteps(footer)
    if (problem !== undefined) throw misfit(problem)
    this.#checkKey({ schema, key })
    yield
    const layout = yield* CopyLayout.layoutSteps(footer, schema.columns, this.#position)
    yield* this.#addRowGroups(footer, schema, layout)
    this.#rowCount += footer.rowCount
    this.#position += layout.lengthBytes
    if (!Number.isSafeInteger(this.#position) || !Number.isSafeInteger(this.#rowCount)) {
      throw new CatalogError('not-implemented', 'the file would have more than 2^53 bytes or rows')
    }
    this.#formatVersion = Math.max(this.#formatVersion, findNumber(footer.thrift, 1) ?? 1)
    this.#keepEqualKeyValues(footer, schema)
    this.#keepEqualLaterFields(footer)
    this.#ranges.push(layout.ranges)
    return layout.ranges
  }

  finish(): StitchPlan {
    return runSteps(this.finishSteps())
  }

  /** As `finish`, with pauses for others. */
  *finishSteps(): Generator<void, StitchPlan> {
    if (this.#first === undefined)
      throw new RangeError('a Parquet file needs a part for its schema')
    const footer = this.#footerPieces(this.#first.schema)
    const lengthBytes = footer.reduce((sum, bytes) => sum + bytes.length, 0)
    if (lengthBytes > this.#footerBytesMax) throw footerTooLong(this.#footerBytesMax)
    const length = new Uint8Array(4)
    new DataView(length.buffer).setUint32(0, lengthBytes, true)
    const tail = yield* concatSteps([...footer, length, MAGIC])
    return {
      head: MAGIC.slice(),
      ranges: this.#ranges,
      tail,
      lengthBytes: this.#position + tail.length,
      rowCount: this.#rowCount,
      rowGroupCount: this.#rowGroups.length,
    }
  }

  #checkKey({ schema, key }: { readonly schema: StitchSchema; readonly key: string }): void {
    this.#first ??= { schema, key }
    if (this.#first.key !== key)
      throw misfit('its physical schema differs from that of the first file')
  }

  *#addRowGroups(
    footer: ParquetFooter,
    schema: StitchSchema,
    layout: CopyLayout,
  ): Generator<void, void> {
    const areOldBoundsWrong = areOldBinaryBoundsWrong(footer)
    const columns = schema.columns.map((column): MovedColumn => {
      const { leafIndex, path } = column
      const droppedStatistics = droppedBounds(footer, column, areOldBoundsWrong)
      return { leafIndex, path, droppedStatistics }
    })
    const isRearranged =
      columns.length !== footer.leaves.length || columns.some((c, i) => c.leafIndex !== i)
    const structs = getStructs(footer.thrift, 4)
    const isLong = footer.fileSizeBytes - footer.footerOffset > SHORT_FOOTER_BYTES
    const move = { layout, columns, isRearranged }
    for (const [i, group] of footer.rowGroups.entries()) {
      if (group.rowCount === 0) continue
      const thrift = structs[i] as ThriftStruct
      const moved = moveRowGroup({ group, thrift }, move, this.#rowGroups.length)
      this.#keepRowGroup(isLong ? yield* writeThriftInSteps(moved) : writeThriftStruct(moved))
      yield
    }
  }

  #keepRowGroup(bytes: Uint8Array): void {
    this.#rowGroupBytes += bytes.length
    if (this.#rowGroupBytes > this.#footerBytesMax) throw footerTooLong(this.#footerBytesMax)
    this.#rowGroups.push(bytes)
  }

  #keepEqualKeyValues({ keyValueMetadata }: ParquetFooter, { isFileOwn }: StitchSchema) {
    // Most of it describes the file's own columns, and would be wrong for others.
    const own = isFileOwn && isShort(keyValueMetadata) ? keyValueMetadata : NO_KEY_VALUES
    this.#keyValues ??= new Map(own)
    for (const [key, value] of this.#keyValues) {
      const other = own.get(key)
      if (other === undefined || compareBytes(other, value) !== 0) this.#keyValues.delete(key)
    }
  }

  #keepEqualLaterFields({ thrift }: ParquetFooter): void {
    const later = laterFields(thrift)
    this.#laterFields ??= later
    if (this.#laterFields.length === 0) return
    const written = later.map((field) => writeThriftStruct({ fields: [field] }))
    this.#laterFields = this.#laterFields.filter((field) => {
      const bytes = writeThriftStruct({ fields: [field] })
      return written.some((other) => compareBytes(bytes, other) === 0)
    })
  }

  /** FileMetaData, with the row groups as written when they were added. */
  #footerPieces({ elements, columns }: StitchSchema): readonly Uint8Array[] {
    const before: ThriftField[] = [
      { id: 1, type: I32, value: this.#formatVersion },
      { id: 2, type: LIST, value: { elementType: STRUCT, values: elements } },
      { id: 3, type: I64, value: this.#rowCount },
    ]
    const keyValues = this.#keyValueStructs()
    const orders = columns.map(({ order }) =>
      order === undefined || isTypeOrder(order) ? TYPE_ORDER : order,
    )
    const after: ThriftField[] = [
      ...(keyValues.length === 0
        ? []
        : [{ id: 5, type: LIST, value: { elementType: STRUCT, values: keyValues } }]),
      { id: 6, type: BINARY, value: ENCODER.encode(CREATED_BY) },
      { id: 7, type: LIST, value: { elementType: STRUCT, values: orders } },
      ...(this.#laterFields ?? []),
    ]
    return [
      writeThriftFields(before, 0),
      structListHeader(this.#rowGroups.length),
      ...this.#rowGroups,
      writeThriftFields(after, 4),
      Uint8Array.of(0),
    ]
  }

  #keyValueStructs(): readonly ThriftStruct[] {
    const told = [...(this.#options.keyValueMetadata ?? [])]
    const all = new Map([
      ...(this.#keyValues ?? []),
      ...told.map(([key, value]) => [key, ENCODER.encode(value)] as const),
    ])
    return [...all].map(([key, value]) => ({
      fields: [
        { id: 1, type: BINARY, value: ENCODER.encode(key) },
        { id: 2, type: BINARY, value },
      ],
    }))
  }
}

function isShort(keyValues: ReadonlyMap<string, Uint8Array>): boolean {
  let bytes = 0
  for (const value of keyValues.values()) bytes += value.length
  return bytes <= KEY_VALUES_BYTES_MAX
}

function droppedBounds(
  { leaves }: ParquetFooter,
  { leafIndex, order }: StitchColumn,
  areOldBoundsWrong: boolean,
): ReadonlySet<number> {
  const isBinary = leaves[leafIndex]?.physicalType.endsWith('BYTE_ARRAY') ?? false
  return new Set([
    ...(order === undefined ? ORDERED_BOUNDS : []),
    ...(areOldBoundsWrong && isBinary ? OLD_BOUNDS : []),
  ])
}

/** Header of field 4, right after field 3. */
function structListHeader(count: number): Uint8Array {
  const empty = { elementType: STRUCT, values: [] }
  const [fieldHeader = 0] = writeThriftFields([{ id: 4, type: LIST, value: empty }], 3)
  if (count < 15) return Uint8Array.of(fieldHeader, (count << 4) | STRUCT)
  const bytes = [fieldHeader, 0xf0 | STRUCT]
  let rest = count
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128)
  return Uint8Array.from([...bytes, rest])
}

function* concatSteps(pieces: readonly Uint8Array[]): Generator<void, Uint8Array> {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let position = 0
  for (const piece of pieces) {
    bytes.set(piece, position)
    position += piece.length
    yield
  }
  return bytes
}

function misfit(problem: string): CatalogError {
  return new CatalogError('file-schema-mismatch', `the file cannot be stitched: ${problem}`)
}

function footerTooLong(bytesMax: number): CatalogError {
  return new CatalogError(
    'not-implemented',
    `the Parquet footer would have more than ${bytesMax} bytes: compact the table's files, ` +
      'or ask for another format',
  )
}
