import type { BoundFilter } from '../../../../src/core/filter/bind/bound-filter.ts'
import { bindIcebergExpression } from '../../../../src/core/filter/bind/iceberg-expression-binding.ts'
import { parseIcebergExpression } from '../../../../src/core/filter/parse/iceberg-expression.ts'
import type { Schema } from '../../../../src/core/value/type.ts'

const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: 1, name: 'id', required: true, type: { kind: 'long' } },
    { id: 2, name: 'Name', required: false, type: { kind: 'string' } },
    { id: 3, name: 'ratio', required: false, type: { kind: 'double' } },
    {
      id: 4,
      name: 'at',
      required: false,
      type: {
        kind: 'struct',
        fields: [{ id: 5, name: 'lat', required: false, type: { kind: 'double' } }],
      },
    },
    {
      id: 6,
      name: 'tags',
      required: false,
      type: { kind: 'list', elementId: 7, element: { kind: 'string' }, elementRequired: false },
    },
    { id: 8, name: 'moment', required: false, type: { kind: 'timestamp_ns' } },
    { id: 9, name: 'day', required: false, type: { kind: 'date' } },
    { id: 10, name: 'NAME', required: false, type: { kind: 'string' } },
  ],
}

function bind(json: unknown, caseSensitive = true): BoundFilter {
  return bindIcebergExpression(parseIcebergExpression(json), { schema: SCHEMA, caseSensitive })
}

const ALL = { kind: 'always', value: true }
const NONE = { kind: 'always', value: false }
const LONG = { fieldId: 1, type: { kind: 'long' } }

test.each([
  [true, ALL],
  [{ type: 'false' }, NONE],
  [{ type: 'literal', value: true }, ALL],
  [{ type: 'not', child: { type: 'true' } }, NONE],
  [
    { type: 'and', left: { type: 'eq', term: 'id', value: 1 }, right: true },
    { kind: 'in', column: LONG, values: [1n] },
  ],
  [
    { type: 'eq', term: { type: 'reference', term: 'id' }, value: { type: 'literal', value: 1 } },
    { kind: 'in', column: LONG, values: [1n] },
  ],
  [
    { type: 'gt', term: 'at.lat', value: 1.5 },
    {
      kind: 'range',
      column: { fieldId: 5, type: { kind: 'double' } },
      low: { value: 1.5, isInclusive: false },
    },
  ],
  [
    { type: 'eq', term: 'day', value: 19_799 },
    { kind: 'in', column: { fieldId: 9, type: { kind: 'date' } }, values: [19_799] },
  ],
  [{ type: 'in', term: 'id', values: [] }, NONE],
  [{ type: 'not-in', term: 'id', values: [] }, ALL],
])('%j is understood', (json, filter) => {
  expect(bind(json)).toEqual(filter)
})

test('what nothing in the metadata answers drops no file', () => {
  const bucket = { type: 'transform', transform: 'bucket[16]', term: 'id' }
  expect(bind({ type: 'eq', term: bucket, value: 3 })).toEqual(ALL)
  expect(bind({ type: 'not', child: { type: 'eq', term: bucket, value: 3 } })).toEqual(ALL)
  expect(bind({ type: 'not-nan', term: 'ratio' })).toEqual(ALL)
  expect(bind({ type: 'is-null', term: 'at' })).toEqual(ALL)
  // Some readers take the number for microseconds, others for nanoseconds.
  expect(bind({ type: 'eq', term: 'moment', value: 5 })).toEqual(ALL)
})

test('names are compared with case unless the request says otherwise', () => {
  expect(() => bind({ type: 'eq', term: 'ID', value: 1 })).toThrow(/Cannot find field "ID"/)
  expect(bind({ type: 'eq', term: 'ID', value: 1 }, false)).toMatchObject({ kind: 'in' })
  expect(() => bind({ type: 'is-null', term: 'name' }, false)).toThrow(/more than one field/)
})

test.each([
  [null, /\$: expected an object/],
  [[], /\$: expected an object/],
  ['id = 1', /expected an object/],
  [{}, /\$\.type: is missing/],
  [{ type: 'like', term: 'id', value: 1 }, /"like" is not a type/],
  [{ type: 'not' }, /\$\.child: is missing/],
  [{ type: 'and', left: true }, /\$\.right: is missing/],
  [{ type: 'or', left: true, right: { type: 'eq' } }, /\$\.right\.term: is missing/],
  [{ type: 'eq', term: 'id' }, /\$\.value: is missing/],
  [{ type: 'eq', term: 'id', value: null }, /expected a primitive value/],
  [{ type: 'eq', term: 'id', value: [1] }, /expected a primitive value/],
  [{ type: 'eq', term: 'id', value: 'many' }, /"many" is not a value of type long/],
  [{ type: 'eq', term: 'id', value: Infinity }, /"Infinity" is not a value of type long/],
  [{ type: 'eq', term: 7, value: 1 }, /\$\.term: expected an object/],
  [{ type: 'eq', term: '', value: 1 }, /no column name/],
  [{ type: 'eq', term: { type: 'sum', term: 'id' }, value: 1 }, /"sum" is not a type of term/],
  [{ type: 'in', term: 'id', values: 1 }, /\$\.values: expected an array/],
  [{ type: 'in', term: 'id', values: [{}] }, /\$\.values\[0\]\.type: is missing/],
  [{ type: 'lt', term: 'at', value: 1 }, /cannot be compared/],
  [{ type: 'eq', term: 'tags.element', value: 'a' }, /inside a list or map/],
  [{ type: 'is-nan', term: 'id' }, /is never NaN/],
  [{ type: 'starts-with', term: 'id', value: '1' }, /a prefix must be a string/],
  [{ type: 'starts-with', term: 'Name', value: 1 }, /a prefix must be a string/],
  [{ type: 'eq', term: '__proto__', value: 1 }, /Cannot find field/],
])('%j is refused, and the refusal says where', (json, message) => {
  expect(() => bind(json)).toThrow(
    expect.objectContaining({ code: 'filter-invalid', message: expect.stringMatching(message) }),
  )
})

test('depth, predicates and literals are bounded', () => {
  let deep: unknown = true
  for (let i = 0; i < 1_100; i++) deep = { type: 'not', child: deep }
  expect(() => bind(deep)).toThrow(/too many levels/)

  let wide: unknown = { type: 'is-null', term: 'id' }
  for (let i = 0; i < 14; i++) wide = { type: 'or', left: wide, right: wide }
  expect(() => bind(wide)).toThrow(/more than 10000 predicates/)

  const values = Array.from({ length: 100_001 }, (_, i) => i)
  expect(() => bind({ type: 'in', term: 'id', values })).toThrow(/more than 100000 literals/)
})

test('a long chain of one kind is one node, and equalities of a column are one set', () => {
  let chain: unknown = { type: 'lt', term: 'ratio', value: 0 }
  for (let i = 1; i < 900; i++) {
    chain = { type: 'or', left: chain, right: { type: 'eq', term: 'id', value: 900 - i } }
  }
  const bound = bind(chain)
  expect(bound.kind === 'or' && bound.operands).toHaveLength(2)
  expect(bound).toMatchObject({ operands: [{ kind: 'range' }, { kind: 'in', column: LONG }] })
})

test('of a huge set only the ends are looked at, and of a huge exclusion nothing', () => {
  const values = Array.from({ length: 50_000 }, (_, i) => (i * 7_919) % 50_000)
  expect(bind({ type: 'in', term: 'id', values })).toEqual({
    kind: 'range',
    column: LONG,
    low: { value: 0n, isInclusive: true },
    high: { value: 49_999n, isInclusive: true },
  })
  expect(bind({ type: 'not-in', term: 'id', values })).toEqual(ALL)
})
