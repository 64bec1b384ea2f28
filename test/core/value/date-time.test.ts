import fc from 'fast-check'
import {
  civilFromDays,
  dateText,
  daysFromCivil,
  parseDate,
  parseTime,
  parseTimestamp,
  timestampText,
} from '../../../src/core/value/date-time.ts'

const DAYS = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })

test('days and dates are one to one over all ints', () => {
  fc.assert(
    fc.property(DAYS, (days) => {
      expect(daysFromCivil(civilFromDays(days))).toBe(days)
      expect(parseDate(dateText(days))).toBe(days)
    }),
  )
})

test('a microsecond is the same moment as its thousand nanoseconds, also at midnight', () => {
  const long = fc.bigInt({ min: -(2n ** 53n) - 10n, max: 2n ** 53n + 10n })
  const second = fc.bigInt({ min: -9_007_199_254n, max: 9_007_199_254n })
  const edge = fc
    .tuple(second, fc.bigInt({ min: -2n, max: 2n }))
    .map(([seconds, micros]) => seconds * 1_000_000n + micros)
  const midnight = fc
    .tuple(fc.bigInt({ min: -104_249n, max: 104_249n }), fc.bigInt({ min: -2n, max: 2n }))
    .map(([days, micros]) => days * 86_400_000_000n + micros)
  fc.assert(
    fc.property(fc.oneof(long, edge, midnight), (micros) => {
      expect(`${timestampText(micros, 6)}000`).toBe(timestampText(micros * 1000n, 9))
    }),
    { numRuns: 20_000 },
  )
})

test('instants are written as JavaScript writes them', () => {
  const instant = fc.date({
    min: new Date('0000-01-01'),
    max: new Date('9999-12-31'),
    noInvalidDate: true,
  })
  fc.assert(
    fc.property(instant, (date) => {
      const text = date.toISOString()
      expect(timestampText(BigInt(date.getTime()) * 1000n, 6)).toBe(text.replace('Z', '000'))
      expect(parseTimestamp(text)).toEqual({
        nanos: BigInt(date.getTime()) * 1_000_000n,
        hasFinerDigits: false,
        hasOffset: true,
      })
    }),
  )
})

test.each([
  ['2001-03-15', '2001-03-15T00:00:00Z', false],
  ['2001-03-15 12:30', '2001-03-15T12:30:00Z', false],
  ['2001-03-15t12:30:05,5', '2001-03-15T12:30:05.5Z', false],
  ['2001-03-15T12:30:05z', '2001-03-15T12:30:05Z', true],
  ['2001-03-15T12:30:05 +01:00', '2001-03-15T11:30:05Z', true],
  ['2001-03-15T12:30:05-0130', '2001-03-15T14:00:05Z', true],
  ['2001-03-15T00:30:05+01', '2001-03-14T23:30:05Z', true],
])('%j is the instant %s', (text, instant, hasOffset) => {
  const nanos = BigInt(Date.parse(instant)) * 1_000_000n
  expect(parseTimestamp(text)).toEqual({ nanos, hasFinerDigits: false, hasOffset })
})

test('digits beyond the nanosecond are reported, unless they are zeros', () => {
  expect(parseTime('00:00:01.0000000010')).toEqual({ nanos: 1_000_000_001n, hasFinerDigits: false })
  expect(parseTime('00:00:01.0000000011')).toEqual({ nanos: 1_000_000_001n, hasFinerDigits: true })
})

test.each([
  '2001-02-29',
  '1900-02-29',
  '2001-13-01',
  '2001-00-01',
  '2001-01-00',
  '2001-1-1',
  '20010101',
  '',
  '2001-03-15T',
  '2001-03-15T24:00',
  '2001-03-15T12:60',
  '2001-03-15T12:30:60',
  '2001-03-15T12',
  '2001-03-15T12:30+19:00',
  '2001-03-15T12:30+01:60',
  '2001-03-15+01:00',
])('%j is no instant', (text) => {
  expect(parseTimestamp(text)).toBeUndefined()
})
