import { defaultProblem } from '../schema/default-check.ts'
import { childFields, fieldsById, findPathToField, foldName } from '../schema/schema-lookup.ts'
import type { TableDefinition } from '../table/table.ts'
import { type Field, isNested, type Schema, type Type, typeName } from '../value/type.ts'
import { invalidUpdate, shortened } from './update-problem.ts'

type FormatVersion = TableDefinition['formatVersion']

/**
 * Number of fields of a schema, nested ones included. Larger than the limit of `/v1`, so that
 * tables of other writers pass.
 */
export const FIELDS_MAX = 10_000
const TYPE_DEPTH_MAX = 64
const NAME_LENGTH_MAX = 1_000
const SINCE_V3 = new Set(['timestamp_ns', 'timestamptz_ns', 'variant', 'unknown', 'opaque'])
const KNOWN_OPAQUE = /^(?:geometry|geography)\b/

/** Whether a table has a column of the type from format version 3 on. */
export function isSinceV3({ kind }: Type): boolean {
  return SINCE_V3.has(kind)
}

interface FieldAtPath {
  readonly path: string
  readonly field: Field
}

/**
 * Checks that field ids and full names are unique, that identifier fields can identify a row, and
 * that defaults are values, unless a present schema has them already. Throws `update-invalid`.
 */
export function checkSchema(
  schema: Schema,
  present: readonly Schema[] = [],
): readonly FieldAtPath[] {
  const found = fieldsByPath(schema.fields)
  const presentOf = lookIn(present, found)
  const paths = new Set<string>()
  const ids = new Set<number>()
  for (const { path, field } of found) {
    const text = shortened(path)
    if (field.name === '') throw invalidUpdate('Invalid schema: a field has no name')
    if (field.name.length > NAME_LENGTH_MAX) {
      throw invalidUpdate(`Invalid schema: a name of more than ${NAME_LENGTH_MAX} characters`)
    }
    if (paths.has(path)) throw invalidUpdate(`Invalid schema: multiple fields for name ${text}`)
    if (ids.has(field.id)) throw invalidUpdate(`Invalid schema: multiple fields of id ${field.id}`)
    checkKnownType(field)
    const problem = defaultProblem(field)
    if (problem !== undefined && !presentOf(field).some((known) => hasDefaults(known, field))) {
      throw invalidUpdate(`Invalid default for ${text}: ${problem}`)
    }
    paths.add(path)
    ids.add(field.id)
  }
  for (const id of schema.identifierFieldIds) checkIdentifierField(schema, id)
  return found
}

/**
 * Refuses columns of one struct whose names differ in case only, which neither DuckDB nor Spark can
 * tell apart, unless a present schema already has such.
 */
export function checkDistinctNames(schema: Schema, present: readonly Schema[] = []): void {
  const path = sameIgnoringCase(schema.fields, '')
  if (path === undefined) return
  if (present.some(({ fields }) => sameIgnoringCase(fields, '') !== undefined)) return
  throw invalidUpdate(
    `Invalid schema: two fields are called ${shortened(path)}, ignoring case: rename one of them`,
  )
}

function sameIgnoringCase(fields: readonly Field[], above: string): string | undefined {
  const names = new Set<string>()
  for (const { name, type } of fields) {
    if (names.has(foldName(name))) return above + name
    names.add(foldName(name))
    const below = sameIgnoringCase(childFields(type), `${above}${name}.`)
    if (below !== undefined) return below
  }
  return undefined
}

/**
 * Checks that a table of this format version can have the schema. Defaults that one of its schemas
 * already has are accepted: `/v1` adds columns with a default to tables of version 2.
 */
export function checkSchemaVersion(
  fields: readonly FieldAtPath[],
  version: FormatVersion,
  present: readonly Schema[] = [],
): void {
  if (version >= 3) return
  const presentOf = lookIn(present, fields)
  const problems = fields.flatMap(({ path, field }) => {
    const text = shortened(path)
    if (isSinceV3(field.type)) {
      return [`Invalid type for ${text}: ${typeName(field.type)} is not supported until v3`]
    }
    if (field.initialDefault === undefined) return []
    if (presentOf(field).some((known) => hasDefault(known, field))) return []
    const value = shortened(String(field.initialDefault))
    return [
      `Invalid initial default for ${text}: non-null default (${value}) is not supported until v3`,
    ]
  })
  if (problems.length === 0) return
  throw invalidUpdate(`Invalid schema for v${version}:\n- ${problems.slice(0, 20).join('\n- ')}`)
}

/**
 * A key for what Iceberg considers the same schema: same fields in the same order with the same
 * ids, and the same identifier fields.
 */
export function schemaKey(schema: Schema): string {
  const known = KEYS.get(schema)
  if (known !== undefined) return known
  const key = newSchemaKey(schema)
  KEYS.set(schema, key)
  return key
}

/** Schemas stay the same objects while others are added. */
const KEYS = new WeakMap<Schema, string>()

function newSchemaKey({ fields, identifierFieldIds }: Schema): string {
  const identifiers = [...identifierFieldIds].sort((left, right) => left - right)
  return jsonKey([fields.map(fieldKey), identifiers])
}

function jsonKey(json: unknown): string {
  return JSON.stringify(json ?? null, (_name, value: unknown) => {
    if (typeof value !== 'bigint') return value
    const isExact = Number.isSafeInteger(Number(value))
    return isExact ? Number(value) : `${value}n`
  })
}

function fieldsByPath(fields: readonly Field[]): readonly FieldAtPath[] {
  const found: FieldAtPath[] = []
  const collect = (level: readonly Field[], above: string, depth: number): void => {
    if (level.length > 0 && depth > TYPE_DEPTH_MAX) {
      throw invalidUpdate(`Invalid schema: types nested more than ${TYPE_DEPTH_MAX} deep`)
    }
    for (const field of level) {
      const path = `${above}${field.name}`
      found.push({ path, field })
      if (found.length > FIELDS_MAX) {
        throw invalidUpdate(`Invalid schema: more than ${FIELDS_MAX} fields`)
      }
      collect(childFields(field.type), `${path}.`, depth + 1)
    }
  }
  collect(fields, '', 1)
  return found
}

function checkKnownType({ name, required, type }: Field): void {
  if (type.kind === 'unknown' && required) {
    const text = shortened(name)
    throw invalidUpdate(`Cannot create required field with unknown type: ${text}`)
  }
  if (type.kind !== 'opaque' || KNOWN_OPAQUE.test(type.name)) return
  throw invalidUpdate(`Cannot parse type string to primitive: ${shortened(type.name)}`)
}

function checkIdentifierField(schema: Schema, id: number): void {
  const path = findPathToField(schema.fields, id)
  const field = path?.at(-1)
  const rule = (problem: string) =>
    invalidUpdate(
      `Cannot add field ${shortened(field?.name ?? String(id))} as an identifier field: ${problem}`,
    )
  if (path === undefined || field === undefined) throw rule('field does not exist')
  if (isNested(field.type)) throw rule('not a primitive type field')
  if (field.type.kind === 'float' || field.type.kind === 'double') {
    throw rule('must not be float or double field')
  }
  if (path.some((step) => !step.required)) throw rule('not a required field')
  if (path.slice(0, -1).some((step) => step.type.kind !== 'struct')) {
    throw rule('must not be nested in a list or map')
  }
}

/** What schemas have under the ids of fields; read through once, and only if that is asked. */
function lookIn(
  schemas: readonly Schema[],
  fields: readonly FieldAtPath[],
): (field: Field) => readonly Field[] {
  let found: ReadonlyMap<number, readonly Field[]> | undefined
  return ({ id }) => {
    found ??= fieldsById(schemas, new Set(fields.map(({ field }) => field.id)))
    return found.get(id) ?? []
  }
}

function hasDefault(known: Field, field: Field): boolean {
  return jsonKey(known.initialDefault) === jsonKey(field.initialDefault)
}

function hasDefaults(known: Field, field: Field): boolean {
  return hasDefault(known, field) && jsonKey(known.writeDefault) === jsonKey(field.writeDefault)
}

function fieldKey(field: Field): readonly unknown[] {
  const { id, name, required, type, doc, initialDefault, writeDefault } = field
  const defaults = [initialDefault ?? null, writeDefault ?? null]
  return [id, name, required, typeKey(type), doc ?? null, ...defaults]
}

function typeKey(type: Type): unknown {
  switch (type.kind) {
    case 'list':
      return ['list', type.elementId, type.elementRequired, typeKey(type.element)]
    case 'map':
      return [
        'map',
        [type.keyId, typeKey(type.key)],
        [type.valueId, type.valueRequired, typeKey(type.value)],
      ]
    case 'struct':
      return ['struct', type.fields.map(fieldKey)]
    default:
      return typeName(type)
  }
}
