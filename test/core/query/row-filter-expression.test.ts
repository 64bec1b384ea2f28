import fc from 'fast-check'
import { parseFilter } from '../../../src/core/filter/parse/filter-parser.ts'
import { parseIcebergExpression } from '../../../src/core/filter/parse/iceberg-expression.ts'
import { bindRowFilter } from '../../../src/core/query/row-filter.ts'
import { expressionOf } from '../../../src/core/query/row-filter-expression.ts'
import { valueFromJson } from '../../../src/core/value/single-value.ts'
import type { Value } from '../../../src/core/value/value.ts'
import { compareBytes, compareCodePoints } from '../../../src/core/value/value.ts'
import {
  COLUMNS,
  LEAVES,
  MODELS,
  type Model,
  ROWS,
  type Row,
  SCHEMA,
} from '../filter/filter-model.ts'

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape.
type Json = any

/** How readers take a comparison with null: below everything, as Iceberg's, or never true. */
type Nulls = 'first' | 'never'

function orderOf(left: Value, right: Value): number {
  if (typeof left === 'string') return compareCodePoints(left, right as string)
  if (left instanceof Uint8Array) return compareBytes(left, right as Uint8Array)
  if (Number.isNaN(left)) return 1
  return left < right ? -1 : left > right ? 1 : 0
}

const COMPARED: Readonly<Record<string, (order: number) => boolean>> = {
  eq: (order) => order === 0,
  'not-eq': (order) => order !== 0,
  lt: (order) => order < 0,
  'lt-eq': (order) => order <= 0,
  gt: (order) => order > 0,
  'gt-eq': (order) => order >= 0,
}

/** A reader of its own, which knows nothing of how expressions are made. */
function isShown(json: Json, row: Row, nulls: Nulls): boolean {
  const { type, left, right } = json
  if (type === 'and') return isShown(left, row, nulls) && isShown(right, row, nulls)
  if (type === 'or') return isShown(left, row, nulls) || isShown(right, row, nulls)
  return type === 'true' || (type !== 'false' && isTrue(json, row, nulls))
}

function isTrue({ type, term, value, values }: Json, row: Row, nulls: Nulls): boolean {
  const index = COLUMNS.findIndex(({ name }) => name === term)
  const column = COLUMNS[index]
  if (column === undefined) throw new Error(`no column ${term}`)
  const found = row[index] ?? null
  if (type === 'is-null' || type === 'not-null') return (found === null) === (type === 'is-null')
  if (type === 'is-nan' || type === 'not-nan') return Number.isNaN(found) === (type === 'is-nan')
  if (found === null) return nulls === 'first' && /^(?:lt|lt-eq|not-.*)$/.test(type)
  const literal = (each: Json) => valueFromJson(column.type, each)
  if (type === 'in' || type === 'not-in') {
    const isIn = values.some((each: Json) => orderOf(found, literal(each)) === 0)
    return isIn === (type === 'in')
  }
  if (type === 'starts-with') return (found as string).startsWith(value)
  if (type === 'not-starts-with') return !(found as string).startsWith(value)
  const compared = COMPARED[type]
  if (compared === undefined) throw new Error(`no expression ${type}`)
  return compared(orderOf(found, literal(value)))
}

function check(models: fc.Arbitrary<Model>, numRuns: number) {
  const counts = { said: 0, shown: 0, hidden: 0 }
  fc.assert(
    fc.property(models, fc.array(ROWS, { minLength: 1, maxLength: 8 }), (model, rows) => {
      const filter = bindRowFilter(parseFilter(model.text), SCHEMA)
      const json = expressionOf(filter, SCHEMA)
      if (json === undefined) {
        expect(model.text).toMatch(/like|(?:single|double)/i)
        return
      }
      counts.said++
      parseIcebergExpression(json)
      for (const row of rows) {
        const expected = model.truth(row, 32) === true
        // Literals beyond all 32-bit floats are infinite for the one, and for the other are not.
        if (expected !== (model.truth(row, 64) === true)) continue
        counts[expected ? 'shown' : 'hidden']++
        for (const nulls of ['first', 'never'] as const) {
          expect([model.text, isShown(json, row, nulls)]).toEqual([model.text, expected])
        }
      }
    }),
    { numRuns },
  )
  return counts
}

test('expressions show the rows where a predicate is true, whatever readers do of nulls', () => {
  const { said, shown, hidden } = check(LEAVES, 3_000)
  expect(said).toBeGreaterThan(2_500)
  expect(Math.min(shown, hidden)).toBeGreaterThan(1_000)
})

test('and so do expressions of any shape', () => {
  const { said, shown, hidden } = check(MODELS, 2_000)
  expect(said).toBeGreaterThan(1_000)
  expect(Math.min(shown, hidden)).toBeGreaterThan(500)
})

test.each([
  ['small <> 3', 'small'],
  ["NOT (name LIKE 'ab%')", 'name'],
])('%s asks that there is a value', (text, column) => {
  const json = expressionOf(bindRowFilter(parseFilter(text), SCHEMA), SCHEMA)
  expect(json).toMatchObject({ type: 'and', left: { type: 'not-null', term: column } })
})
