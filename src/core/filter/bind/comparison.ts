import type { Value } from '../../value/value.ts'
import type { ComparisonOperator } from '../parse/expression.ts'
import { type BoundColumn, type BoundFilter, type Endpoint, NEVER } from './bound-filter.ts'
import { isDiscrete, nextAbove, nextBelow, type Placement } from './literal-placement.ts'

/**
 * The filter for `column operator literal`, given where the literal lies among the column's values.
 */
export function compareAt(
  column: BoundColumn,
  operator: ComparisonOperator,
  placement: Placement,
): BoundFilter {
  switch (placement.kind) {
    case 'at':
      return compareWithValue(column, operator, placement.value)
    case 'after':
      return compareAfter(column, operator, placement.below)
    case 'around':
      return compareAround(column, operator, placement)
    case 'under-all':
      return isOneOf(operator, '>', '>=', '!=') ? notNull(column) : NEVER
    case 'over-all':
      return isOneOf(operator, '<', '<=', '!=') ? notNull(column) : NEVER
    case 'nan':
      return compareWithNan(column, operator)
  }
}

export function compareWithValue(
  column: BoundColumn,
  operator: ComparisonOperator,
  value: Value,
): BoundFilter {
  const { type } = column
  switch (operator) {
    case '=':
      return { kind: 'in', column, values: [value] }
    case '!=':
      return { kind: 'not-equal', column, value }
    case '<=':
      return { kind: 'range', column, high: { value, isInclusive: true } }
    case '>=':
      return { kind: 'range', column, low: { value, isInclusive: true } }
    case '<': {
      const high = isDiscrete(type) ? inclusive(nextBelow(type, value)) : exclusive(value)
      return high === undefined ? NEVER : { kind: 'range', column, high }
    }
    case '>': {
      const low = isDiscrete(type) ? inclusive(nextAbove(type, value)) : exclusive(value)
      return low === undefined ? NEVER : { kind: 'range', column, low }
    }
  }
}

function inclusive(value: Value | undefined): Endpoint | undefined {
  return value === undefined ? undefined : { value, isInclusive: true }
}

function exclusive(value: Value): Endpoint {
  return { value, isInclusive: false }
}

function compareAfter(
  column: BoundColumn,
  operator: ComparisonOperator,
  below: Value,
): BoundFilter {
  switch (operator) {
    case '=':
      return NEVER
    case '!=':
      return notNull(column)
    case '<':
    case '<=':
      return compareWithValue(column, '<=', below)
    case '>':
    case '>=':
      return compareWithValue(column, '>', below)
  }
}

// Whichever way an engine rounds the literal, every row that it keeps is kept here.
function compareAround(
  column: BoundColumn,
  operator: ComparisonOperator,
  { low, high }: { readonly low: number; readonly high: number },
): BoundFilter {
  switch (operator) {
    case '=':
      return {
        kind: 'range',
        column,
        low: { value: low, isInclusive: true },
        high: { value: high, isInclusive: true },
      }
    case '!=':
      return notNull(column)
    case '<':
    case '<=':
      return compareWithValue(column, '<=', high)
    case '>':
    case '>=':
      return compareWithValue(column, '>=', low)
  }
}

// NaN equals itself and is above everything (DuckDB, Spark). Where IEEE 754 keeps more rows, so do
// we.
function compareWithNan(column: BoundColumn, operator: ComparisonOperator): BoundFilter {
  switch (operator) {
    case '=':
    case '>=':
      return { kind: 'is-nan', column }
    case '>':
      return NEVER
    case '<':
    case '<=':
    case '!=':
      return notNull(column)
  }
}

export function notNull(column: BoundColumn): BoundFilter {
  return { kind: 'is-not-null', column }
}

function isOneOf(operator: ComparisonOperator, ...operators: ComparisonOperator[]): boolean {
  return operators.includes(operator)
}
