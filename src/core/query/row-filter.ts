import { bindFilter } from '../filter/bind/bind-filter.ts'
import type { BoundColumn } from '../filter/bind/bound-filter.ts'
import { findColumn } from '../filter/bind/filter-column.ts'
import { type Placement, placeLiteral } from '../filter/bind/literal-placement.ts'
import type {
  ComparisonOperator,
  FilterExpression,
  FilterNode,
  FilterPredicate,
  Literal,
} from '../filter/parse/expression.ts'
import { isNested, type PrimitiveType, type Schema } from '../value/type.ts'
import type { Value } from '../value/value.ts'

/**
 * A filter bound to a schema that is exact on rows, in SQL's three-valued logic: the rows for which
 * it is TRUE. `BoundFilter` only leaves out files.
 */
export type RowFilter =
  /** Null is unknown. */
  | { readonly kind: 'constant'; readonly value: boolean | null }
  /** At least two operands. */
  | { readonly kind: 'and' | 'or'; readonly operands: readonly RowFilter[] }
  | { readonly kind: 'not'; readonly operand: RowFilter }
  | { readonly kind: 'is-null'; readonly fieldId: number }
  /** Unknown where the column is null, else `value`. */
  | { readonly kind: 'if-known'; readonly fieldId: number; readonly value: boolean }
  | {
      readonly kind: 'compare'
      readonly column: BoundColumn
      readonly operator: ComparisonOperator
      /** NaN is above every number, and equals itself. */
      readonly value: Value
    }
  /** At least one value. */
  | { readonly kind: 'in'; readonly column: BoundColumn; readonly values: readonly Value[] }
  /** `%` is any text, `_` any character, a backslash escapes the next character. */
  | { readonly kind: 'like'; readonly fieldId: number; readonly pattern: string }

/** A decimal literal beyond this is beyond every value of a decimal column. */
const DECIMAL_MAX = 10n ** 38n

/** Throws `filter-invalid`, as `bindFilter` does. */
export function bindRowFilter(expression: FilterExpression, schema: Schema): RowFilter {
  bindFilter(expression, schema)
  return bindNode(expression.root, schema)
}

/** The ids of the fields that the filter looks at. */
export function fieldsOfFilter(filter: RowFilter): ReadonlySet<number> {
  switch (filter.kind) {
    case 'constant':
      return new Set()
    case 'and':
    case 'or':
      return new Set(filter.operands.flatMap((operand) => [...fieldsOfFilter(operand)]))
    case 'not':
      return fieldsOfFilter(filter.operand)
    case 'compare':
    case 'in':
      return new Set([filter.column.fieldId])
    default:
      return new Set([filter.fieldId])
  }
}

function bindNode(node: FilterNode, schema: Schema): RowFilter {
  switch (node.kind) {
    case 'and':
    case 'or':
      return { kind: node.kind, operands: node.operands.map((each) => bindNode(each, schema)) }
    case 'not':
      return { kind: 'not', operand: bindNode(node.operand, schema) }
    default:
      return bindPredicate(node, schema)
  }
}

/** `bindFilter` has refused what has no column, or a literal that is none of its type. */
function bindPredicate(predicate: FilterPredicate, schema: Schema): RowFilter {
  const found = findColumn(schema, predicate.column.path)
  if (typeof found === 'string') throw new Error(`a filter was bound to an ${found} column`)
  const { fieldId, type } = found
  if (isNested(type)) return { kind: 'is-null', fieldId }
  const column = { fieldId, type }
  switch (predicate.kind) {
    case 'is-null':
      return { kind: 'is-null', fieldId }
    case 'comparison':
      return compare(column, predicate.operator, predicate.literal)
    case 'in':
      return isOneOf(column, predicate.literals)
    case 'like':
      return { kind: 'like', fieldId, pattern: predicate.pattern.text }
  }
}

function isOneOf(column: BoundColumn, literals: readonly Literal[]): RowFilter {
  const parts = literals.map((literal) => compare(column, '=', literal))
  const values: Value[] = []
  const rest = parts.filter((part) => {
    if (part.kind !== 'compare') return true
    values.push(part.value)
    return false
  })
  const set: readonly RowFilter[] = values.length === 0 ? [] : [{ kind: 'in', column, values }]
  const [first, ...others] = [...set, ...rest]
  if (first === undefined) return { kind: 'constant', value: false }
  return others.length === 0 ? first : { kind: 'or', operands: [first, ...others] }
}

function compare(column: BoundColumn, operator: ComparisonOperator, literal: Literal): RowFilter {
  if (literal.kind === 'null') return { kind: 'constant', value: null }
  const placement = placeLiteral(column.type, literal)
  if (placement === undefined) throw new Error('a filter was bound to a literal of another type')
  return compareAt(column, operator, exactly(column.type, placement, literal))
}

/**
 * A number among 32-bit floats means the nearest one, as in SQL; one beyond all of them none. A
 * decimal beyond 38 digits is beyond every value.
 */
function exactly(type: PrimitiveType, placement: Placement, { text }: Literal): Placement {
  if (placement.kind === 'around') {
    const value = Math.fround(Number(text))
    return Number.isFinite(value) ? { kind: 'at', value } : { kind: 'after', below: placement.low }
  }
  if (type.kind !== 'decimal' || (placement.kind !== 'at' && placement.kind !== 'after')) {
    return placement
  }
  const unscaled = (placement.kind === 'at' ? placement.value : placement.below) as bigint
  if (unscaled >= DECIMAL_MAX) return { kind: 'over-all' }
  return unscaled <= -DECIMAL_MAX ? { kind: 'under-all' } : placement
}

function compareAt(
  column: BoundColumn,
  operator: ComparisonOperator,
  placement: Placement,
): RowFilter {
  const against = (value: Value): RowFilter => ({ kind: 'compare', column, operator, value })
  const ifKnown = (value: boolean): RowFilter => {
    return { kind: 'if-known', fieldId: column.fieldId, value }
  }
  switch (placement.kind) {
    case 'at':
      return against(placement.value)
    case 'nan':
      return against(Number.NaN)
    case 'around':
      throw new Error('a number among floats was not rounded')
    case 'under-all':
      return ifKnown(operator === '>' || operator === '>=' || operator === '!=')
    case 'over-all':
      return ifKnown(operator === '<' || operator === '<=' || operator === '!=')
    case 'after': {
      if (operator === '=' || operator === '!=') return ifKnown(operator === '!=')
      const isBelow = operator === '<' || operator === '<='
      return { kind: 'compare', column, operator: isBelow ? '<=' : '>', value: placement.below }
    }
  }
}
