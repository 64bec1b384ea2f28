import type { Schema } from '../value/type.ts'
import type { RowFilter } from './row-filter.ts'

/** What a query gives of each group of rows. Only `count` takes no column. */
export const AGGREGATES = [
  'count',
  'count_distinct',
  'approx_count_distinct',
  'sum',
  'avg',
  'min',
  'max',
] as const

export type AggregateFunction = (typeof AGGREGATES)[number]

/** A query of one table, by names, as clients send it. */
export interface QueryRequest {
  /** All columns by default; those of `groupBy` in a query of groups. */
  readonly columns?: readonly string[] | undefined
  /** In the grammar of filters; exact on rows. */
  readonly filter?: string | undefined
  readonly groupBy?: readonly string[] | undefined
  readonly aggregates?: readonly AggregateRequest[] | undefined
  readonly orderBy?: readonly OrderRequest[] | undefined
  readonly limit?: number | undefined
}

export interface AggregateRequest {
  readonly function: AggregateFunction
  readonly column?: string | undefined
  /** The name in the result; by default `count`, or `min_price`. */
  readonly as?: string | undefined
}

export interface OrderRequest {
  /** A column of the table or, in a query of groups, of the result. */
  readonly column: string
  readonly descending?: boolean | undefined
  /** By default nulls come last. */
  readonly nullsFirst?: boolean | undefined
}

/**
 * A query bound to a schema: names are field ids. The rows of a query without groups are in the
 * order of the table (sequence number, path, position) where `orderBy` leaves it open; groups in
 * that of their keys.
 */
export interface BoundQuery {
  /** The columns of the result; its field ids are 1, 2, ... */
  readonly result: Schema
  /** One for each field of the result. */
  readonly outputs: readonly QueryOutput[]
  readonly filter?: RowFilter
  /** Field ids of the keys, which are the first outputs; none is one group of all rows. */
  readonly groupBy?: readonly number[]
  readonly orderBy: readonly OrderTerm[]
  readonly limit?: number
}

export type QueryOutput =
  | { readonly kind: 'column'; readonly fieldId: number }
  | {
      readonly kind: 'aggregate'
      readonly function: AggregateFunction
      readonly fieldId?: number
    }

export interface OrderTerm {
  /** A field of the table, or the position of a column in the result of groups. */
  readonly by: { readonly fieldId: number } | { readonly output: number }
  readonly isDescending: boolean
  readonly isNullsFirst: boolean
}
