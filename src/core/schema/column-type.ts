import { CatalogError } from '../errors.ts'
import { findValueFromJson, valueToJson } from '../value/single-value.ts'
import {
  type Field,
  isNested,
  type PlainPrimitiveName,
  type Type,
  typeName,
} from '../value/type.ts'
import {
  quoted,
  requireColumnName,
  requireDescription,
  schemaError,
  TYPE_DEPTH_MAX,
} from './schema-rules.ts'

/** Id of fields that have none yet. */
export const UNASSIGNED_ID = 0
const FIELD_ID_MAX = 2 ** 31 - 1
const DECIMAL_PRECISION_MAX = 38
const FIXED_LENGTH_MAX = 2 ** 20
const TYPE_TEXT_LENGTH_MAX = 1_000
const DEFAULT_LENGTH_MAX = 65_536

/** From lower-case names to Iceberg's: its own names of format version 2, and Opteryx's. */
const PLAIN_TYPES: ReadonlyMap<string, PlainPrimitiveName> = new Map([
  ['boolean', 'boolean'],
  ['int', 'int'],
  ['long', 'long'],
  ['float', 'float'],
  ['double', 'double'],
  ['date', 'date'],
  ['time', 'time'],
  ['timestamp', 'timestamp'],
  ['timestamptz', 'timestamptz'],
  ['string', 'string'],
  ['uuid', 'uuid'],
  ['binary', 'binary'],
  ['integer', 'long'],
  ['varchar', 'string'],
  ['blob', 'binary'],
])
const LATER_TYPE = /^(?:timestamp(?:tz)?_ns|unknown|variant|geometry|geography)\b/
const KNOWN_TYPES: readonly string[] = [
  ...[...PLAIN_TYPES.keys()],
  'decimal(p,s)',
  'fixed(n)',
  'list<T>',
  'array<T>',
  'map<K, V>',
  'struct (as Iceberg JSON)',
]

/**
 * Parses a type from text (`decimal(9,2)`, `ARRAY<VARCHAR>`, in any case) or Iceberg JSON, whose
 * ids may be missing. Throws `column-type-unknown`, or `schema-invalid` for a known type with wrong
 * parts; both name the column.
 */
export function parseColumnType(json: unknown, column: string): Type {
  return parseType(json, { column, depth: 1 })
}

/**
 * The inverse of `parseColumnType`: text for primitives, else Iceberg JSON with ids. Holds no
 * bigint.
 */
export function columnTypeToJson(type: Type): unknown {
  switch (type.kind) {
    case 'list':
      return {
        type: 'list',
        'element-id': type.elementId,
        element: columnTypeToJson(type.element),
        'element-required': type.elementRequired,
      }
    case 'map':
      return {
        type: 'map',
        'key-id': type.keyId,
        key: columnTypeToJson(type.key),
        'value-id': type.valueId,
        value: columnTypeToJson(type.value),
        'value-required': type.valueRequired,
      }
    case 'struct':
      return { type: 'struct', fields: type.fields.map(memberToJson) }
    default:
      return typeName(type)
  }
}

/**
 * The default in its stored form. Throws `schema-invalid` if it is not a JSON single value of the
 * type.
 */
export function parseDefault(type: Type, json: unknown, column: string): unknown {
  if (isNested(type)) throw schemaError(column, 'a nested type can have no default but null')
  const isLong = typeof json === 'string' && json.length > DEFAULT_LENGTH_MAX
  const value = isLong ? undefined : findValueFromJson(type, json)
  // A number beyond what the type holds is read as infinite.
  const isTooLarge =
    typeof json === 'number' && value !== undefined && !Number.isFinite(Number(value))
  if (value !== undefined && !isTooLarge) return valueToJson(type, value)
  throw schemaError(
    column,
    `its default is not a JSON value of type ${typeName(type)} ` +
      `of at most ${DEFAULT_LENGTH_MAX} characters`,
  )
}

/**
 * JSON that every client can read: integers beyond 2^53 become text, which `parseDefault` also
 * accepts.
 */
export function defaultToJson(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return value.map(defaultToJson)
  if (typeof value !== 'object' || value === null) return value ?? null
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, defaultToJson(each)]))
}

/** Context passed down by the parsers of nested types. */
interface Place {
  readonly column: string
  readonly depth: number
}

function parseType(json: unknown, place: Place): Type {
  if (place.depth > TYPE_DEPTH_MAX) {
    throw schemaError(place.column, `types can be nested at most ${TYPE_DEPTH_MAX} deep`)
  }
  if (typeof json === 'string') return parseTypeText(json, place)
  if (typeof json !== 'object' || json === null) throw unknownType(json, place.column)
  return parseTypeObject(json as Readonly<Record<string, unknown>>, place)
}

function parseTypeText(text: string, place: Place): Type {
  const { column } = place
  if (text.length > TYPE_TEXT_LENGTH_MAX) throw unknownType(text, column)
  const trimmed = text.trim().toLowerCase()
  const plain = PLAIN_TYPES.get(trimmed)
  if (plain !== undefined) return { kind: plain }

  const decimal = /^decimal *\( *(\d{1,9}) *, *(\d{1,9}) *\)$/.exec(trimmed)
  if (decimal !== null) return decimalType(Number(decimal[1]), Number(decimal[2]), column)
  const fixed = /^fixed *[([] *(\d{1,9}) *[)\]]$/.exec(trimmed)
  if (fixed !== null) return fixedType(Number(fixed[1]), column)
  const list = /^(?:list|array) *<(.*)>$/.exec(trimmed)
  if (list !== null) return parseTypeObject({ type: 'list', element: list[1] }, place)
  const map = /^map *<(.*)>$/.exec(trimmed)
  if (map !== null) return mapOfText(text, map[1] ?? '', place)
  throw unknownType(text, column)
}

/** Keys are primitive here, so the first comma outside parentheses ends them. */
function mapOfText(text: string, inside: string, place: Place): Type {
  const split = /^((?:[^<>(),]|\([^()]*\))*),(.*)$/.exec(inside)
  if (split === null) throw unknownType(text, place.column)
  return parseTypeObject({ type: 'map', key: split[1], value: split[2] }, place)
}

function parseTypeObject(json: Readonly<Record<string, unknown>>, place: Place): Type {
  const below = { ...place, depth: place.depth + 1 }
  switch (json['type']) {
    case 'list':
      return {
        kind: 'list',
        elementId: parseId(json['element-id'], place.column),
        elementRequired: parseFlag(json['element-required'], place.column),
        element: parseType(json['element'], below),
      }
    case 'map':
      return {
        kind: 'map',
        keyId: parseId(json['key-id'], place.column),
        key: parseType(json['key'], below),
        valueId: parseId(json['value-id'], place.column),
        valueRequired: parseFlag(json['value-required'], place.column),
        value: parseType(json['value'], below),
      }
    case 'struct':
      return { kind: 'struct', fields: parseMembers(json['fields'], below) }
    default:
      throw unknownType(json['type'], place.column)
  }
}

function parseMembers(json: unknown, place: Place): readonly Field[] {
  if (!Array.isArray(json) || json.length === 0) {
    throw schemaError(place.column, 'a struct needs "fields", a list of at least one member')
  }
  return json.map((member: unknown) => parseMember(member, place))
}

function parseMember(json: unknown, { column, depth }: Place): Field {
  if (typeof json !== 'object' || json === null) {
    throw schemaError(column, 'a member of a struct must be an object')
  }
  const member = json as Readonly<Record<string, unknown>>
  const name: unknown = member['name']
  requireColumnName(name)
  const path = `${column}.${name}`
  const type = parseType(member['type'], { column: path, depth })
  const doc = member['doc'] ?? undefined
  if (doc !== undefined) requireDescription(path, doc)
  const initialDefault = member['initial-default'] ?? undefined
  const writeDefault = member['write-default'] ?? undefined
  return {
    id: parseId(member['id'], path),
    name,
    required: parseFlag(member['required'], path),
    type,
    ...(doc === undefined ? {} : { doc: doc as string }),
    ...(initialDefault === undefined
      ? {}
      : { initialDefault: parseDefault(type, initialDefault, path) }),
    ...(writeDefault === undefined ? {} : { writeDefault: parseDefault(type, writeDefault, path) }),
  }
}

function memberToJson(field: Field): unknown {
  return {
    id: field.id,
    name: field.name,
    required: field.required,
    type: columnTypeToJson(field.type),
    ...(field.doc === undefined ? {} : { doc: field.doc }),
    ...(field.initialDefault === undefined
      ? {}
      : { 'initial-default': defaultToJson(field.initialDefault) }),
    ...(field.writeDefault === undefined
      ? {}
      : { 'write-default': defaultToJson(field.writeDefault) }),
  }
}

function decimalType(precision: number, scale: number, column: string): Type {
  if (precision < 1 || precision > DECIMAL_PRECISION_MAX || scale > precision) {
    const rule = `a decimal has 1 to ${DECIMAL_PRECISION_MAX} digits, and no more after the point`
    throw schemaError(column, rule)
  }
  return { kind: 'decimal', precision, scale }
}

function fixedType(length: number, column: string): Type {
  if (length < 1 || length > FIXED_LENGTH_MAX) {
    throw schemaError(column, `a fixed has 1 to ${FIXED_LENGTH_MAX} bytes`)
  }
  return { kind: 'fixed', length }
}

export function parseId(json: unknown, column: string): number {
  if (json === undefined || json === null) return UNASSIGNED_ID
  if (Number.isInteger(json) && (json as number) > 0 && (json as number) <= FIELD_ID_MAX) {
    return json as number
  }
  throw schemaError(column, `a field id is an integer from 1 to ${FIELD_ID_MAX}`)
}

function parseFlag(json: unknown, column: string): boolean {
  if (json === undefined || json === null) return false
  if (typeof json === 'boolean') return json
  throw schemaError(column, 'required must be true or false')
}

function unknownType(json: unknown, column: string): CatalogError {
  const text = typeof json === 'string' ? quoted(json) : `JSON of type ${typeof json}`
  const name = quoted(column)
  return new CatalogError(
    'column-type-unknown',
    `Column ${name}: ${text} is not a supported type: ${hintFor(text)}.`,
    { facts: { column: name, type: text, known: KNOWN_TYPES } },
  )
}

function hintFor(text: string): string {
  const lower = text.trim().toLowerCase()
  if (LATER_TYPE.test(lower)) return 'it needs Iceberg format version 3, but tables have version 2'
  if (lower.startsWith('struct')) {
    return 'write a struct as Iceberg JSON, {"type": "struct", "fields": [{"name", "type"}]}'
  }
  if (lower.startsWith('decimal')) return 'write a decimal as decimal(precision,scale)'
  return `use one of ${KNOWN_TYPES.join(', ')}`
}
