import { foldName } from '../../../core/schema/schema-lookup.ts'
import {
  type Field,
  isNested,
  type MapType,
  type NestedType,
  type PrimitiveType,
  type StructType,
  type Type,
} from '../../../core/value/type.ts'
import { exactNumber } from './json-row.ts'
import { shown } from './row-invalid.ts'
import { expectation, wireText } from './wire-text.ts'

const LONE_SURROGATE = /\p{Surrogate}/u
const NUMBER_KINDS = new Set(['int', 'long', 'float', 'double', 'decimal'])

/** Thrown for a value that does not fit; the reader of the row knows the line. */
export class ValueInvalid extends Error {}

/** Finds the fields of an object by exact name, else the only one of that name ignoring case. */
export class FieldNames {
  readonly #byName: ReadonlyMap<string, number>
  readonly #byFoldedName: ReadonlyMap<string, number>

  constructor(fields: readonly Field[]) {
    this.#byName = new Map(fields.map((field, i) => [field.name, i]))
    const folded = fields.map((field) => foldName(field.name))
    const lasts = new Map(folded.map((name, i) => [name, i]))
    const others = new Set(folded.filter((name, i) => lasts.get(name) !== i))
    this.#byFoldedName = new Map([...lasts].filter(([name]) => !others.has(name)))
  }

  find(name: string): number | undefined {
    return this.#byName.get(name) ?? this.#byFoldedName.get(foldName(name))
  }
}

const namesOfStruct = new WeakMap<readonly Field[], FieldNames>()

/** Converts a JSON value for DuckDB: to text, or for nested types to lists and objects of texts. */
export function wireValue(type: Type, json: unknown, column: string): unknown {
  return isNested(type) ? wireNested(type, json, column) : wirePrimitive(type, json, column)
}

function wireNested(type: NestedType, json: unknown, column: string): unknown {
  switch (type.kind) {
    case 'list':
      if (!Array.isArray(json)) throw invalid(column, json, 'a list')
      return json.map((element, i) =>
        orNull({ required: type.elementRequired, type: type.element }, element, `${column}[${i}]`),
      )
    case 'map':
      return wireMap(type, json, column)
    case 'struct':
      return wireMembers(type, json, column)
  }
}

/** Values by field; `undefined` if the object lacks one. */
export function valuesByField(
  fields: readonly Field[],
  json: unknown,
  column: string,
): readonly unknown[] {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw invalid(column, json, 'an object')
  }
  const names = namesOfStruct.get(fields) ?? new FieldNames(fields)
  namesOfStruct.set(fields, names)
  const values: unknown[] = fields.map(() => undefined)
  for (const [name, value] of Object.entries(json)) {
    const index = names.find(name)
    if (index === undefined)
      throw new ValueInvalid(`the table has no column ${shown(dotted(column, name))}`)
    if (values[index] !== undefined) {
      throw new ValueInvalid(`column ${shown(dotted(column, name))} is given twice`)
    }
    values[index] = value
  }
  return values
}

function wireMembers(type: StructType, json: unknown, column: string): unknown {
  const values = valuesByField(type.fields, json, column)
  return Object.fromEntries(
    type.fields.map((field, i) => [
      `f${i}`,
      orNull(field, values[i] ?? null, dotted(column, field.name)),
    ]),
  )
}

/** Converts a map given as an object, if its keys are texts, or as a list of `key` and `value`. */
function wireMap(type: MapType, json: unknown, column: string): unknown {
  const entries = entriesOf(json, column).map(([key, value]) => ({
    k: isNested(type.key) ? wireValue(type.key, key, column) : wireKey(type.key, key, column),
    v: orNull(
      { required: type.valueRequired, type: type.value },
      value,
      `${column}[${shown(String(key))}]`,
    ),
  }))
  const keys = new Set(entries.map(({ k }) => JSON.stringify(k)))
  if (keys.size < entries.length)
    throw new ValueInvalid(`column ${shown(column)} has a duplicate key`)
  return entries
}

function entriesOf(json: unknown, column: string): readonly (readonly [unknown, unknown])[] {
  if (typeof json !== 'object' || json === null) throw invalid(column, json, 'a map')
  if (!Array.isArray(json)) return Object.entries(json)
  return json.map((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null || !('key' in entry)) {
      throw invalid(column, entry, 'an entry with key and value')
    }
    return [entry.key, 'value' in entry ? entry.value : null]
  })
}

function wireKey(type: PrimitiveType, key: unknown, column: string): string {
  // Names of an object are texts, whatever they spell.
  const text = typeof key === 'string' ? wireText(type, key) : undefined
  return text ?? wirePrimitive(type, key, column)
}

function orNull(
  { required, type }: Pick<Field, 'required' | 'type'>,
  json: unknown,
  column: string,
): unknown {
  if (json !== null) return wireValue(type, json, column)
  if (required) throw new ValueInvalid(`column ${shown(column)} is required`)
  return null
}

function wirePrimitive(type: PrimitiveType, json: unknown, column: string): string {
  const text = scalarText(type, json)
  const wire = text === undefined ? undefined : wireText(type, text)
  if (wire === undefined) throw invalid(column, json, expectation(type))
  if (LONE_SURROGATE.test(wire))
    throw new ValueInvalid(`column ${shown(column)} is not valid Unicode`)
  return wire
}

function scalarText(type: PrimitiveType, json: unknown): string | undefined {
  if (type.kind === 'boolean') return typeof json === 'boolean' ? String(json) : undefined
  const number = exactNumber(json)
  if (number !== undefined) return NUMBER_KINDS.has(type.kind) ? wholeText(type, number) : undefined
  return typeof json === 'string' ? json : undefined
}

/** JSON has one kind of number: 12345678901234.0 is an integer, however many digits it has. */
function wholeText({ kind }: PrimitiveType, number: string): string {
  return kind === 'int' || kind === 'long' ? number.replace(/\.0+$/, '') : number
}

function invalid(column: string, json: unknown, expected: string): ValueInvalid {
  const text = jsonText(json)
  const value = text.length > 80 ? `${text.slice(0, 80)}…` : text
  const where = column === '' ? 'the line' : `column ${shown(column)}`
  return new ValueInvalid(`${where}: ${value} is not ${expected}`)
}

function jsonText(json: unknown): string {
  if (typeof json === 'string') return exactNumber(json) ?? shown(json)
  return typeof json === 'number' && !Number.isFinite(json)
    ? 'a number that large'
    : JSON.stringify(json)
}

function dotted(column: string, name: string): string {
  return column === '' ? name : `${column}.${name}`
}
