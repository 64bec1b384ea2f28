import type { RowFilter } from '../../../core/query/row-filter.ts'
import type { PrimitiveType } from '../../../core/value/type.ts'
import type { Value } from '../../../core/value/value.ts'
import { quoteText } from '../sql/sql-text.ts'
import { typeSql } from '../sql/type-sql.ts'
import { valueSql } from '../sql/value-sql.ts'

/** SQL for a filter; `columnOf` is the SQL of a field, with its table's type. */
export function rowFilterSql(filter: RowFilter, columnOf: (fieldId: number) => string): string {
  const inner = (each: RowFilter) => rowFilterSql(each, columnOf)
  switch (filter.kind) {
    case 'constant':
      return filter.value === null ? 'CAST(NULL AS BOOLEAN)' : String(filter.value)
    case 'and':
    case 'or':
      return `(${filter.operands.map(inner).join(filter.kind === 'and' ? ' AND ' : ' OR ')})`
    case 'not':
      return `(NOT ${inner(filter.operand)})`
    case 'is-null':
      return `(${columnOf(filter.fieldId)} IS NULL)`
    case 'if-known':
      return `(CASE WHEN ${columnOf(filter.fieldId)} IS NOT NULL THEN ${filter.value} END)`
    case 'like':
      return `(${columnOf(filter.fieldId)} LIKE ${quoteText(filter.pattern)} ESCAPE '\\')`
    case 'in': {
      const { column, values } = filter
      const literals = values.map((value) => literalSql(column.type, value))
      return `(${columnOf(column.fieldId)} IN (${literals.join(', ')}))`
    }
    case 'compare': {
      const { column, operator, value } = filter
      const sign = operator === '!=' ? '<>' : operator
      return `(${columnOf(column.fieldId)} ${sign} ${literalSql(column.type, value)})`
    }
  }
}

/** A decimal literal may have more digits than its column. */
function literalSql(type: PrimitiveType, value: Value): string {
  const wide = type.kind === 'decimal' ? { ...type, precision: 38 } : type
  const sql = Number.isNaN(value) ? `'NaN'` : valueSql(type, value)
  return `CAST(${sql} AS ${typeSql(wide, 'filter')})`
}
