import type { BoundColumn } from '../filter/bind/bound-filter.ts'
import type { ComparisonOperator } from '../filter/parse/expression.ts'
import { parseLikePattern } from '../filter/parse/like-pattern.ts'
import { findPathToField } from '../schema/schema-lookup.ts'
import { valueToJson } from '../value/single-value.ts'
import type { PrimitiveType, Schema } from '../value/type.ts'
import type { Value } from '../value/value.ts'
import type { RowFilter } from './row-filter.ts'

/** An `Expression` of the Iceberg REST specification, as JSON. */
export type Expression = Readonly<Record<string, unknown>>

const TYPES: Readonly<Record<ComparisonOperator, string>> = {
  ...{ '=': 'eq', '!=': 'not-eq', '<': 'lt', '<=': 'lt-eq', '>': 'gt', '>=': 'gt-eq' },
}
const NEGATED: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  ...{ '=': '!=', '!=': '=', '<': '>=', '<=': '>', '>': '<=', '>=': '<' },
}
const NEVER: Expression = { type: 'false' }

/**
 * The rows for which the filter is TRUE in SQL's logic, as an expression over the schema's names.
 * Comparisons of Iceberg with null are true or false, as readers like: so none is made without
 * asking for a value, NOT is pushed down to them, and what is unknown is false. NaN is above every
 * number. `undefined` for a LIKE that is no prefix, and for floats below zero or other than it:
 * some readers have -0.0 below 0.0.
 */
export function expressionOf(filter: RowFilter, schema: Schema): Expression | undefined {
  return new Writer(schema).write(filter, false)
}

/** The full name of a field, as an expression has it. */
export function termOf(fieldId: number, { fields }: Schema): string | undefined {
  return findPathToField(fields, fieldId)
    ?.map(({ name }) => name)
    .join('.')
}

type Predicate = Exclude<RowFilter, { kind: 'constant' | 'not' | 'and' | 'or' }>

class Writer {
  readonly #schema: Schema

  constructor(schema: Schema) {
    this.#schema = schema
  }

  write(filter: RowFilter, isNegated: boolean): Expression | undefined {
    switch (filter.kind) {
      case 'constant':
        return { type: filter.value === !isNegated ? 'true' : 'false' }
      case 'not':
        return this.write(filter.operand, !isNegated)
      case 'and':
      case 'or': {
        const operands = filter.operands.map((operand) => this.write(operand, isNegated))
        return chain((filter.kind === 'and') === !isNegated ? 'and' : 'or', operands)
      }
      default:
        return this.#predicate(filter, isNegated)
    }
  }

  #predicate(filter: Predicate, isNegated: boolean): Expression | undefined {
    switch (filter.kind) {
      case 'is-null':
        return this.#test(isNegated ? 'not-null' : 'is-null', filter.fieldId)
      case 'if-known':
        return filter.value === !isNegated ? this.#test('not-null', filter.fieldId) : NEVER
      case 'compare': {
        const { column, value, operator } = filter
        return this.#compare(column, isNegated ? NEGATED[operator] : operator, value)
      }
      case 'in':
        return this.#isOneOf(filter, isNegated)
      default:
        return this.#like(filter, isNegated)
    }
  }

  #compare(
    { fieldId, type }: BoundColumn,
    operator: ComparisonOperator,
    value: Value,
  ): Expression | undefined {
    if (isFloatZero(type, value) && (operator === '<' || operator === '!=')) return undefined
    if (Number.isNaN(value)) return this.#compareWithNaN(fieldId, operator)
    const side = sideOf(type, value)
    if (side !== undefined) {
      const isTrue = operator === '!=' || operator.startsWith(side === 'above' ? '<' : '>')
      return isTrue ? this.#test('not-null', fieldId) : NEVER
    }
    const literal = valueToJson(type, value)
    return this.#known(fieldId, {
      type: TYPES[operator],
      term: this.#term(fieldId),
      value: literal,
    })
  }

  #isOneOf(
    { column, values }: Extract<RowFilter, { kind: 'in' }>,
    isNegated: boolean,
  ): Expression | undefined {
    const isPlain = (value: Value) =>
      !Number.isNaN(value) &&
      sideOf(column.type, value) === undefined &&
      !isFloatZero(column.type, value)
    const numbers = values.filter(isPlain)
    const parts = values
      .filter((value) => !isPlain(value))
      .map((value) => this.#compare(column, isNegated ? '!=' : '=', value))
    if (numbers.length > 0) parts.unshift(this.#in(column, isNegated ? 'not-in' : 'in', numbers))
    return chain(isNegated ? 'and' : 'or', parts)
  }

  #in({ fieldId, type }: BoundColumn, kind: 'in' | 'not-in', values: readonly Value[]): Expression {
    const literals = values.map((value) => valueToJson(type, value))
    return this.#known(fieldId, { type: kind, term: this.#term(fieldId), values: literals })
  }

  /** NaN is above every number, and equals itself. */
  #compareWithNaN(fieldId: number, operator: ComparisonOperator): Expression {
    switch (operator) {
      case '=':
      case '>=':
        return this.#known(fieldId, this.#test('is-nan', fieldId))
      case '!=':
      case '<':
        return this.#known(fieldId, this.#test('not-nan', fieldId))
      case '<=':
        return this.#test('not-null', fieldId)
      case '>':
        return NEVER
    }
  }

  #like(
    { fieldId, pattern }: Extract<RowFilter, { kind: 'like' }>,
    isNegated: boolean,
  ): Expression | undefined {
    const parsed = parseLikePattern(pattern)
    if (parsed === undefined || parsed.kind === 'other') return undefined
    const { kind, prefix } = parsed
    if (kind === 'prefix' && prefix === '') {
      return isNegated ? NEVER : this.#test('not-null', fieldId)
    }
    const type = kind === 'exact' ? (isNegated ? 'not-eq' : 'eq') : negatedPrefix(isNegated)
    return this.#known(fieldId, { type, term: this.#term(fieldId), value: prefix })
  }

  #test(type: 'is-null' | 'not-null' | 'is-nan' | 'not-nan', fieldId: number): Expression {
    return { type, term: this.#term(fieldId) }
  }

  #known(fieldId: number, right: Expression): Expression {
    return { type: 'and', left: this.#test('not-null', fieldId), right }
  }

  #term(fieldId: number): string {
    const name = termOf(fieldId, this.#schema)
    if (name === undefined) throw new Error(`a filter was bound to a field ${fieldId} that is gone`)
    return name
  }
}

function isFloatZero(type: PrimitiveType, value: Value): boolean {
  return (type.kind === 'float' || type.kind === 'double') && value === 0
}

/** Where a decimal lies that has more digits than any of its column, and so is no literal there. */
function sideOf(type: PrimitiveType, value: Value): 'above' | 'below' | undefined {
  if (type.kind !== 'decimal') return undefined
  const end = 10n ** BigInt(type.precision)
  const unscaled = value as bigint
  if (unscaled >= end) return 'above'
  return unscaled <= -end ? 'below' : undefined
}

function negatedPrefix(isNegated: boolean): string {
  return isNegated ? 'not-starts-with' : 'starts-with'
}

function chain(
  type: 'and' | 'or',
  operands: readonly (Expression | undefined)[],
): Expression | undefined {
  return operands.reduce((left, right) => {
    return left === undefined || right === undefined ? undefined : { type, left, right }
  })
}
