import { CatalogError } from '../errors.ts'
import type { AliasesById } from '../table-properties.ts'
import type { Field, Schema, Type } from '../value/type.ts'
import { type ColumnDefinition, parseColumn } from './column-definition.ts'
import { applyChange, type BoundIds, type SchemaChange } from './schema-change.ts'
import { type RewritingIds, SchemaDraft } from './schema-draft.ts'
import { allFields, childFields } from './schema-lookup.ts'
import { reconcileLevel } from './schema-reconciliation.ts'
import {
  COLUMNS_MAX,
  requireValidAliases,
  requireValidFields,
  schemaError,
} from './schema-rules.ts'

export type { SchemaChange } from './schema-change.ts'

export interface SchemaEvolution {
  readonly schema: Schema
  readonly changes: readonly SchemaChange[]
  readonly aliasesById: AliasesById
  readonly lastColumnId: number
  /** Source columns of any partition spec or sort order that is still in use. */
  readonly sourceIds: Iterable<number>
  /** If absent, changes that rewrite data files are refused. */
  readonly rewriting?: RewritingIds
}

export interface EvolvedSchema {
  /** Still has the id of the original schema: the caller assigns a new one. */
  readonly schema: Schema
  readonly lastColumnId: number
  readonly aliasesById: AliasesById
  /**
   * Columns that files contain with another type, as a map from their current to their previous id.
   */
  readonly rewrites: ReadonlyMap<number, number>
}

/** Each costs up to 0.3 ms on the largest table. */
const CHANGES_MAX = 2_500
const CODE = 'schema-change-invalid'

/**
 * Applies all changes in order, or none. Names need to be unique only at the end, so that two
 * columns can swap theirs. Throws `schema-change-invalid`, `schema-change-rewrites-files` or
 * `column-type-unknown`, naming column and rule.
 */
export function evolveSchema(evolution: SchemaEvolution): EvolvedSchema {
  const { schema, changes, aliasesById, lastColumnId } = evolution
  if (changes.length > CHANGES_MAX) {
    throw schemaError('', `at most ${CHANGES_MAX} changes are possible at once`, CODE)
  }
  const draft = new SchemaDraft(schema.fields, lastColumnId, aliasesById)
  const bound: BoundIds = {
    sources: new Set(evolution.sourceIds),
    identifiers: new Set(schema.identifierFieldIds),
    rewriting: evolution.rewriting,
  }
  return asChangeError(() => {
    for (const change of changes) applyChange(draft, change, bound)
    if (draft.fields.length === 0) {
      const names = schema.fields.map((field) => field.name).join(', ')
      throw schemaError(names, 'the last column of a table cannot be dropped', CODE)
    }
    requireValidFields(draft.fields, CODE)
    draft.settleAliases()
    requireValidAliasesEverywhere(draft.fields, draft.aliasesById)
    return {
      schema: { ...schema, fields: draft.fields },
      lastColumnId: draft.lastColumnId,
      aliasesById: draft.aliasesById,
      rewrites: rewritesOf(schema, draft),
    }
  })
}

/** Leaves out columns that the same request adds or drops: no file has them, or needs them. */
function rewritesOf(schema: Schema, draft: SchemaDraft): ReadonlyMap<number, number> {
  const before = new Set(allFields(schema).map((field) => field.id))
  const after = new Set(allFields(draft).map((field) => field.id))
  return new Map([...draft.rewrites].filter(([id, source]) => after.has(id) && before.has(source)))
}

/**
 * The changes that turn a schema into the given columns. A column is matched by its id, else its
 * name, else an alias. Whatever an existing column leaves out (nullability, default, description,
 * aliases) stays.
 */
export function reconcileSchema({
  schema,
  aliasesById,
  columns,
}: {
  readonly schema: Schema
  readonly aliasesById: AliasesById
  readonly columns: readonly ColumnDefinition[]
}): readonly SchemaChange[] {
  if (columns.length > COLUMNS_MAX) {
    throw schemaError('', `a table can have at most ${COLUMNS_MAX} columns, nested ones included`)
  }
  const desired = columns.map((column) => ({ column, field: parseColumn(column) }))
  return reconcileLevel({ current: schema.fields, desired, parent: undefined, aliasesById })
}

/** Whether two schemas are equal, except for their schema ids. */
export function sameSchema(left: Schema, right: Schema): boolean {
  return hasSameNames(left.fields, right.fields) && schemaText(left) === schemaText(right)
}

/** Tells most schemas apart, by far less work than their texts take. */
function hasSameNames(left: readonly Field[], right: readonly Field[]): boolean {
  return (
    left.length === right.length &&
    left.every(({ id, name }, i) => id === right[i]?.id && name === right[i]?.name)
  )
}

function requireValidAliasesEverywhere(fields: readonly Field[], aliasesById: AliasesById): void {
  requireValidAliases(fields, aliasesById, CODE)
  for (const field of fields) {
    requireValidAliasesEverywhere(childFields(field.type), aliasesById)
  }
}

/** The parsers of columns blame the schema; here it is the change that is wrong. */
function asChangeError<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof CatalogError) || error.code !== 'schema-invalid') throw error
    throw new CatalogError(CODE, error.message, { facts: error.facts, cause: error })
  }
}

function schemaText({ fields, identifierFieldIds }: Schema): string {
  const identifiers = [...identifierFieldIds].sort((a, b) => a - b)
  return JSON.stringify([fields.map(fieldKey), identifiers], jsonKey)
}

function fieldKey(field: Field): unknown {
  return [
    field.id,
    field.name,
    field.required,
    field.doc ?? null,
    field.initialDefault ?? null,
    field.writeDefault ?? null,
    ownTypeName(field.type),
    childFields(field.type).map(fieldKey),
  ]
}

/** Name of the type itself, without its nested types. */
function ownTypeName(type: Type): unknown {
  switch (type.kind) {
    case 'decimal':
      return [type.kind, type.precision, type.scale]
    case 'fixed':
      return [type.kind, type.length]
    case 'opaque':
      return [type.kind, type.name]
    default:
      return type.kind
  }
}

function jsonKey(_key: string, json: unknown): unknown {
  if (typeof json !== 'bigint') return json
  return Number.isSafeInteger(Number(json)) ? Number(json) : `${json}`
}
