/** An exact decimal number: `unscaled` times ten to the power of minus `scale`. */
export interface Decimal {
  readonly unscaled: bigint
  /** May be negative: 2E+20 is 2 with scale -20. */
  readonly scale: number
}

/**
 * Largest number of digits of a decimal text, and of its exponent: hostile text must stay cheap.
 */
const DECIMAL_DIGITS_MAX = 1000
const DECIMAL_PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/

/**
 * Parses `14.20`, `-.5`, `2E+20` exactly; `undefined` for anything else or more than 1,000 digits.
 */
export function parseDecimal(text: string): Decimal | undefined {
  if (text.length > DECIMAL_DIGITS_MAX) return undefined
  const match = DECIMAL_PATTERN.exec(text)
  if (match === null) return undefined
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  if (whole === '' && fraction === '') return undefined
  const scale = fraction.length - Number(exponent)
  if (Math.abs(scale) > DECIMAL_DIGITS_MAX) return undefined
  const magnitude = BigInt(whole + fraction)
  return { unscaled: sign === '-' ? -magnitude : magnitude, scale }
}

/** The inverse of `parseDecimal`: as many digits after the point as the scale says. */
export function decimalText({ unscaled, scale }: Decimal): string {
  if (scale < 0) return `${unscaled}E+${-scale}`
  if (scale === 0) return String(unscaled)
  const magnitude = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  const point = magnitude.length - scale
  return `${unscaled < 0n ? '-' : ''}${magnitude.slice(0, point)}.${magnitude.slice(point)}`
}

/** The unscaled value at another scale; `undefined` if digits other than zero would be lost. */
export function rescale(decimal: Decimal, scale: number): bigint | undefined {
  const shift = scale - decimal.scale
  if (shift >= 0) return decimal.unscaled * 10n ** BigInt(shift)
  const divisor = 10n ** BigInt(-shift)
  return decimal.unscaled % divisor === 0n ? decimal.unscaled / divisor : undefined
}

/** The largest unscaled value at `scale` that is not above `decimal`. */
export function floorAtScale(decimal: Decimal, scale: number): bigint {
  const shift = scale - decimal.scale
  if (shift >= 0) return decimal.unscaled * 10n ** BigInt(shift)
  return floorDivide(decimal.unscaled, 10n ** BigInt(-shift))
}

/** Divides and rounds towards minus infinity; `divisor` is positive. */
export function floorDivide(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor
  return dividend % divisor < 0n ? quotient - 1n : quotient
}

export function fitsPrecision(unscaled: bigint, precision: number): boolean {
  const limit = 10n ** BigInt(precision)
  return unscaled < limit && unscaled > -limit
}

/**
 * Two's complement, big-endian, in the fewest bytes that hold the value: 127 is 7f, 128 is 00 80.
 */
export function toTwosComplement(value: bigint): Uint8Array {
  let length = 1
  while (BigInt.asIntN(length * 8, value) !== value) length++
  const bytes = new Uint8Array(length)
  let rest = BigInt.asUintN(length * 8, value)
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return bytes
}

/** The inverse of `toTwosComplement`; accepts more bytes than needed. No bytes at all mean zero. */
export function fromTwosComplement(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return BigInt.asIntN(bytes.length * 8, value)
}
