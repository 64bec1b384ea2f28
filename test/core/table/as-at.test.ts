import fc from 'fast-check'
import { parseAsAt } from '../../../src/core/table/as-at.ts'

describe('parseAsAt', () => {
  test.each([
    ['0', 0],
    ['1710719999123', 1_710_719_999_123],
    ['1970-01-01', 0],
    ['1970', 0],
    ['2020', Date.UTC(2020, 0, 1)],
    ['2024-03', Date.UTC(2024, 2, 1)],
    ['999', 999],
    ['10000', 10_000],
    ['2024-02-29', Date.UTC(2024, 1, 29)],
    ['2024-03-17T23:59:59Z', Date.UTC(2024, 2, 17, 23, 59, 59)],
    ['2024-03-17t23:59:59z', Date.UTC(2024, 2, 17, 23, 59, 59)],
    ['2024-03-17T23:59:59', Date.UTC(2024, 2, 17, 23, 59, 59)],
    ['2024-03-17 23:59:59', Date.UTC(2024, 2, 17, 23, 59, 59)],
    ['2024-03-17T23:59:59.1239Z', Date.UTC(2024, 2, 17, 23, 59, 59, 123)],
    ['2024-03-17T23:59:59.5+01:30', Date.UTC(2024, 2, 17, 22, 29, 59, 500)],
    ['2024-03-17T23:59:59-05:00', Date.UTC(2024, 2, 18, 4, 59, 59)],
    ['1969-12-31T23:59:59.9999Z', -1],
    ['9999-12-31T23:59:59.999Z', 253_402_300_799_999],
  ])('%s is %d', (text, asAtMs) => {
    expect(parseAsAt(text)).toBe(asAtMs)
  })

  test.each([
    '',
    'now',
    '-1',
    '1e3',
    '1.5',
    '0x10',
    ' 1',
    '2023-02-30',
    '2023-02-29',
    '2024-13-01',
    '2024-00-10',
    '2024-13',
    '0000',
    '2024-',
    '2024-3-7',
    '2024-03-17T24:00:00Z',
    '2024-03-17T12:60:00Z',
    '2024-03-17T12:00:60Z',
    '2024-03-17T12:00:00+25:00',
    '2024-03-17T',
    '0000-12-31',
    '9999-12-31T23:59:59-01:00',
    '+12024-01-01',
    '253402300800000',
    '9'.repeat(16),
    `2024-03-17T12:00:00.${'9'.repeat(100_000)}Z`,
  ])('%.40s is refused', (text) => {
    expect(() => parseAsAt(text)).toThrow(
      expect.objectContaining({
        code: 'as-at-invalid',
        facts: expect.objectContaining({ asAt: text.slice(0, 100) }),
      }),
    )
  })

  test('every moment is found again from its RFC 3339 text and its milliseconds', () => {
    const moments = fc.integer({ min: 0, max: 253_402_300_799_999 })
    fc.assert(
      fc.property(moments, (ms) => {
        expect(parseAsAt(String(ms))).toBe(ms)
        expect(parseAsAt(new Date(ms).toISOString())).toBe(ms)
      }),
    )
  })
})
