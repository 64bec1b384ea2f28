import { hexText } from '../../../core/value/bytes-text.ts'
import { annotationOf } from '../footer/annotation.ts'
import type { Annotation, ParquetFooter } from '../footer/footer-model.ts'
import { type ThriftStruct, writeThriftStruct } from '../thrift/thrift.ts'
import {
  findBytes,
  findNumber,
  findStruct,
  findStructs,
  getStructs,
} from '../thrift/thrift-fields.ts'

/** The columns of a file when its row groups are described by another footer. */
export interface StitchSchema {
  /** SchemaElements, depth first, the root first. */
  readonly elements: readonly ThriftStruct[]
  /** One column for each leaf of `elements`, in their order. */
  readonly columns: readonly StitchColumn[]
  /** Whether the names, order and number of the columns are the file's own. */
  readonly isFileOwn: boolean
}

export interface StitchColumn {
  /** Index among the leaves of the file. */
  readonly leafIndex: number
  /** Names from the child of the root down, in UTF-8. */
  readonly path: readonly Uint8Array[]
  /**
   * The union ColumnOrder; `undefined` if the file has none, so that its ordered bounds have no
   * meaning.
   */
  readonly order: ThriftStruct | undefined
}

/** Field ids in the union ColumnOrder. */
const TYPE_ORDER = 1
const IEEE754_TOTAL_ORDER = 2
/** Known fields of SchemaElement, up to the logical type. */
const KNOWN_ELEMENT_FIELDS = 10
const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()

/** The schema of a file, unchanged. */
export function ownStitchSchema(footer: ParquetFooter): StitchSchema {
  const orders = columnOrders(footer)
  return {
    elements: getStructs(footer.thrift, 2),
    columns: footer.leaves.map(({ leafIndex, path }) => ({
      leafIndex,
      path: path.map((name) => ENCODER.encode(name)),
      order: orders?.[leafIndex],
    })),
    isFileOwn: true,
  }
}

/** One order for each leaf, or none at all. */
export function columnOrders({ thrift }: ParquetFooter): readonly ThriftStruct[] | undefined {
  return findStructs(thrift, 7)
}

/**
 * Whether an order is the type's own, or similar enough that bounds of one hold in the other. IEEE
 * 754 total order differs only in signed zeros and NaN, which readers of the type's order never
 * trust.
 */
export function isTypeOrder(order: ThriftStruct | undefined): boolean {
  const member = order?.fields[0]?.id ?? TYPE_ORDER
  return member === TYPE_ORDER || member === IEEE754_TOTAL_ORDER
}

/**
 * A key of the physical schema: row groups of files with equal keys can share one footer with the
 * schema elements of either. Names, field ids, types, nullability and nesting count; their spelling
 * (logical or converted types, the root's name) does not.
 */
export function physicalSchemaKey({ elements, columns }: StitchSchema): string {
  const keys = elements.slice(1).map(elementKey)
  const orders = columns.map(({ order }) =>
    order === undefined || isTypeOrder(order) ? 0 : hexText(writeThriftStruct(order)),
  )
  return JSON.stringify([keys, orders])
}

function elementKey(element: ThriftStruct): readonly unknown[] {
  const fieldId = findNumber(element, 9) ?? -1
  const unknown = element.fields.filter(({ id }) => id > KNOWN_ELEMENT_FIELDS)
  const physical = findNumber(element, 1)
  return [
    DECODER.decode(findBytes(element, 4)),
    findNumber(element, 3) ?? 0,
    physical ?? null,
    // Some writers set a length for types that have none.
    physical === FIXED_LEN_BYTE_ARRAY ? findNumber(element, 2) : 0,
    physical === undefined ? (findNumber(element, 5) ?? 0) : 0,
    fieldId < 0 ? null : fieldId,
    annotationKey(element),
    unknown.length === 0 ? 0 : hexText(writeThriftStruct({ fields: unknown })),
  ]
}

/** Values of the enum Type. */
const INT32 = 1
const INT64 = 2
const FIXED_LEN_BYTE_ARRAY = 7

function annotationKey(element: ThriftStruct): unknown {
  const annotation = annotationOf(element)
  if (annotation === undefined || isImplied(annotation, element)) return 0
  switch (annotation.kind) {
    // A map's own group and the repeated one are distinguished by their repetition.
    case 'MAP_KEY_VALUE':
      return 'MAP'
    case 'DECIMAL':
      return ['DECIMAL', annotation.precision, annotation.scale]
    case 'TIME':
    case 'TIMESTAMP':
      return [annotation.kind, annotation.unit, annotation.adjustedToUtc]
    case 'INTEGER':
      return ['INTEGER', annotation.bitWidth, annotation.signed]
    case 'UNKNOWN':
    case 'VARIANT':
    case 'GEOMETRY':
    case 'GEOGRAPHY':
      return hexText(writeThriftStruct(findStruct(element, 10) ?? { fields: [] }))
    default:
      return annotation.kind
  }
}

/** Whether the annotation adds nothing to the physical type or the position. */
function isImplied(annotation: Annotation, element: ThriftStruct): boolean {
  const physical = findNumber(element, 1)
  if (annotation.kind === 'INTEGER' && annotation.signed) {
    const width = physical === INT32 ? 32 : physical === INT64 ? 64 : 0
    return annotation.bitWidth === width
  }
  const isRepeated = findNumber(element, 3) === 2
  return isRepeated && (annotation.kind === 'MAP_KEY_VALUE' || annotation.kind === 'MAP')
}
