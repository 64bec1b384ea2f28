import fc from 'fast-check'
import { timestampText } from '../../../src/core/value/date-time.ts'
import type { Field, PrimitiveType, Schema } from '../../../src/core/value/type.ts'
import type { Value } from '../../../src/core/value/value.ts'

/** An independent, slow reading of filters: a model tree, its text, and its truth for one row. */

export type Row = readonly (Value | null)[]
/** In the space where rows and literals of a column are compared exactly. */
type Comparable = bigint | number | string | boolean | Uint8Array

interface ModelLiteral {
  readonly text: string
  readonly comparable: Comparable | null
}

interface ModelColumn {
  readonly name: string
  readonly type: PrimitiveType
  readonly values: fc.Arbitrary<Value>
  readonly literals: fc.Arbitrary<ModelLiteral>
  comparableOf(value: Value): Comparable
}

const NANOS_PER_DAY = 86_400_000_000_000n
const SCALE = 10_000n

function numberLiteral(scaled: bigint): ModelLiteral {
  const digits = String(scaled < 0n ? -scaled : scaled).padStart(5, '0')
  const sign = scaled < 0n ? '-' : ''
  const fraction = digits.slice(-4).replace(/0+$/, '')
  const whole = `${sign}${digits.slice(0, -4)}`
  return { text: fraction === '' ? whole : `${whole}.${fraction}`, comparable: scaled }
}

function instantLiteral(nanos: bigint): ModelLiteral {
  const text = timestampText(nanos, 9)
  return { text: `'${text.replace('T00:00:00.000000000', '')}'`, comparable: nanos }
}

function floatLiteral(value: number): ModelLiteral {
  const text = Number.isFinite(value) ? String(value) : `'${value}'`
  return { text, comparable: value }
}

const SMALL = fc.integer({ min: -30, max: 30 })
const INTS = fc.oneof(
  { weight: 6, arbitrary: SMALL },
  { weight: 1, arbitrary: fc.constantFrom(-(2 ** 31), -(2 ** 31) + 3, 2 ** 31 - 1, 2 ** 31 - 4) },
)
// Where the lower 32 bits, read as signed, would be negative.
const HALVES = fc
  .tuple(fc.constantFrom(-1n, 0n, 1n), fc.bigInt({ min: 2n ** 31n - 2n, max: 2n ** 31n + 2n }))
  .map(([high, low]) => high * 2n ** 32n + low)
const LONGS = fc.oneof(
  { weight: 4, arbitrary: SMALL.map(BigInt) },
  { weight: 2, arbitrary: HALVES },
  { weight: 1, arbitrary: fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }) },
  { weight: 1, arbitrary: fc.constantFrom(-(2n ** 63n), -(2n ** 63n) + 3n, 2n ** 63n - 1n) },
)
const SCALED = fc.oneof(
  { weight: 3, arbitrary: SMALL.map((v) => BigInt(v) * SCALE) },
  { weight: 2, arbitrary: fc.bigInt({ min: -300_000n, max: 300_000n }) },
  { weight: 1, arbitrary: LONGS.map((v) => v * SCALE) },
  { weight: 1, arbitrary: INTS.map((v) => BigInt(v) * SCALE + 5000n) },
  { weight: 1, arbitrary: fc.constantFrom(10n ** 30n, -(10n ** 30n)) },
)
const FLOATS = fc.oneof(
  { weight: 3, arbitrary: SMALL.map((v) => v / 4) },
  { weight: 2, arbitrary: fc.constantFrom(0.1, 0.2, -0.1, 16_777_217, 1e39, 1e-50, -1e-50) },
  { weight: 2, arbitrary: fc.constantFrom(-0, 0, Number.NaN, Infinity, -Infinity) },
)
// Spread over 1969-1970 and some days far away, with odd hours.
const MICROS = fc.oneof(
  fc.bigInt({ min: -3n, max: 3n }).map((h) => h * 3_600_000_000n + 1n),
  fc.bigInt({ min: -100_000_000_000_000n, max: 100_000_000_000_000n }),
  SMALL.map((d) => BigInt(d) * 86_400_000_000n),
)
const DAYS = fc.oneof(SMALL, fc.integer({ min: -1000, max: 1000 }))
const TEXTS = fc
  .array(fc.constantFrom('a', 'b', 'c', '%', '_', '\\', "'", 'é', '\uffee', '😀', '😁'), {
    maxLength: 6,
  })
  .chain((head) => fc.constantFrom('', '', 'z'.repeat(20)).map((tail) => head.join('') + tail))
const BYTES = fc
  .array(fc.constantFrom(0, 1, 127, 128, 255), { maxLength: 4 })
  .map((bytes) => Uint8Array.from(bytes))

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

const DECIMAL: PrimitiveType = { kind: 'decimal', precision: 9, scale: 2 }

export const COLUMNS: readonly ModelColumn[] = [
  column('flag', { kind: 'boolean' }, fc.boolean(), {
    literals: fc.boolean().map((b) => ({ text: b ? 'TRUE' : 'false', comparable: b })),
  }),
  column('small', { kind: 'int' }, INTS, {
    literals: SCALED.map(numberLiteral),
    comparableOf: (v) => BigInt(v as number) * SCALE,
  }),
  column('big', { kind: 'long' }, LONGS, {
    literals: SCALED.map(numberLiteral),
    comparableOf: (v) => (v as bigint) * SCALE,
  }),
  column('price', DECIMAL, fc.bigInt({ min: -3000n, max: 3000n }), {
    literals: SCALED.map(numberLiteral),
    comparableOf: (v) => (v as bigint) * 100n,
  }),
  column('single', { kind: 'float' }, FLOATS.map(Math.fround), {
    literals: FLOATS.map(floatLiteral),
  }),
  column('double', { kind: 'double' }, FLOATS, { literals: FLOATS.map(floatLiteral) }),
  column('day', { kind: 'date' }, DAYS, {
    literals: fc.oneof(
      DAYS.map((d) => instantLiteral(BigInt(d) * NANOS_PER_DAY)),
      MICROS.map((m) => instantLiteral(m * 1000n)),
    ),
    comparableOf: (v) => BigInt(v as number) * NANOS_PER_DAY,
  }),
  column('moment', { kind: 'timestamp' }, MICROS, {
    literals: fc.oneof(
      MICROS.map((m) => instantLiteral(m * 1000n)),
      MICROS.map((m) => instantLiteral(m * 1000n + 500n)),
    ),
    comparableOf: (v) => (v as bigint) * 1000n,
  }),
  column('name', { kind: 'string' }, TEXTS, {
    literals: TEXTS.map((s) => ({ text: quoted(s), comparable: s })),
  }),
  column('bytes', { kind: 'binary' }, BYTES, {
    literals: BYTES.map((b) => ({ text: `'${hex(b)}'`, comparable: b })),
  }),
]

function column(
  name: string,
  type: PrimitiveType,
  values: fc.Arbitrary<Value>,
  rest: {
    readonly literals: fc.Arbitrary<ModelLiteral>
    readonly comparableOf?: (value: Value) => Comparable
  },
): ModelColumn {
  return { name, type, values, comparableOf: (value) => value, ...rest }
}

export const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: COLUMNS.map(
    ({ name, type }, index): Field => ({ id: index + 1, name, type, required: false }),
  ),
}

export const ROWS: fc.Arbitrary<Row> = fc.tuple(
  ...COLUMNS.map(({ values }) => fc.option(values, { freq: 5, nil: null })),
)

type Operator = '=' | '!=' | '<>' | '<' | '<=' | '>' | '>='
const MIRROR = { '=': '=', '!=': '!=', '<>': '<>', '<': '>', '<=': '>=', '>': '<', '>=': '<=' }

/** A filter that renders itself and judges a row: true, false, or null for unknown. */
export interface Model {
  readonly text: string
  truth(row: Row, rounding: Rounding): boolean | null
}

/** How an engine reads a literal for a 32-bit float: rounded to 64 bits, or to 32. */
export type Rounding = 64 | 32

function compare(left: Comparable, right: Comparable): number {
  if (typeof left === 'number' && typeof right === 'number') {
    if (Number.isNaN(left)) return Number.isNaN(right) ? 0 : 1
    if (Number.isNaN(right)) return -1
  }
  if (left instanceof Uint8Array) return compareArrays([...left], [...(right as Uint8Array)])
  if (typeof left === 'string') {
    const points = (text: string) => Array.from(text, (c) => c.codePointAt(0) ?? 0)
    return compareArrays(points(left), points(right as string))
  }
  return left < right ? -1 : left > right ? 1 : 0
}

function compareArrays(left: readonly number[], right: readonly number[]): number {
  const at = left.findIndex((item, i) => item !== right[i])
  if (at < 0) return left.length - right.length
  return at >= right.length ? 1 : (left[at] ?? 0) - (right[at] ?? 0)
}

function orderIn(
  index: number,
  literal: ModelLiteral,
): (row: Row, rounding: Rounding) => number | null {
  const { comparableOf, type } = COLUMNS[index] as ModelColumn
  return (row, rounding) => {
    const value = row[index] ?? null
    if (value === null || literal.comparable === null) return null
    const rounds = type.kind === 'float' && rounding === 32
    const right = rounds ? Math.fround(literal.comparable as number) : literal.comparable
    return compare(comparableOf(value), right)
  }
}

function holds(operator: Operator, order: number): boolean {
  switch (operator) {
    case '=':
      return order === 0
    case '!=':
    case '<>':
      return order !== 0
    case '<':
      return order < 0
    case '<=':
      return order <= 0
    case '>':
      return order > 0
    case '>=':
      return order >= 0
  }
}

function not(truth: boolean | null): boolean | null {
  return truth === null ? null : !truth
}

function every(truths: readonly (boolean | null)[]): boolean | null {
  if (truths.includes(false)) return false
  return truths.includes(null) ? null : true
}

function some(truths: readonly (boolean | null)[]): boolean | null {
  return not(every(truths.map(not)))
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function likeTruth(pattern: string, text: string): boolean {
  const source = pattern.replaceAll(/\\(.)|([%_])|(.)/gsu, (_, escaped, wild, plain) =>
    wild === undefined ? escapeRegExp(escaped ?? plain) : wild === '%' ? '.*' : '.',
  )
  return new RegExp(`^${source}$`, 'su').test(text)
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

const COLUMN_INDEX = fc.nat({ max: COLUMNS.length - 1 })
const NULL_LITERAL: ModelLiteral = { text: 'NULL', comparable: null }
const NAME_INDEX = COLUMNS.findIndex(({ name }) => name === 'name')

function literalsOf(index: number): fc.Arbitrary<ModelLiteral> {
  const { literals } = COLUMNS[index] as ModelColumn
  return fc.oneof(
    { weight: 20, arbitrary: literals },
    { weight: 1, arbitrary: fc.constant(NULL_LITERAL) },
  )
}

function nameOf(index: number): string {
  return COLUMNS[index]?.name ?? ''
}

const COMPARISONS: fc.Arbitrary<Model> = COLUMN_INDEX.chain((index) =>
  fc
    .record({
      literal: literalsOf(index),
      operator: fc.constantFrom<Operator>('=', '!=', '<>', '<', '<=', '>', '>='),
      isMirrored: fc.boolean(),
    })
    .map(({ literal, operator, isMirrored }): Model => {
      const order = orderIn(index, literal)
      return {
        text: isMirrored
          ? `${literal.text} ${MIRROR[operator]} ${nameOf(index)}`
          : `${nameOf(index)} ${operator} ${literal.text}`,
        truth(row, rounding) {
          const sign = order(row, rounding)
          return sign === null ? null : holds(operator, sign)
        },
      }
    }),
)

const MEMBERSHIPS: fc.Arbitrary<Model> = COLUMN_INDEX.chain((index) =>
  fc
    .record({
      literals: fc.array(literalsOf(index), { minLength: 1, maxLength: 5 }),
      isNot: fc.boolean(),
    })
    .map(({ literals, isNot }): Model => {
      const orders = literals.map((literal) => orderIn(index, literal))
      const list = literals.map(({ text }) => text).join(', ')
      return {
        text: `${nameOf(index)} ${isNot ? 'not ' : ''}IN (${list})`,
        truth(row, rounding) {
          const signs = orders.map((order) => order(row, rounding))
          const truth = some(signs.map((sign) => (sign === null ? null : sign === 0)))
          return isNot ? not(truth) : truth
        },
      }
    }),
)

const BETWEENS: fc.Arbitrary<Model> = COLUMN_INDEX.chain((index) =>
  fc
    .record({ low: literalsOf(index), high: literalsOf(index), isNot: fc.boolean() })
    .map(({ low, high, isNot }): Model => {
      const [fromLow, fromHigh] = [orderIn(index, low), orderIn(index, high)]
      return {
        text: `${nameOf(index)} ${isNot ? 'NOT ' : ''}between ${low.text} AND ${high.text}`,
        truth(row, rounding) {
          const [left, right] = [fromLow(row, rounding), fromHigh(row, rounding)]
          const truth = every([
            left === null ? null : left >= 0,
            right === null ? null : right <= 0,
          ])
          return isNot ? not(truth) : truth
        },
      }
    }),
)

const NULL_CHECKS: fc.Arbitrary<Model> = fc.tuple(COLUMN_INDEX, fc.boolean()).map(
  ([index, isNot]): Model => ({
    text: `${nameOf(index)} IS ${isNot ? 'NOT ' : ''}NULL`,
    truth: (row) => (row[index] === null) !== isNot,
  }),
)

const PATTERNS = fc
  .array(fc.constantFrom('a', 'b', 'c', '%', '_', '\\%', '\\_', '\\\\', 'é', '😀'), {
    maxLength: 4,
  })
  .chain((head) => fc.constantFrom('', '%', 'z'.repeat(20)).map((tail) => head.join('') + tail))

const LIKES: fc.Arbitrary<Model> = fc.tuple(PATTERNS, fc.boolean()).map(
  ([pattern, isNot]): Model => ({
    text: `name ${isNot ? 'NOT ' : ''}LIKE ${quoted(pattern)}`,
    truth(row) {
      const value = row[NAME_INDEX] ?? null
      return value === null ? null : likeTruth(pattern, value as string) !== isNot
    },
  }),
)

export const LEAVES = fc.oneof(COMPARISONS, MEMBERSHIPS, BETWEENS, NULL_CHECKS, LIKES)

export const MODELS: fc.Arbitrary<Model> = fc.letrec<{ tree: Model }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 3, arbitrary: LEAVES },
    { weight: 1, arbitrary: tie('tree').map(negation) },
    {
      weight: 2,
      arbitrary: fc.array(tie('tree'), { minLength: 2, maxLength: 3 }).map(conjunction),
    },
    {
      weight: 2,
      arbitrary: fc.array(tie('tree'), { minLength: 2, maxLength: 3 }).map(disjunction),
    },
  ),
})).tree

function negation(operand: Model): Model {
  return { text: `NOT (${operand.text})`, truth: (...given) => not(operand.truth(...given)) }
}

function conjunction(operands: readonly Model[]): Model {
  const joint = operands.length === 3 ? ', ' : ' and '
  return {
    text: `(${operands.map(({ text }) => `(${text})`).join(joint)})`,
    truth: (...given) => every(operands.map((operand) => operand.truth(...given))),
  }
}

function disjunction(operands: readonly Model[]): Model {
  return {
    text: operands.map(({ text }) => `(${text})`).join(' OR '),
    truth: (...given) => some(operands.map((operand) => operand.truth(...given))),
  }
}
