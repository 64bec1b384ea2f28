/** What is withheld of a table's rows, and from whom not. */
export interface TablePolicy {
  /** Rows that those may see who are not excepted, as clients write filters; `null`: all. */
  readonly rowFilter: string | null
  /** Columns whose values they see changed; all others as they are. */
  readonly columns?: readonly ColumnRule[]
  /** Principals and roles for whom the policy does not hold. */
  readonly except: readonly string[]
  /** Principals and roles of engines that get at all of it, and apply the policy themselves. */
  readonly trustedEngines?: readonly string[]
  /**
   * The table and the schema by which columns are named here; then they are followed by field id.
   * Without it, or of another table, the policy shows nothing.
   */
  readonly names?: { readonly tableUuid: string; readonly schemaId: number }
}

/** A policy that holds for a caller. */
export interface HeldPolicy extends TablePolicy {
  /** The caller is an engine that the policy trusts to apply it. */
  readonly isTrusted: boolean
}

export interface ColumnRule {
  /** A top-level column. */
  readonly column: string
  readonly action: ColumnAction
}

/**
 * Actions of `read-restrictions` (Iceberg REST) that give the same bytes for the same values, and
 * are done exactly.
 */
export const COLUMN_ACTIONS = [
  'mask-alphanum',
  'mask-to-fixed-value',
  'replace-with-null',
  'show-first-4',
  'show-last-4',
  'truncate-to-year',
  'truncate-to-month',
  'sha-256-global',
] as const

export type ColumnAction = (typeof COLUMN_ACTIONS)[number]

/** As the API has it. */
export function toldPolicy({
  rowFilter,
  columns = [],
  except,
  trustedEngines = [],
}: TablePolicy): ToldPolicy {
  return { row_filter: rowFilter, columns, except, trusted_engines: trustedEngines }
}

export interface ToldPolicy {
  readonly row_filter: string | null
  readonly columns: readonly ColumnRule[]
  readonly except: readonly string[]
  readonly trusted_engines: readonly string[]
}
