import type { PrimitiveType } from '../../../core/value/type.ts'
import type { Annotation, ParquetLeaf, PhysicalType } from '../footer/footer-model.ts'
import { annotationName } from './file-field.ts'

/** How a column's statistics are converted to values of its Iceberg type. */
export type StatisticForm =
  | 'boolean'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'float'
  | 'double'
  | 'bytes'
  | 'text'
  | 'decimal-bytes'
  | 'time-millis'
  | 'millis'
  | 'nanos'
  /** The statistics have another order than the type (INT96). */
  | 'unusable'

export interface LeafType {
  readonly type: PrimitiveType
  readonly form: StatisticForm
  /** A warning for people about what engines may have difficulties with. */
  readonly note?: string
}
export interface UnsupportedLeaf {
  readonly unsupported: string
}

const PRECISION_MAX = 38

/** The Iceberg type that Iceberg's readers give a column. */
export function leafTypeOf(leaf: ParquetLeaf): LeafType | UnsupportedLeaf {
  const { annotation, physicalType } = leaf
  if (annotation === undefined) return plainType(leaf)
  return (
    annotatedType(annotation, leaf) ?? {
      unsupported: `${annotationName(annotation)} (${physicalType})`,
    }
  )
}

function plainType({ physicalType, typeLength }: ParquetLeaf): LeafType {
  switch (physicalType) {
    case 'BOOLEAN':
      return { type: { kind: 'boolean' }, form: 'boolean' }
    case 'INT32':
      return { type: { kind: 'int' }, form: 'int32' }
    case 'INT64':
      return { type: { kind: 'long' }, form: 'int64' }
    case 'INT96':
      return { type: { kind: 'timestamp' }, form: 'unusable' }
    case 'FLOAT':
      return { type: { kind: 'float' }, form: 'float' }
    case 'DOUBLE':
      return { type: { kind: 'double' }, form: 'double' }
    case 'BYTE_ARRAY':
      return { type: { kind: 'binary' }, form: 'bytes' }
    case 'FIXED_LEN_BYTE_ARRAY':
      return { type: { kind: 'fixed', length: typeLength ?? 0 }, form: 'bytes' }
  }
}

/** Returns `undefined` if the annotation does not fit the physical type or any Iceberg type. */
function annotatedType(annotation: Annotation, leaf: ParquetLeaf): LeafType | undefined {
  const physical = leaf.physicalType
  switch (annotation.kind) {
    case 'STRING':
    case 'ENUM':
    case 'JSON':
      return physical === 'BYTE_ARRAY' ? { type: { kind: 'string' }, form: 'text' } : undefined
    case 'BSON':
      return physical === 'BYTE_ARRAY' ? { type: { kind: 'binary' }, form: 'bytes' } : undefined
    case 'UUID':
      return leaf.typeLength === 16 ? { type: { kind: 'uuid' }, form: 'bytes' } : undefined
    case 'DATE':
      return physical === 'INT32' ? { type: { kind: 'date' }, form: 'int32' } : undefined
    case 'DECIMAL':
      return decimalType(annotation, physical)
    case 'INTEGER':
      return integerType(annotation, physical)
    case 'TIME':
      return timeType(annotation, physical)
    case 'TIMESTAMP':
      return timestampType(annotation, physical)
    default:
      return undefined
  }
}

type AnnotationOf<K extends Annotation['kind']> = Extract<Annotation, { kind: K }>

function decimalType(
  { precision, scale }: AnnotationOf<'DECIMAL'>,
  physical: PhysicalType,
): LeafType | undefined {
  const isPossible =
    precision >= 1 && precision <= PRECISION_MAX && scale >= 0 && scale <= precision
  if (!isPossible) return undefined
  const forms: Partial<Record<PhysicalType, StatisticForm>> = {
    INT32: 'int32',
    INT64: 'int64',
    BYTE_ARRAY: 'decimal-bytes',
    FIXED_LEN_BYTE_ARRAY: 'decimal-bytes',
  }
  const form = forms[physical]
  return form === undefined ? undefined : { type: { kind: 'decimal', precision, scale }, form }
}

function integerType(
  { bitWidth, signed }: AnnotationOf<'INTEGER'>,
  physical: PhysicalType,
): LeafType | undefined {
  if (physical === 'INT64' && bitWidth === 64) {
    if (signed) return { type: { kind: 'long' }, form: 'int64' }
    return {
      type: { kind: 'decimal', precision: 20, scale: 0 },
      form: 'uint64',
      note: 'UINT_64: DuckDB reads it as a decimal; Iceberg for Java and PyIceberg refuse it',
    }
  }
  if (physical !== 'INT32' || ![8, 16, 32].includes(bitWidth)) return undefined
  if (signed) return { type: { kind: 'int' }, form: 'int32' }
  return { type: { kind: bitWidth === 32 ? 'long' : 'int' }, form: 'uint32' }
}

function timeType({ unit }: AnnotationOf<'TIME'>, physical: PhysicalType): LeafType | undefined {
  const type = { kind: 'time' } as const
  if (unit === 'millis') {
    if (physical !== 'INT32') return undefined
    return { type, form: 'time-millis', note: 'TIME_MILLIS: PyIceberg refuses it' }
  }
  if (physical !== 'INT64') return undefined
  if (unit === 'micros') return { type, form: 'int64' }
  return { type, form: 'nanos', note: nanosNote('TIME_NANOS') }
}

function timestampType(
  { unit, adjustedToUtc }: AnnotationOf<'TIMESTAMP'>,
  physical: PhysicalType,
): LeafType | undefined {
  if (physical !== 'INT64') return undefined
  const type = { kind: adjustedToUtc ? 'timestamptz' : 'timestamp' } as const
  if (unit === 'millis') return { type, form: 'millis' }
  if (unit === 'micros') return { type, form: 'int64' }
  return { type, form: 'nanos', note: nanosNote('TIMESTAMP_NANOS') }
}

function nanosNote(name: string): string {
  return (
    `${name}: Iceberg v2 has microseconds; ` +
    'some engines cut off the rest, others refuse the file'
  )
}
