/**
 * Iceberg types. Primitive names are the specification's JSON names (Iceberg spec, "Primitive
 * Types").
 */

export const PLAIN_PRIMITIVES = [
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
  'string',
  'uuid',
  'binary',
  'unknown',
  'variant',
] as const

export type PlainPrimitiveName = (typeof PLAIN_PRIMITIVES)[number]

export interface PlainPrimitive {
  readonly kind: PlainPrimitiveName
}
/** Unscaled values are held as bigint; precision 1-38. */
export interface DecimalType {
  readonly kind: 'decimal'
  readonly precision: number
  readonly scale: number
}
export interface FixedType {
  readonly kind: 'fixed'
  /** In bytes. */
  readonly length: number
}
/** A type of a later format version that passes through untouched; `name` is its JSON text. */
export interface OpaqueType {
  readonly kind: 'opaque'
  readonly name: string
}
export type PrimitiveType = PlainPrimitive | DecimalType | FixedType | OpaqueType

export interface ListType {
  readonly kind: 'list'
  readonly elementId: number
  readonly elementRequired: boolean
  readonly element: Type
}
export interface MapType {
  readonly kind: 'map'
  readonly keyId: number
  readonly key: Type
  readonly valueId: number
  readonly valueRequired: boolean
  readonly value: Type
}
export interface StructType {
  readonly kind: 'struct'
  readonly fields: readonly Field[]
}
export type NestedType = ListType | MapType | StructType
export type Type = PrimitiveType | NestedType

/** A column of a table, or a member of a struct. */
export interface Field {
  readonly id: number
  readonly name: string
  readonly required: boolean
  readonly type: Type
  readonly doc?: string
  /**
   * JSON single value (Iceberg spec, "JSON single-value serialization") that rows written before
   * the field have.
   */
  readonly initialDefault?: unknown
  /** JSON single value that writers use when a row gives none. */
  readonly writeDefault?: unknown
}

export interface Schema {
  readonly schemaId: number
  readonly fields: readonly Field[]
  readonly identifierFieldIds: readonly number[]
}

export function isNested(type: Type): type is NestedType {
  return type.kind === 'list' || type.kind === 'map' || type.kind === 'struct'
}

/** `long`, `decimal(9,2)`, `fixed[16]`, `list<string>`: for messages and for primitive JSON. */
export function typeName(type: Type): string {
  switch (type.kind) {
    case 'decimal':
      return `decimal(${type.precision},${type.scale})`
    case 'fixed':
      return `fixed[${type.length}]`
    case 'opaque':
      return type.name
    case 'list':
      return `list<${typeName(type.element)}>`
    case 'map':
      return `map<${typeName(type.key)}, ${typeName(type.value)}>`
    case 'struct':
      return `struct<${type.fields.map((f) => `${f.name}: ${typeName(f.type)}`).join(', ')}>`
    default:
      return type.kind
  }
}
