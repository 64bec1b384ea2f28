import fc from 'fast-check'
import { contentRange, parseRange } from '../../src/http/byte-range.ts'

function part(start: number, end: number) {
  return { outcome: 'part', range: { start, end } }
}
const WHOLE = { outcome: 'whole' }
const UNSATISFIABLE = { outcome: 'unsatisfiable' }

test.each([
  ['bytes=0-0', part(0, 1)],
  ['bytes=0-99', part(0, 100)],
  ['bytes=0-1000000', part(0, 100)],
  ['bytes=99-', part(99, 100)],
  ['bytes=40-', part(40, 100)],
  ['bytes=-1', part(99, 100)],
  ['bytes=-1000', part(0, 100)],
  ['Bytes=5-6', part(5, 7)],
  ['bytes= 5-6 ', part(5, 7)],
  ['bytes=5-99999999999999999999999', part(5, 100)],
])('%s asks for a part', (header, outcome) => {
  expect(parseRange(header, 100)).toEqual(outcome)
})

test.each(['bytes=100-', 'bytes=100-200', 'bytes=-0', 'bytes=99999999999999999999999-'])(
  '%s asks for what is not there',
  (header) => {
    expect(parseRange(header, 100)).toEqual(UNSATISFIABLE)
  },
)

test.each([
  undefined,
  '',
  'bytes',
  'bytes=',
  'bytes=-',
  'bytes=a-b',
  'bytes=5-4',
  'bytes=1.5-4',
  'bytes=0x1-0x2',
  'bytes=+1-2',
  'bytes=0-1,5-6',
  'bytes=0-1, -5',
  'rows=0-1',
  'bytes 0-1',
  'bytes=5 -6',
  `bytes=${'0'.repeat(1000)}-1`,
])('%s is ignored', (header) => {
  expect(parseRange(header, 100)).toEqual(WHOLE)
})

test('of nothing, no range can be had', () => {
  expect(parseRange('bytes=0-', 0)).toEqual(UNSATISFIABLE)
  expect(parseRange('bytes=-5', 0)).toEqual(UNSATISFIABLE)
})

test('a part is never empty and never beyond the end', () => {
  const bound = fc.oneof(fc.nat(200), fc.constant(''), fc.maxSafeNat())
  fc.assert(
    fc.property(bound, bound, fc.nat(150), (first, last, lengthBytes) => {
      const outcome = parseRange(`bytes=${first}-${last}`, lengthBytes)
      if (outcome.outcome !== 'part') return
      const { start, end } = outcome.range
      expect(start).toBeGreaterThanOrEqual(0)
      expect(end).toBeGreaterThan(start)
      expect(end).toBeLessThanOrEqual(lengthBytes)
    }),
  )
})

test('Content-Range says the part, or the length that a client should have asked within', () => {
  expect(contentRange({ start: 5, end: 7 }, 100)).toBe('bytes 5-6/100')
  expect(contentRange(undefined, 100)).toBe('bytes */100')
})
