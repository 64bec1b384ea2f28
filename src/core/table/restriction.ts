import { CatalogError } from '../errors.ts'
import { findColumn } from '../filter/bind/filter-column.ts'
import { parseFilter } from '../filter/parse/filter-parser.ts'
import { bindRowFilter, fieldsOfFilter, type RowFilter } from '../query/row-filter.ts'
import { isAkin } from '../schema/column-kin.ts'
import { allFields, findPathToField, topFieldsOf } from '../schema/schema-lookup.ts'
import { type Field, type Schema, type Type, typeName } from '../value/type.ts'
import { currentSchema, type TableDefinition } from './table.ts'
import type { ColumnAction, ColumnRule, TablePolicy } from './table-policy.ts'

/** What a caller may see of rows. Whoever reads rows is told, and `unrestricted` is said aloud. */
export type Restriction = 'unrestricted' | RowRestriction

/** Some of the rows, as they are, for who may see all. */
export interface RowSelection extends Pick<RowRestriction, 'filter' | 'filterFields' | 'actions'> {
  /** Whether those are meant for which the filter is not TRUE, and no others. */
  readonly isInverted: boolean
}

/** A policy as it holds for a caller, bound to a table. */
export interface RowRestriction {
  /** Rows are left out by their own values, before the actions; `undefined`: none is. */
  readonly filter: RowFilter | undefined
  /** Top-level fields that the filter looks at, as the table has them now. */
  readonly filterFields: readonly Field[]
  /** By field id. */
  readonly actions: ReadonlyMap<number, ColumnAction>
  /** What it was made of: another process can make it again. */
  readonly policy: TablePolicy
  /** Equal for callers who see the same, and else not. */
  readonly text: string
  readonly isInverted?: undefined
}

/**
 * The policy bound to the table as it is now; `undefined` where it cannot be, because a column of
 * its filter is gone, or the table is another one: then nothing may be shown.
 */
export function restrictionOf(
  policy: TablePolicy,
  definition: TableDefinition,
): RowRestriction | undefined {
  const { names } = policy
  if (names?.tableUuid !== definition.tableUuid) return undefined
  try {
    return bindRestriction(policy, definition, names.schemaId)
  } catch (error) {
    if (error instanceof CatalogError) return undefined
    throw error
  }
}

/** Throws `filter-invalid`, or `request-invalid` for a column and an action that do not fit. */
export function bindRestriction(
  policy: TablePolicy,
  definition: TableDefinition,
  schemaId: number,
): RowRestriction {
  const named = definition.schemas.find((each) => each.schemaId === schemaId)
  if (named === undefined) throw new CatalogError('request-invalid', `no schema ${schemaId}`)
  const now = currentSchema(definition)
  const { rowFilter, columns = [] } = policy
  const schema = { ...now, fields: namedAs(named.fields, now.fields) }
  const filter = rowFilter === null ? undefined : bindRowFilter(parseFilter(rowFilter), schema)
  const actions = actionsOn(columns, named, definition)
  return {
    filter,
    filterFields: filter === undefined ? [] : topFieldsOf(now.fields, fieldsOfFilter(filter)),
    actions,
    policy: { ...policy, except: [], trustedEngines: [] },
    text: JSON.stringify([rowFilter, [...actions].sort(byId), schemaId, now.schemaId]),
  }
}

/**
 * Actions by the field id that the table has now. Throws `request-invalid` where one does not fit,
 * or two that differ are of one column by now.
 */
function actionsOn(
  columns: readonly ColumnRule[],
  named: Schema,
  definition: TableDefinition,
): ReadonlyMap<number, ColumnAction> {
  const given = new Map<number, ColumnAction>()
  for (const { column, action } of columns) {
    const { id } = topLevel(named, column)
    if (given.has(id)) throw invalid(column, 'is named twice')
    given.set(id, action)
  }
  const actions = new Map<number, ColumnAction>()
  for (const [id, action] of given) {
    for (const field of nowOf(id, definition)) {
      const own = given.get(field.id) ?? action
      const other = actions.get(field.id) ?? own
      if (other !== own) throw invalid(field.name, 'has two actions')
      requireFitting(field, own)
      actions.set(field.id, own)
    }
  }
  return actions
}

/**
 * The column as the table has it now. Where it has no such id, those that may have its values
 * (`isAkin`). None of a column that was dropped: of that nothing is shown (`isCovered`).
 */
function nowOf(id: number, definition: TableDefinition): readonly Field[] {
  const { fields } = currentSchema(definition)
  const same = fields.find((each) => each.id === id)
  return same === undefined ? fields.filter(isAkin(id, definition)) : [same]
}

/**
 * Whether all fields of the schema are fields of the table as it is now. A policy says nothing of
 * others: of a column that was dropped, or is another one since its type was changed.
 */
export function isCovered(schema: Schema, definition: TableDefinition): boolean {
  const known = new Set(allFields(currentSchema(definition)).map(({ id }) => id))
  return allFields(schema).every(({ id }) => known.has(id))
}

/** The schema to read rows by: its own fields, and those that only the filter looks at. */
export function withFilterFields(
  schema: Schema,
  { filter, filterFields }: RowRestriction | RowSelection,
): Schema {
  const own = new Set(schema.fields.map(({ id }) => id))
  const fields = [...schema.fields, ...filterFields.filter(({ id }) => !own.has(id))]
  const ids = filter === undefined ? [] : [...fieldsOfFilter(filter)]
  if (ids.every((id) => findPathToField(fields, id) !== undefined)) return { ...schema, fields }
  throw new CatalogError('not-implemented', 'the schema has part of a column that policies look at')
}

/** The fields as they are now, under the names that they had. */
function namedAs(then: readonly Field[], now: readonly Field[]): readonly Field[] {
  return then.flatMap(({ id, name, type }) => {
    const field = now.find((each) => each.id === id)
    return field === undefined ? [] : [{ ...field, name, type: membersNamedAs(type, field.type) }]
  })
}

function membersNamedAs(then: Type, now: Type): Type {
  if (then.kind !== 'struct' || now.kind !== 'struct') return now
  return { ...now, fields: namedAs(then.fields, now.fields) }
}

function topLevel(schema: Schema, column: string): Field {
  const found = findColumn(schema, [column])
  const field =
    typeof found === 'string' ? undefined : schema.fields.find(({ id }) => id === found.fieldId)
  if (field !== undefined) return field
  throw invalid(column, 'is no top-level column of the table')
}

const TEXTS: ReadonlySet<string> = new Set(['string'])
const DATES: ReadonlySet<string> = new Set(['date', 'timestamp', 'timestamptz'])
const HASHED: ReadonlySet<string> = new Set(['string', 'int', 'long', 'binary'])
/** Types for which an action is exact; the standard has more of `truncate-to-...`. */
const FITTING: Readonly<Partial<Record<ColumnAction, ReadonlySet<string>>>> = {
  'mask-alphanum': TEXTS,
  'show-first-4': TEXTS,
  'show-last-4': TEXTS,
  'truncate-to-year': DATES,
  'truncate-to-month': DATES,
  'sha-256-global': HASHED,
}

function requireFitting({ name, type, required }: Field, action: ColumnAction): void {
  const kinds = FITTING[action]
  if (kinds !== undefined && !kinds.has(type.kind)) {
    throw invalid(name, `is of type ${typeName(type)}: ${action} is for ${[...kinds].join(', ')}`)
  }
  if (action === 'replace-with-null' && required) {
    throw invalid(name, 'is required: replace-with-null is for columns that may be null')
  }
  if (action === 'mask-to-fixed-value' && !hasFixedValue(type)) {
    throw invalid(name, `is of type ${typeName(type)}, which has no fixed value`)
  }
}

const WITHOUT_FIXED_VALUE: ReadonlySet<string> = new Set([
  ...['opaque', 'unknown', 'variant', 'timestamptz_ns'],
])

function hasFixedValue(type: Type): boolean {
  if (type.kind === 'struct') return type.fields.every((field) => hasFixedValue(field.type))
  return !WITHOUT_FIXED_VALUE.has(type.kind)
}

function invalid(column: string, why: string): CatalogError {
  const facts = { column: column.slice(0, 100) }
  return new CatalogError('request-invalid', `column ${facts.column} ${why}`, { facts })
}

function byId([left]: readonly [number, unknown], [right]: readonly [number, unknown]): number {
  return left - right
}
