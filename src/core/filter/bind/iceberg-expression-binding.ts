import {
  type Field,
  isNested,
  type PlainPrimitive,
  type PrimitiveType,
  type Schema,
  type Type,
  typeName,
} from '../../value/type.ts'
import { compareValues, type Value } from '../../value/value.ts'
import type { ComparisonOperator, Literal } from '../parse/expression.ts'
import {
  expressionInvalid,
  type IcebergExpression,
  type IcebergLiteral,
  type IcebergPredicate,
} from '../parse/iceberg-expression.ts'
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
import { nextAbove, type Placement, placeLiteral } from './literal-placement.ts'

/**
 * A filter that holds for every row that the expression may match by any interpretation. Iceberg's
 * readers differ where SQL has three-valued logic: `not-eq`, `not-in`, `not-starts-with` and
 * `not-nan` match null, and whether `not` of a comparison does depends on the reader. Throws
 * `filter-invalid`.
 */
export function bindIcebergExpression(
  expression: IcebergExpression,
  options: { readonly schema: Schema; readonly caseSensitive: boolean },
): BoundFilter {
  return bindNode(expression, new ColumnNames(options.schema, options.caseSensitive), false)
}

/**
 * Columns by the full name that the specification gives them (`a.b`, `list.element`, `map.value`).
 */
export class ColumnNames {
  readonly #byName = new Map<string, FoundField>()
  readonly #caseSensitive: boolean

  constructor(schema: Schema, caseSensitive: boolean) {
    this.#caseSensitive = caseSensitive
    this.#addFields(schema.fields, '', false)
  }

  find(name: string): FoundField | undefined {
    return this.#byName.get(this.#keyOf(name))
  }

  #keyOf(name: string): string {
    return this.#caseSensitive ? name : name.toLowerCase()
  }

  #addFields(fields: readonly Field[], prefix: string, isRepeated: boolean): void {
    for (const { id, name, type } of fields) {
      this.#add(prefix + name, { fieldId: id, type, isRepeated, isAmbiguous: false })
    }
  }

  #add(name: string, field: FoundField): void {
    const key = this.#keyOf(name)
    const isAmbiguous = this.#byName.has(key)
    this.#byName.set(key, { ...field, isAmbiguous })
    const { type } = field
    if (type.kind === 'struct') this.#addFields(type.fields, `${name}.`, field.isRepeated)
    const inside = { isRepeated: true, isAmbiguous: false }
    if (type.kind === 'list') {
      this.#add(`${name}.element`, { fieldId: type.elementId, type: type.element, ...inside })
    }
    if (type.kind === 'map') {
      this.#add(`${name}.key`, { fieldId: type.keyId, type: type.key, ...inside })
      this.#add(`${name}.value`, { fieldId: type.valueId, type: type.value, ...inside })
    }
  }
}

export interface FoundField {
  readonly fieldId: number
  readonly type: Type
  /** Inside a list or map, where a row has many values. */
  readonly isRepeated: boolean
  /** Another name differs only in case. */
  readonly isAmbiguous: boolean
}

function bindNode(node: IcebergExpression, columns: ColumnNames, isNegated: boolean): BoundFilter {
  switch (node.kind) {
    case 'constant':
      return node.value === isNegated ? NEVER : EVERY_ROW
    case 'not':
      return bindNode(node.child, columns, !isNegated)
    case 'and':
    case 'or': {
      const operands = node.operands.map((operand) => bindNode(operand, columns, isNegated))
      return (node.kind === 'and') === isNegated ? anyOf(mergeSets(operands)) : allOf(operands)
    }
    default:
      return bindPredicate(node, columns, isNegated)
  }
}

function bindPredicate(
  predicate: IcebergPredicate,
  columns: ColumnNames,
  isNegated: boolean,
): BoundFilter {
  const found = resolve(predicate, columns)
  if (predicate.term.isTransformed) return EVERY_ROW
  return predicate.kind === 'unary'
    ? bindUnary(predicate, found, isNegated)
    : bindComparing(predicate, found, isNegated)
}

function bindComparing(
  predicate: Exclude<IcebergPredicate, { readonly kind: 'unary' }>,
  { type, fieldId }: FoundField,
  isNegated: boolean,
): BoundFilter {
  if (isNested(type)) throw incomparable(predicate, type)
  const column: BoundColumn = { fieldId, type }
  if (predicate.kind === 'comparison') return bindComparison(predicate, column, isNegated)
  if (predicate.kind === 'set') return bindSet(predicate, column, isNegated)
  return bindPrefix(predicate, column, isNegated)
}

function resolve({ term, path }: IcebergPredicate, columns: ColumnNames): FoundField {
  const found = columns.find(term.name)
  const name = JSON.stringify(term.name.slice(0, 100))
  if (found === undefined) throw expressionInvalid(path, `Cannot find field ${name}`)
  if (found.isAmbiguous) throw expressionInvalid(path, `more than one field is named ${name}`)
  if (found.isRepeated) {
    throw expressionInvalid(
      path,
      `${name} is inside a list or map, so it has no single value in a row`,
    )
  }
  return found
}

function incomparable({ path }: IcebergPredicate, type: Type): Error {
  return expressionInvalid(path, `a field of type ${typeName(type)} cannot be compared`)
}

type UnaryPredicate = Extract<IcebergPredicate, { readonly kind: 'unary' }>

function bindUnary(
  { operation, path }: UnaryPredicate,
  { fieldId, type }: FoundField,
  isNegated: boolean,
): BoundFilter {
  if (operation === 'is-nan' || operation === 'not-nan') {
    if (!isFloating(type)) {
      throw expressionInvalid(path, `a field of type ${typeName(type)} is never NaN`)
    }
    const isNan = (operation === 'is-nan') !== isNegated
    // No metric shows that a file has only NaN, so "not NaN" prunes nothing.
    return isNan ? { kind: 'is-nan', column: { fieldId, type } } : EVERY_ROW
  }
  // Only leaves have metrics; a struct, list or map has none.
  if (isNested(type) || UNMEASURED.has(type.kind)) return EVERY_ROW
  const isNull = (operation === 'is-null') !== isNegated
  const column = { fieldId, type }
  return isNull ? { kind: 'is-null', column } : notNull(column)
}

/** A larger set is tested only by its least and greatest value. */
const SEARCHED_VALUES_MAX = 1_000
/**
 * Excluding a set prunes only files that hold a single value; a larger set is not worth its cost.
 */
const EXCLUDED_VALUES_MAX = 20
const UNMEASURED = new Set(['variant', 'opaque', 'unknown'])
const NEGATED: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  '=': '!=',
  '!=': '=',
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
}

function bindComparison(
  predicate: Extract<IcebergPredicate, { readonly kind: 'comparison' }>,
  column: BoundColumn,
  isNegated: boolean,
): BoundFilter {
  const operator = isNegated ? NEGATED[predicate.operator] : predicate.operator
  const compared = compareWithLiteral(predicate, column, { operator, literal: predicate.value })
  const isOrder = operator !== '=' && operator !== '!='
  // A reader that evaluates `not` literally keeps the rows for which the comparison fails: null and
  // NaN.
  return isNegated && isOrder ? anyOf([isNull(column), ...isNan(column), compared]) : compared
}

function bindSet(
  predicate: Extract<IcebergPredicate, { readonly kind: 'set' }>,
  column: BoundColumn,
  isNegated: boolean,
): BoundFilter {
  const isNotIn = predicate.isNegated !== isNegated
  const operator = isNotIn ? '!=' : '='
  const parts = predicate.values.map((literal) =>
    compareWithLiteral(predicate, column, { operator, literal }),
  )
  if (isNotIn && parts.length > EXCLUDED_VALUES_MAX) return EVERY_ROW
  return isNotIn ? allOf(parts) : anyOf(mergeSets(parts))
}

/** Merges all values of one column into one set. */
function mergeSets(parts: readonly BoundFilter[]): BoundFilter[] {
  const rest = parts.filter((part) => part.kind !== 'in')
  const sets = new Map<number, { readonly column: BoundColumn; readonly values: Value[] }>()
  for (const part of parts) {
    if (part.kind !== 'in') continue
    const { column } = part
    const set = sets.get(column.fieldId) ?? { column, values: [] }
    for (const value of part.values) set.values.push(value)
    sets.set(column.fieldId, set)
  }
  return [...rest, ...[...sets.values()].map(setFilter)]
}

function setFilter({
  column,
  values,
}: {
  readonly column: BoundColumn
  readonly values: readonly Value[]
}): BoundFilter {
  const { type } = column
  if (values.length <= SEARCHED_VALUES_MAX) {
    return { kind: 'in', column, values: sortedValues(type, values) }
  }
  const low = values.reduce((left, right) => (compareValues(type, left, right) <= 0 ? left : right))
  const high = values.reduce((left, right) =>
    compareValues(type, left, right) >= 0 ? left : right,
  )
  const inclusive = (value: Value) => ({ value, isInclusive: true })
  return { kind: 'range', column, low: inclusive(low), high: inclusive(high) }
}

function bindPrefix(
  predicate: Extract<IcebergPredicate, { readonly kind: 'prefix' }>,
  column: BoundColumn,
  isNegated: boolean,
): BoundFilter {
  const { value: prefix, path } = predicate
  if (column.type.kind !== 'string' || typeof prefix !== 'string') {
    throw expressionInvalid(path, 'a prefix must be a string, and its field of type string')
  }
  if (predicate.isNegated !== isNegated) {
    if (prefix === '') return isNull(column)
    return anyOf([isNull(column), { kind: 'not-starts-with', column, prefix }])
  }
  return prefix === '' ? notNull(column) : { kind: 'starts-with', column, prefix }
}

function isNull(column: BoundColumn): BoundFilter {
  return { kind: 'is-null', column }
}

function isNan(column: BoundColumn): readonly BoundFilter[] {
  return isFloating(column.type) ? [{ kind: 'is-nan', column }] : []
}

function isFloating(type: Type): type is PlainPrimitive {
  return type.kind === 'float' || type.kind === 'double'
}

interface Comparison {
  readonly operator: ComparisonOperator
  readonly literal: IcebergLiteral
}

function compareWithLiteral(
  predicate: IcebergPredicate,
  column: BoundColumn,
  { operator, literal }: Comparison,
): BoundFilter {
  if (UNMEASURED.has(column.type.kind)) throw incomparable(predicate, column.type)
  const placement = place(column.type, literal)
  if (placement === 'unclear') return EVERY_ROW
  if (placement === undefined) {
    const shown = JSON.stringify(String(literal).slice(0, 40))
    throw expressionInvalid(
      predicate.path,
      `${shown} is not a value of type ${typeName(column.type)}`,
    )
  }
  const compared = compareLoosely(column, operator, placement)
  return operator === '!=' ? anyOf([isNull(column), compared]) : compared
}

/**
 * Readers round a literal that is not a value of the type up, down or to the nearest, and some
 * order -0 before 0. Whatever they do, every row that they keep is kept here.
 */
function compareLoosely(
  column: BoundColumn,
  operator: ComparisonOperator,
  placement: Placement,
): BoundFilter {
  const bounds = looseBounds(column.type, placement)
  if (bounds === undefined) return compareAt(column, operator, placement)
  const { low, high } = bounds
  switch (operator) {
    case '=':
      return allOf([compareWithValue(column, '>=', low), compareWithValue(column, '<=', high)])
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

function looseBounds(type: PrimitiveType, placement: Placement) {
  if (placement.kind === 'at' && placement.value === 0 && isFloating(type)) {
    return { low: 0, high: 0 }
  }
  if (placement.kind !== 'after') return undefined
  const { below } = placement
  return { low: below, high: nextAbove(type, below) ?? below }
}

const MICROS = new Set(['time', 'timestamp', 'timestamptz'])
const NANOS = new Set(['timestamp_ns', 'timestamptz_ns'])

/**
 * `undefined` if the literal does not fit the type, `unclear` if readers disagree about its value.
 */
function place(type: PrimitiveType, literal: IcebergLiteral): Placement | 'unclear' | undefined {
  if (typeof literal === 'boolean' || typeof literal === 'string') {
    return placeLiteral(type, literalOf(typeof literal as 'boolean' | 'string', literal))
  }
  if (typeof literal === 'number' && !Number.isFinite(literal)) {
    return placeLiteral(type, literalOf('string', literal))
  }
  if (typeof literal === 'number' && Number.isSafeInteger(literal)) {
    if (type.kind === 'long' || MICROS.has(type.kind)) return { kind: 'at', value: BigInt(literal) }
  }
  // A number for a time is the stored count: days or microseconds since 1970, or since midnight.
  if (type.kind === 'date') return placeLiteral({ kind: 'int' }, literalOf('number', literal))
  if (MICROS.has(type.kind)) return placeLiteral({ kind: 'long' }, literalOf('number', literal))
  if (NANOS.has(type.kind)) return 'unclear'
  return placeLiteral(type, literalOf('number', literal))
}

function literalOf(kind: 'boolean' | 'number' | 'string', value: IcebergLiteral): Literal {
  return { kind, text: String(value), position: 0 }
}
