import type { BoundQuery, OrderTerm, QueryOutput } from '../../../core/query/bound-query.ts'
import type { Schema } from '../../../core/value/type.ts'
import type { ResultPart } from '../../engine.ts'
import { typeSql } from '../sql/type-sql.ts'
import { rowFilterSql } from './row-filter-sql.ts'
import { fieldSql } from './table-rows.ts'

/**
 * SQL for a query of rows as `tableRows` gives them. Its columns are `o0`, `o1`, ... with the types
 * of the result; without groups, `f` and `r` follow, the positions of the rows.
 */
export function querySql(
  query: BoundQuery,
  rows: string,
  { schema, part }: { readonly schema: Schema; readonly part: ResultPart | undefined },
): string {
  const { outputs, filter, groupBy, result } = query
  const columnOf = (fieldId: number) => fieldSql(schema, fieldId)
  const values = outputs.map((output, i) => {
    const field = result.fields[i]
    const type = typeSql(field?.type ?? { kind: 'unknown' }, field?.name ?? '')
    return `${outputValue(output, { columnOf, type })} AS o${i}`
  })
  const where = filter === undefined ? '' : ` WHERE ${rowFilterSql(filter, columnOf)}`
  const keys = groupBy?.map(columnOf) ?? []
  const grouping = keys.length === 0 ? '' : ` GROUP BY ${keys.join(', ')}`
  const positions = groupBy === undefined ? ['f', 'r'] : []
  const order = orderSql(query, columnOf)
  return (
    `SELECT ${[...values, ...positions].join(', ')} FROM (${rows}) AS s${where}${grouping}` +
    `${order}${limitSql(query.limit, part)}`
  )
}

function outputValue(
  output: QueryOutput,
  { columnOf, type }: { columnOf: (fieldId: number) => string; type: string },
): string {
  if (output.kind === 'column') return columnOf(output.fieldId)
  const column = output.fieldId === undefined ? '*' : columnOf(output.fieldId)
  switch (output.function) {
    case 'count_distinct':
      return `count(DISTINCT ${column})`
    case 'sum':
      return `CAST(sum(${column}) AS ${type})`
    case 'min':
    case 'max':
    case 'avg':
    case 'count':
    case 'approx_count_distinct':
      return `${output.function}(${column})`
  }
}

/** A total order, so that parts of the result are parts of one. */
function orderSql({ orderBy, groupBy }: BoundQuery, columnOf: (fieldId: number) => string): string {
  if (groupBy !== undefined) {
    const keys = groupBy.map((_, i) => `o${i} ASC NULLS LAST`)
    const terms = [...orderBy.map((term) => termSql(term, columnOf)), ...keys]
    return terms.length === 0 ? '' : ` ORDER BY ${terms.join(', ')}`
  }
  if (orderBy.length === 0) return ''
  return ` ORDER BY ${[...orderBy.map((term) => termSql(term, columnOf)), 'f', 'r'].join(', ')}`
}

function termSql(
  { by, isDescending, isNullsFirst }: OrderTerm,
  columnOf: (fieldId: number) => string,
): string {
  const value = 'output' in by ? `o${by.output}` : columnOf(by.fieldId)
  return `${value} ${isDescending ? 'DESC' : 'ASC'} NULLS ${isNullsFirst ? 'FIRST' : 'LAST'}`
}

function limitSql(limit: number | undefined, part: ResultPart | undefined): string {
  const rows = rowsTaken(limit, part)
  const offset = part?.offset ?? 0
  const first = rows === Number.POSITIVE_INFINITY ? '' : ` LIMIT ${rows}`
  return first + (offset > 0 ? ` OFFSET ${Math.trunc(offset)}` : '')
}

/** One row more than wanted tells whether there are more. */
export function rowsTaken(limit: number | undefined, part: ResultPart | undefined): number {
  const all = limit ?? Number.POSITIVE_INFINITY
  if (part === undefined) return Math.trunc(all)
  return Math.trunc(Math.min(part.rowsMax + 1, Math.max(0, all - (part.offset ?? 0))))
}
