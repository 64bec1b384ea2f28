import fc from 'fast-check'
import {
  decimalText,
  fitsPrecision,
  floorAtScale,
  floorDivide,
  fromTwosComplement,
  parseDecimal,
  rescale,
  toTwosComplement,
} from '../../../src/core/value/decimal.ts'

const UNSCALED = fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n })

test('every decimal survives its text', () => {
  fc.assert(
    fc.property(UNSCALED, fc.integer({ min: -40, max: 40 }), (unscaled, scale) => {
      expect(parseDecimal(decimalText({ unscaled, scale }))).toEqual({ unscaled, scale })
    }),
  )
})

test('every integer survives its bytes, and one byte less could not hold it', () => {
  fc.assert(
    fc.property(UNSCALED, (value) => {
      const bytes = toTwosComplement(value)
      expect(fromTwosComplement(bytes)).toBe(value)
      const limit = 2n ** BigInt(8 * bytes.length - 9 < 0 ? 0 : 8 * bytes.length - 9)
      expect(bytes.length === 1 || value >= limit || value < -limit).toBe(true)
    }),
  )
})

test.each([
  ['-.5', { unscaled: -5n, scale: 1 }],
  ['+5.', { unscaled: 5n, scale: 0 }],
  ['1.50e1', { unscaled: 150n, scale: 1 }],
  ['2E+20', { unscaled: 2n, scale: -20 }],
  ['', undefined],
  ['.', undefined],
  ['1e', undefined],
  ['1e1001', undefined],
  ['1e-1001', undefined],
  ['1'.repeat(1001), undefined],
  ['0x10', undefined],
  ['1 ', undefined],
])('the text %j is %p', (text, expected) => {
  expect(parseDecimal(text)).toEqual(expected)
})

test('rescaling loses nothing, or refuses', () => {
  expect(rescale({ unscaled: 150n, scale: 2 }, 1)).toBe(15n)
  expect(rescale({ unscaled: 155n, scale: 2 }, 1)).toBeUndefined()
  expect(rescale({ unscaled: 2n, scale: -20 }, 0)).toBe(2n * 10n ** 20n)
})

test('rounding down goes towards minus infinity', () => {
  expect(floorAtScale({ unscaled: -15n, scale: 1 }, 0)).toBe(-2n)
  expect(floorAtScale({ unscaled: 15n, scale: 1 }, 0)).toBe(1n)
  expect(floorDivide(-10n, 5n)).toBe(-2n)
  expect(floorDivide(-11n, 5n)).toBe(-3n)
})

test('a precision of 3 holds 999 and not 1000', () => {
  expect([999n, -999n, 1000n, -1000n].map((v) => fitsPrecision(v, 3))).toEqual([
    true,
    true,
    false,
    false,
  ])
})
