import fc from 'fast-check'
import { dateText, timestampText } from '../../../src/core/value/date-time.ts'
import { decimalText } from '../../../src/core/value/decimal.ts'
import type { Value } from '../../../src/core/value/value.ts'
import { compareBytes, compareCodePoints } from '../../../src/core/value/value.ts'
import { COLUMNS, type Row } from './filter-model.ts'

/**
 * An independent, slow reading of Iceberg expressions: JSON, and its truth for one row by each kind
 * of reader.
 */

export interface Reader {
  /**
   * As the expression stands, with `not` driven down to the predicates first, or by SQL's three
   * values.
   */
  readonly not: 'as-it-stands' | 'driven-down' | 'sql'
  /** NaN and -0 as IEEE 754 has them, or in Java's total order. */
  readonly order: 'ieee' | 'total'
  /** The candidate that a literal stands for. */
  readonly rounding: 0 | 1 | 2
}

export const READERS: readonly Reader[] = (['as-it-stands', 'driven-down', 'sql'] as const).flatMap(
  (not) =>
    (['ieee', 'total'] as const).flatMap((order) =>
      ([0, 1, 2] as const).map((rounding) => ({ not, order, rounding })),
    ),
)

type Truth = boolean | null
type Comparable = boolean | number | bigint | string | Uint8Array

export interface ExpressionModel {
  readonly json: unknown
  truth(row: Row, reader: Reader, isNegated: boolean): Truth
}

interface ModelLiteral {
  readonly json: unknown
  /** In the space of `comparableOf`: exact, and as readers round it. */
  readonly candidates: readonly [Comparable, Comparable, Comparable]
}

function same(json: unknown, comparable: Comparable): ModelLiteral {
  return { json, candidates: [comparable, comparable, comparable] }
}

/** Decimals in thousandths, instants in nanoseconds: finer than the columns. */
function comparableOf(index: number, value: Value): Comparable {
  const { type } = COLUMNS[index] as (typeof COLUMNS)[number]
  if (type.kind === 'decimal') return (value as bigint) * 10n
  if (type.kind === 'timestamp') return (value as bigint) * 1000n
  if (type.kind === 'int') return (value as number) * 2
  return value
}

function literals(index: number): fc.Arbitrary<ModelLiteral> {
  const { type, values } = COLUMNS[index] as (typeof COLUMNS)[number]
  switch (type.kind) {
    case 'int':
      return fc.tuple(values, fc.boolean()).map(([value, isHalf]) => {
        const low = (value as number) * 2
        if (!isHalf) return same(value, low)
        return { json: (value as number) + 0.5, candidates: [low + 1, low, low + 2] }
      })
    case 'decimal':
      return fc
        .tuple(fc.bigInt({ min: -30_000n, max: 30_000n }), fc.boolean())
        .map(([unscaled, isText]) => {
          const text = decimalText({ unscaled, scale: 3 })
          const low = unscaled - (((unscaled % 10n) + 10n) % 10n)
          const high = low === unscaled ? low : low + 10n
          return { json: isText ? text : Number(text), candidates: [unscaled, low, high] }
        })
    case 'timestamp':
      return fc.tuple(values, fc.nat({ max: 3 })).map(([value, shape]) => {
        const micros = value as bigint
        const nanos = micros * 1000n
        if (shape === 0) return same(Number(micros), nanos)
        if (shape === 1) return same(timestampText(micros, 6), nanos)
        const text = timestampText(nanos + 500n, 9)
        return { json: text, candidates: [nanos + 500n, nanos, nanos + 1000n] }
      })
    case 'date':
      return fc
        .tuple(values, fc.boolean())
        .map(([value, isText]) => same(isText ? dateText(value as number) : value, value))
    case 'float':
    case 'double':
      return values
        .filter((value) => !Number.isNaN(value))
        .map((value) => {
          const json = Number.isFinite(value) ? value : String(value)
          const single = type.kind === 'float' ? Math.fround(value as number) : (value as number)
          return { json, candidates: [value, single, value] }
        })
    case 'binary':
      return values.map((value) => {
        const hex = [...(value as Uint8Array)].map((byte) => byte.toString(16).padStart(2, '0'))
        return same(hex.join('').toUpperCase(), value)
      })
    default:
      return values.map((value) => same(value, value))
  }
}

type Operation = 'eq' | 'not-eq' | 'lt' | 'lt-eq' | 'gt' | 'gt-eq'
const OPPOSITE: Readonly<Record<Operation, Operation>> = {
  eq: 'not-eq',
  'not-eq': 'eq',
  lt: 'gt-eq',
  'lt-eq': 'gt',
  gt: 'lt-eq',
  'gt-eq': 'lt',
}

/** `undefined` when the two are not ordered. */
function orderOf(left: Comparable, right: Comparable, reader: Reader): number | undefined {
  if (typeof left === 'string') return compareCodePoints(left, right as string)
  if (left instanceof Uint8Array) return compareBytes(left, right as Uint8Array)
  if (typeof left === 'number' && reader.order === 'total') {
    const rank = (n: number) => (Number.isNaN(n) ? 2 : Object.is(n, -0) ? -0.5 : n === 0 ? 0 : n)
    if (Number.isNaN(left)) return Number.isNaN(right) ? 0 : 1
    if (left === 0 && right === 0) return rank(left) - rank(right as number)
  }
  if (left < right) return -1
  if (left > right) return 1
  return left === right ? 0 : undefined
}

function compares(operation: Operation, order: number | undefined): boolean {
  if (order === undefined) return operation === 'not-eq'
  switch (operation) {
    case 'eq':
      return order === 0
    case 'not-eq':
      return order !== 0
    case 'lt':
      return order < 0
    case 'lt-eq':
      return order <= 0
    case 'gt':
      return order > 0
    case 'gt-eq':
      return order >= 0
  }
}

/** A predicate by what it says of a value, of null, and how `not` driven down turns it. */
function predicate(
  index: number,
  {
    json,
    holds,
    negated,
    isPresence = false,
  }: {
    json: unknown
    holds: (value: Value | null, reader: Reader) => boolean
    negated: (value: Value | null, reader: Reader) => boolean
    isPresence?: boolean
  },
): ExpressionModel {
  return {
    json,
    truth(row, reader, isNegated) {
      const value = row[index] ?? null
      if (reader.not === 'sql') {
        if (value === null && !isPresence) return null
        return holds(value, reader) !== isNegated
      }
      if (!isNegated) return holds(value, reader)
      return reader.not === 'driven-down' ? negated(value, reader) : !holds(value, reader)
    },
  }
}

const COLUMN_INDEX = fc.nat({ max: COLUMNS.length - 1 })
const nameOf = (index: number) => COLUMNS[index]?.name ?? ''
const NAME_INDEX = COLUMNS.findIndex(({ name }) => name === 'name')

const COMPARISONS = COLUMN_INDEX.chain((index) =>
  fc
    .tuple(literals(index), fc.constantFrom<Operation>(...(Object.keys(OPPOSITE) as Operation[])))
    .map(([literal, operation]) => {
      const holds = (by: Operation) => (value: Value | null, reader: Reader) => {
        if (value === null) return by === 'not-eq'
        const right = literal.candidates[reader.rounding]
        return compares(by, orderOf(comparableOf(index, value), right, reader))
      }
      return predicate(index, {
        json: { type: operation, term: nameOf(index), value: literal.json },
        holds: holds(operation),
        negated: holds(OPPOSITE[operation]),
      })
    }),
)

const SETS = COLUMN_INDEX.chain((index) =>
  fc.tuple(fc.array(literals(index), { maxLength: 4 }), fc.boolean()).map(([members, isNotIn]) => {
    const isIn = (value: Value | null, reader: Reader) =>
      value !== null &&
      members.some(({ candidates }) => {
        const order = orderOf(comparableOf(index, value), candidates[reader.rounding], reader)
        return compares('eq', order)
      })
    const isOut = (value: Value | null, reader: Reader) => !isIn(value, reader)
    const values = members.map(({ json }) => json)
    return predicate(index, {
      json: { type: isNotIn ? 'not-in' : 'in', term: nameOf(index), values },
      holds: isNotIn ? isOut : isIn,
      negated: isNotIn ? isIn : isOut,
    })
  }),
)

const PREFIXES = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'b', 'é', '😀', 'z'), { maxLength: 3 }).map((c) => c.join('')),
    fc.boolean(),
  )
  .map(([prefix, isNot]) => {
    const starts = (value: Value | null) => value !== null && (value as string).startsWith(prefix)
    const not = (value: Value | null) => !starts(value)
    return predicate(NAME_INDEX, {
      json: { type: isNot ? 'not-starts-with' : 'starts-with', term: 'name', value: prefix },
      holds: isNot ? not : starts,
      negated: isNot ? starts : not,
    })
  })

const PRESENCE = fc.tuple(COLUMN_INDEX, fc.boolean(), fc.boolean()).map(([index, isNot, asNan]) => {
  const kind = COLUMNS[index]?.type.kind
  const isNan = asNan && (kind === 'float' || kind === 'double')
  const test = (value: Value | null) => (isNan ? Number.isNaN(value) : value === null)
  const other = (value: Value | null) => !test(value)
  const suffix = isNan ? 'nan' : 'null'
  return predicate(index, {
    json: { type: `${isNot ? 'not' : 'is'}-${suffix}`, term: nameOf(index) },
    holds: isNot ? other : test,
    negated: isNot ? test : other,
    isPresence: true,
  })
})

const TRANSFORMED = fc.tuple(COLUMN_INDEX, fc.boolean()).map(
  ([index, truth]): ExpressionModel => ({
    json: {
      type: 'not-eq',
      term: { type: 'transform', transform: 'bucket[4]', term: nameOf(index) },
      value: 1,
    },
    truth: (_row, _reader, isNegated) => truth !== isNegated,
  }),
)

export const LEAVES: fc.Arbitrary<ExpressionModel> = fc.oneof(
  { weight: 5, arbitrary: COMPARISONS },
  { weight: 3, arbitrary: SETS },
  { weight: 2, arbitrary: PREFIXES },
  { weight: 2, arbitrary: PRESENCE },
)

export const TREES: fc.Arbitrary<ExpressionModel> = fc.letrec<{ tree: ExpressionModel }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 4, arbitrary: LEAVES },
    { weight: 1, arbitrary: TRANSFORMED },
    { weight: 2, arbitrary: tie('tree').map(negation) },
    { weight: 2, arbitrary: fc.tuple(tie('tree'), tie('tree')).map(junction('and')) },
    { weight: 2, arbitrary: fc.tuple(tie('tree'), tie('tree')).map(junction('or')) },
  ),
})).tree

function negation(child: ExpressionModel): ExpressionModel {
  return {
    json: { type: 'not', child: child.json },
    truth: (row, reader, isNegated) => child.truth(row, reader, !isNegated),
  }
}

function junction(kind: 'and' | 'or') {
  return ([left, right]: [ExpressionModel, ExpressionModel]): ExpressionModel => ({
    json: { type: kind, left: left.json, right: right.json },
    truth(row, reader, isNegated) {
      const truths = [left.truth(row, reader, isNegated), right.truth(row, reader, isNegated)]
      const decisive = (kind === 'or') !== isNegated
      if (truths.includes(decisive)) return decisive
      return truths.includes(null) ? null : !decisive
    },
  })
}
