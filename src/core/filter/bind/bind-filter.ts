import { isNested, type PrimitiveType, type Schema, type Type, typeName } from '../../value/type.ts'
import type { Value } from '../../value/value.ts'
import type {
  ColumnReference,
  ComparisonOperator,
  FilterExpression,
  FilterNode,
  FilterPredicate,
  Literal,
} from '../parse/expression.ts'
import { filterInvalid } from '../parse/filter-error.ts'
import { parseLikePattern } from '../parse/like-pattern.ts'
import {
  allOf,
  anyOf,
  type BoundColumn,
  type BoundFilter,
  EVERY_ROW,
  NEVER,
  sortedValues,
} from './bound-filter.ts'
import { compareAt, compareWithValue, notNull } from './comparison.ts'
import { columnNames, findColumn } from './filter-column.ts'
import { placeLiteral } from './literal-placement.ts'

const COLUMNS_LISTED_MAX = 20
const INCOMPARABLE = new Set(['list', 'map', 'struct', 'variant', 'opaque', 'unknown'])
const NEGATED: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  '=': '!=',
  '!=': '=',
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
}

/**
 * Resolves columns, converts literals to values of their types without losing a digit, and pushes
 * NOT down to the predicates (in SQL's three-valued logic a comparison with null is never TRUE).
 * Throws `filter-invalid` for an unknown column, or for a literal of a kind that the column's type
 * cannot have.
 */
export function bindFilter(expression: FilterExpression, schema: Schema): BoundFilter {
  return bindNode({ text: expression.text, schema }, expression.root, 'as-is')
}

interface Binding {
  readonly text: string
  readonly schema: Schema
}

type Polarity = 'as-is' | 'negated'

function bindNode(binding: Binding, node: FilterNode, polarity: Polarity): BoundFilter {
  switch (node.kind) {
    case 'not':
      return bindNode(binding, node.operand, polarity === 'negated' ? 'as-is' : 'negated')
    case 'and':
    case 'or': {
      const operands = node.operands.map((operand) => bindNode(binding, operand, polarity))
      const isConjunction = (node.kind === 'and') === (polarity === 'as-is')
      return isConjunction ? allOf(operands) : anyOf(operands)
    }
    default:
      return bindPredicate(binding, node, polarity)
  }
}

function bindPredicate(
  binding: Binding,
  predicate: FilterPredicate,
  polarity: Polarity,
): BoundFilter {
  const { fieldId, type } = resolveColumn(binding, predicate.column)
  if (predicate.kind === 'is-null') {
    if (isNested(type) || INCOMPARABLE.has(type.kind)) return EVERY_ROW
    const kind = polarity === 'negated' ? 'is-not-null' : 'is-null'
    return { kind, column: { fieldId, type } }
  }
  if (isNested(type) || INCOMPARABLE.has(type.kind)) {
    throw filterInvalid({
      text: binding.text,
      position: predicate.column.position,
      detail: `a column of type ${typeName(type)} cannot be compared`,
      expected: 'IS NULL or IS NOT NULL',
      facts: { type: typeName(type) },
    })
  }
  const column = { fieldId, type }
  switch (predicate.kind) {
    case 'comparison': {
      const { operator, literal } = predicate
      const comparison = polarity === 'negated' ? NEGATED[operator] : operator
      return bindComparison(binding, column, comparison, literal)
    }
    case 'in': {
      const operator = polarity === 'negated' ? '!=' : '='
      const parts = predicate.literals.map((l) => bindComparison(binding, column, operator, l))
      return polarity === 'negated' ? allOf(parts) : anyOf(mergeEqualities(column, parts))
    }
    default:
      return bindLike(binding, column, predicate.pattern, polarity)
  }
}

function resolveColumn(
  { text, schema }: Binding,
  reference: ColumnReference,
): { readonly fieldId: number; readonly type: Type } {
  const found = findColumn(schema, reference.path)
  if (typeof found === 'object') return found
  const name = reference.path.join('.')
  throw filterInvalid({
    text,
    position: reference.position,
    detail: found === 'ambiguous' ? `column ${name} is ambiguous` : `unknown column ${name}`,
    expected: found === 'ambiguous' ? 'the exact case of one column' : 'a column of the table',
    facts: { column: name, columns: columnNames(schema, COLUMNS_LISTED_MAX) },
  })
}

function bindComparison(
  binding: Binding,
  column: BoundColumn,
  operator: ComparisonOperator,
  literal: Literal,
): BoundFilter {
  if (literal.kind === 'null') return NEVER
  const placement = placeLiteral(column.type, literal)
  if (placement === undefined) throw impossibleLiteral(binding.text, column.type, literal)
  return compareAt(column, operator, placement)
}

function impossibleLiteral(text: string, type: PrimitiveType, literal: Literal): Error {
  const shown = literal.text.length > 40 ? `${literal.text.slice(0, 40)}...` : literal.text
  return filterInvalid({
    text,
    position: literal.position,
    detail: `${shown} is not a value of type ${typeName(type)}`,
    expected: LITERAL_SHAPES[type.kind] ?? 'a number',
    facts: { type: typeName(type) },
  })
}

const TIMESTAMP_SHAPE = "a quoted date or time such as '2001-03-15T12:00:00'"
const LITERAL_SHAPES: Readonly<Record<string, string>> = {
  boolean: 'TRUE or FALSE',
  date: "a quoted date such as '2001-03-15'",
  time: "a quoted time such as '22:31:08'",
  timestamp: TIMESTAMP_SHAPE,
  timestamptz: TIMESTAMP_SHAPE,
  timestamp_ns: TIMESTAMP_SHAPE,
  timestamptz_ns: TIMESTAMP_SHAPE,
  string: 'a quoted string',
  uuid: 'a quoted UUID',
  fixed: "quoted hexadecimal digits such as '00ff'",
  binary: "quoted hexadecimal digits such as '00ff'",
}

/** Replaces several equalities by one sorted set; other predicates stay. */
function mergeEqualities(column: BoundColumn, parts: readonly BoundFilter[]): BoundFilter[] {
  const values: Value[] = []
  const rest: BoundFilter[] = []
  for (const part of parts) {
    if (part.kind === 'in') values.push(...part.values)
    else rest.push(part)
  }
  if (values.length > 0) {
    rest.push({ kind: 'in', column, values: sortedValues(column.type, values) })
  }
  return rest
}

function bindLike(
  { text }: Binding,
  column: BoundColumn,
  literal: Literal,
  polarity: Polarity,
): BoundFilter {
  if (column.type.kind !== 'string') throw impossiblePattern(text, column, literal)
  const pattern = parseLikePattern(literal.text)
  if (pattern === undefined) {
    throw filterInvalid({
      text,
      position: literal.position,
      detail: 'the pattern ends in a backslash, which escapes the next character',
      expected: 'two backslashes to match one',
    })
  }
  const { kind, prefix } = pattern
  if (kind === 'exact') return compareWithValue(column, polarity === 'as-is' ? '=' : '!=', prefix)
  if (polarity === 'as-is') {
    return prefix === '' ? notNull(column) : { kind: 'starts-with', column, prefix }
  }
  if (kind === 'other') return notNull(column)
  return prefix === '' ? NEVER : { kind: 'not-starts-with', column, prefix }
}

function impossiblePattern(text: string, column: BoundColumn, literal: Literal): Error {
  return filterInvalid({
    text,
    position: literal.position,
    detail: `LIKE needs a string column, but this one has type ${typeName(column.type)}`,
    expected: 'a string column',
    facts: { type: typeName(column.type) },
  })
}
