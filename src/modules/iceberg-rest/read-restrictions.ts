import { fieldsOfFilter, type RowFilter } from '../../core/query/row-filter.ts'
import { type Expression, expressionOf, termOf } from '../../core/query/row-filter-expression.ts'
import { childFields } from '../../core/schema/schema-lookup.ts'
import { isCovered, restrictionOf } from '../../core/table/restriction.ts'
import { currentSchema, type TableDefinition, type TableState } from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import type { ColumnAction, HeldPolicy } from '../../core/table/table-policy.ts'
import type { Field, Schema } from '../../core/value/type.ts'
import { policyUnusable } from '../../http/permission.ts'
import { ProblemError } from '../../problem/problems.ts'

/** `ReadRestrictions` of the Iceberg REST specification, as JSON. */
export interface ReadRestrictions {
  readonly 'required-column-projections'?: readonly {
    readonly action: ColumnAction
    readonly 'field-id': number
  }[]
  readonly 'required-row-filter'?: Expression
}

/**
 * What an engine must apply that the policy trusts to do so; `undefined`: nothing is withheld from
 * the caller. Throws `table-restricted` for all others whom the policy holds for, and for what the
 * standard cannot say.
 */
export function readRestrictionsFor(
  { definition, namespace, name }: Pick<TableState, 'definition' | 'namespace' | 'name'>,
  policyOn: (tableUuid: string) => HeldPolicy | undefined,
): ReadRestrictions | undefined {
  const policy = policyOn(definition.tableUuid)
  if (policy === undefined) return undefined
  const table = formatTableName(namespace, name)
  const refuse = (why: string) => new ProblemError('table-restricted', why, { facts: { table } })
  if (!policy.isTrusted) {
    throw refuse(
      `A policy withholds rows or columns of ${table} from you: with select, download what is ` +
        `left at /v1/tables/${table}/dump, or ask who has manage_grants on it to except you, or ` +
        'to name your engine in trusted_engines',
    )
  }
  const restriction = restrictionOf(policy, definition)
  if (restriction === undefined) throw policyUnusable(table)
  const filter = restriction.filter && expressionOf(restriction.filter, currentSchema(definition))
  if (restriction.filter !== undefined && filter === undefined) {
    throw refuse(
      `the filter of the policy on ${table} has a LIKE that is no prefix, or a comparison of ` +
        'floats with zero, which Iceberg cannot express exactly: download what is left at ' +
        `/v1/tables/${table}/dump`,
    )
  }
  if (!definition.schemas.every((schema) => isSaidOf(schema, restriction.filter, definition))) {
    throw refuse(
      `schemas of ${table}, maybe older ones, have columns of which its policy says nothing, or ` +
        'several under a name of its filter: download what is left at ' +
        `/v1/tables/${table}/dump`,
    )
  }
  const actions = [...restriction.actions].map(([id, action]) => ({ action, 'field-id': id }))
  return {
    ...(actions.length > 0 && { 'required-column-projections': actions }),
    ...(filter !== undefined && { 'required-row-filter': filter }),
  }
}

/**
 * Engines read old snapshots by their schemas, and look for the filter's columns by name: one that
 * finds another column there would filter by that, and one that finds none fails, as it must.
 */
function isSaidOf(
  schema: Schema,
  filter: RowFilter | undefined,
  definition: TableDefinition,
): boolean {
  if (!isCovered(schema, definition)) return false
  const now = currentSchema(definition)
  const named = namesOf(schema.fields)
  const ids = filter === undefined ? [] : [...fieldsOfFilter(filter)]
  return ids.every((id) => {
    const found = named.filter(({ name }) => name === termOf(id, now)?.toLowerCase())
    return found.every((one) => one.id === id)
  })
}

/** All fields by their full names in lower case, as some readers have them. */
function namesOf(
  fields: readonly Field[],
  above = '',
): readonly { readonly name: string; readonly id: number }[] {
  return fields.flatMap((field) => {
    const name = `${above}${field.name.toLowerCase()}`
    return [{ name, id: field.id }, ...namesOf(childFields(field.type), `${name}.`)]
  })
}
