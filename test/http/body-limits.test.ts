import fc from 'fast-check'
import { z } from 'zod'
import { JsonCensus } from '../../src/formats/json/json-census.ts'
import { boundedArray, boundedRecord } from '../../src/http/bounded-shapes.ts'
import { plainMessage } from '../../src/http/shape-messages.ts'

/** What the census counts, by the parsed value. */
function valuesOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const members = Object.values(value)
  return Math.max(1, members.length) + members.reduce((sum, member) => sum + valuesOf(member), 0)
}

/** Bytes of the longest string, names included, without its quotes. */
function longestString(json: string): number {
  const strings = json.match(/"(?:[^"\\]|\\.)*"/g) ?? []
  return Math.max(0, ...strings.map((text) => Buffer.byteLength(text) - 2))
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

test('the census counts values and levels of any JSON, however it is cut', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.integer({ min: 1, max: 9 }), (value, size) => {
      const bytes = Buffer.from(JSON.stringify(value))
      const census = new JsonCensus()
      for (let at = 0; at < bytes.length; at += size) census.take(bytes.subarray(at, at + size))
      expect(census.values).toBe(valuesOf(value))
      expect(census.depth).toBe(depthOf(value))
      expect(census.longestString).toBe(longestString(bytes.toString()))
    }),
  )
})

describe('a list', () => {
  let read = 0
  const item = z.strictObject({
    name: z.string().refine(() => {
      read += 1
      return true
    }),
  })
  const list = boundedArray(item, { min: 1, max: 1_000 })
  const shape = z.strictObject({ list: list.optional().meta({ description: 'A list.' }) })
  const issuesOf = (items: unknown) =>
    shape.safeParse({ list: items }, { error: plainMessage }).error?.issues.map((issue) => ({
      path: issue.path.join('.'),
      message: issue.message,
    }))
  beforeEach(() => {
    read = 0
  })

  test('that is too long is refused before its items are read', () => {
    const items = Array.from({ length: 1_001 }, () => ({ name: 'x' }))
    expect(issuesOf(items)).toEqual([{ path: 'list', message: 'has more than 1000 items' }])
    expect(read).toBe(0)
  })

  test('of many wrong items is read until twenty are found', () => {
    const items = Array.from({ length: 1_000 }, (_, i) => (i % 2 === 0 ? { name: 'x' } : { n: i }))
    const issues = issuesOf(items) ?? []
    expect(issues.length).toBeGreaterThanOrEqual(20)
    expect(issues.length).toBeLessThanOrEqual(21)
    expect(issues[0]).toEqual({ path: 'list.1.name', message: 'is missing' })
    expect(read).toBeLessThan(15)
  })

  test('within its limits is read as Zod reads it', () => {
    const items = [{ name: 'a' }, { name: 'b' }]
    expect(shape.parse({ list: items })).toEqual(
      z.object({ list: z.array(item) }).parse({ list: items }),
    )
    expect(issuesOf([])).toEqual([{ path: 'list', message: 'must not be empty' }])
    expect(issuesOf({})).toEqual([{ path: 'list', message: 'must be an array, not an object' }])
    expect(z.toJSONSchema(shape, { io: 'input' })).toMatchObject({
      properties: { list: { type: 'array', minItems: 1, maxItems: 1_000, description: 'A list.' } },
    })
  })
})

test('the members of a record are counted before its keys are read', () => {
  const record = boundedRecord({ key: z.string().max(3), value: z.unknown() }, 2).meta({
    description: 'Any.',
  })
  expect(record.parse({ a: 1, b: [2] })).toEqual({ a: 1, b: [2] })
  const messageOf = (value: unknown) =>
    record.safeParse(value, { error: plainMessage }).error?.issues[0]?.message
  expect(messageOf({ long1: 1, long2: 2, long3: 3 })).toBe('has more than 2 members')
  expect(messageOf({ long: 1 })).toBe('its key has more than 3 characters')
  expect(messageOf([])).toBe('must be an object, not an array')
})

test.each([
  [z.string(), 5, 'must be a string, not an integer'],
  [z.int(), 1.5, 'must be an integer, not a number'],
  [z.int(), 2 ** 60, 'must be at most 9007199254740991'],
  [z.int().min(1), 0, 'must be at least 1'],
  [z.string().max(2), 'abc', 'has more than 2 characters'],
  [z.enum(['a', 'b']), 'c', 'must be "a" or "b"'],
  [z.literal(true), false, 'must be true'],
  [z.strictObject({}), { x: 1 }, 'unknown member "x"; none is known here'],
  [
    z.strictObject({ a: z.int().optional(), b: z.int().optional() }),
    { x: 1, y: 2 },
    'unknown members "x", "y"; known here: a, b',
  ],
  [
    z.union([z.string(), z.record(z.string(), z.unknown())]),
    7,
    'must be a string or an object, not an integer',
  ],
  [z.union([z.string().regex(/^\d+$/, 'is not an id'), z.int()]), 'x', 'is not an id'],
  [
    z.discriminatedUnion('op', [
      z.object({ op: z.literal('add') }),
      z.object({ op: z.literal('drop') }),
    ]),
    { op: 'x' },
    'must be "add" or "drop"',
  ],
  [z.string().regex(/^a$/), 'b', 'has the wrong form'],
])('%#: a violated shape is told in plain words', (shape, value, message) => {
  expect(shape.safeParse(value, { error: plainMessage }).error?.issues[0]?.message).toBe(message)
})
