import { fieldsOfFilter, type RowFilter } from '../../core/query/row-filter.ts'
import { type Expression, expressionOf, termOf } from '../../core/query/row-filter-expression.ts'
import { isCovered, restrictionOf } from '../../core/table/restriction.ts'
import { currentSchema, type TableDefinition, type TableState } from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import type { ColumnAction, HeldPolicy } from '../../core/table/table-policy.ts'
import type { Schema } from '../../core/value/type.ts'
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
  if (restriction === undefined) {
    throw refuse(
      `a policy holds for you on ${table}, and cannot be applied, as if a column of its filter ` +
        'is gone: ask who has manage_grants on it to set it again',
    )
  }
  const filter = restriction.filter && expressionOf(restriction.filter, currentSchema(definition))
  if (restriction.filter !== undefined && filter === undefined) {
    throw refuse(
      `the filter of the policy on ${table} has a LIKE that Iceberg cannot express: download ` +
        `what is left at /v1/tables/${table}/dump, or ask for a filter by prefixes`,
    )
  }
  if (!definition.schemas.every((schema) => isSaidOf(schema, restriction.filter, definition))) {
    throw refuse(
      `older schemas of ${table} have columns of which its policy says nothing, or other ones ` +
        `under the names of its filter: download what is left at /v1/tables/${table}/dump`,
    )
  }
  const actions = [...restriction.actions].map(([id, action]) => ({ action, 'field-id': id }))
  return {
    ...(actions.length > 0 && { 'required-column-projections': actions }),
    ...(filter !== undefined && { 'required-row-filter': filter }),
  }
}

/** Engines read old snapshots by their schemas, and look for the filter's columns by name. */
function isSaidOf(
  schema: Schema,
  filter: RowFilter | undefined,
  definition: TableDefinition,
): boolean {
  if (!isCovered(schema, definition)) return false
  const now = currentSchema(definition)
  const ids = filter === undefined ? [] : [...fieldsOfFilter(filter)]
  return ids.every((id) => termOf(id, schema) === termOf(id, now))
}
