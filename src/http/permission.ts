import type { Privilege } from '../core/access/privilege.ts'
import { isCovered, type Restriction, restrictionOf } from '../core/table/restriction.ts'
import type { TableState } from '../core/table/table.ts'
import { formatTableName } from '../core/table/table-name.ts'
import type { TablePolicy } from '../core/table/table-policy.ts'
import type { Schema } from '../core/value/type.ts'
import { ProblemError } from '../problem/problems.ts'
import type { Decision, Securable, Target, TargetName } from './authorizer.ts'

/** The parts of a request that are known before its body is read. */
export interface TargetCall<Query, Parameter extends string> {
  readonly query: Query
  param(name: Parameter): string
}

/**
 * How a route keeps to the policies on tables by itself, so that they do not refuse it: it shows of
 * rows what `Call.policyOn` leaves, or tells that to engines which are trusted, and to nobody else.
 */
export type RowsShown = 'filtered' | 'told'

/**
 * The policy on a table, if it holds for the caller. `asked`: the name by which a privilege on it
 * was asked for, of a caller who names several tables.
 */
export type PolicyOn = (tableUuid: string, asked?: string) => TablePolicy | undefined

/**
 * Asks, by its UUID, for a table that was found by a name: the name may have become another
 * table's, and the caller may have lost the privilege, since it was asked for. Throws as
 * `Call.authorize`, and names what was asked for.
 */
export type AuthorizeFound = (
  privilege: Privilege,
  found: { readonly asked: string; readonly tableUuid: string },
  rows?: RowsShown,
) => Promise<void>

/** One privilege on one thing, named by path and query. */
export type Requirement<Query = unknown, Parameter extends string = string> = {
  readonly [On in Securable]: {
    readonly privilege: Privilege
    readonly on: On
    target(call: TargetCall<Query, Parameter>): TargetName<On>
    readonly rows?: RowsShown
  }
}[Securable]

/**
 * The permission that a route requires. `public`: none. `in-use-case`: its targets are in a body or
 * a staged transaction, so the use case calls `authorize` once it knows them.
 */
export type Permission<Query = unknown, Parameter extends string = string> =
  | 'public'
  | 'in-use-case'
  | Requirement<Query, Parameter>

/** A privilege on the table of the path. */
export function onTable(privilege: Privilege, rows?: RowsShown) {
  return {
    privilege,
    ...(rows !== undefined && { rows }),
    on: 'table' as const,
    target: ({ param }: TargetCall<unknown, 'table_identifier'>) => param('table_identifier'),
  }
}

/** A privilege on the view of the path. */
export function onView(privilege: Privilege) {
  return {
    privilege,
    on: 'view' as const,
    target: ({ param }: TargetCall<unknown, 'view_identifier'>) => param('view_identifier'),
  }
}

/** A privilege on the export task of the path. */
export function onExport(privilege: Privilege) {
  return {
    privilege,
    on: 'export' as const,
    target: ({ param }: TargetCall<unknown, 'task'>) => param('task'),
  }
}

export function onCatalog(privilege: Privilege) {
  return { privilege, on: 'catalog' as const, target: () => undefined }
}

/** A privilege that somebody needs on something. */
export interface Asked {
  readonly privilege: Privilege
  readonly target: Target
  /** `allowed`, too, where a policy withholds some; absent: nobody decided. */
  readonly decision?: Decision
}

/** For whom a policy holds that cannot say what may be shown. */
export function policyUnusable(table: string): ProblemError {
  const detail =
    `a policy holds for you on ${table} and cannot be applied: a column of its filter is gone, ` +
    'the table was replaced, or a rebuild closed it. Who has manage_grants on it can set it ' +
    'again, or take it away'
  return new ProblemError('table-restricted', detail, { facts: { table } })
}

/**
 * What the caller may see of the table's rows, by a schema. Throws `table-restricted` where a
 * policy cannot say it; `covered` is how to ask for what it covers, after a colon.
 */
export function restrictionFor(
  { definition, namespace, name }: TableState,
  {
    schema,
    policyOn,
    covered,
  }: {
    readonly schema: Schema
    /** As in `Call`. */
    readonly policyOn: PolicyOn
    readonly covered: string
  },
): Restriction {
  const policy = policyOn(definition.tableUuid)
  if (policy === undefined) return 'unrestricted'
  const table = formatTableName(namespace, name)
  const restriction = restrictionOf(policy, definition)
  if (restriction === undefined) throw policyUnusable(table)
  if (isCovered(schema, definition)) return restriction
  const detail =
    `a policy holds for you on ${table}, and says nothing of columns that the table no ` +
    `longer has, as schema ${schema.schemaId} does: ${covered}`
  throw new ProblemError('table-restricted', detail, { facts: { table } })
}
