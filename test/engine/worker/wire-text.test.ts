import { timestampText } from '../../../src/core/value/date-time.ts'
import type { PrimitiveType } from '../../../src/core/value/type.ts'
import { expectation, wireText } from '../../../src/engine/worker/ingest/wire-text.ts'

type Kind = Exclude<PrimitiveType['kind'], 'decimal' | 'fixed' | 'opaque'>
const of = (kind: Kind) => ({ kind }) as PrimitiveType
const FIXED: PrimitiveType = { kind: 'fixed', length: 2 }

test.each<[PrimitiveType, string, string | undefined]>([
  [of('boolean'), 'TRUE', 'true'],
  [of('boolean'), 'false', 'false'],
  [of('boolean'), '1', undefined],
  [of('int'), '+7', '7'],
  [of('int'), '-2147483648', '-2147483648'],
  [of('int'), '2147483648', undefined],
  [of('int'), '1.0', undefined],
  [of('int'), '', undefined],
  [of('long'), '9223372036854775807', '9223372036854775807'],
  [of('long'), '9223372036854775808', undefined],
  [of('long'), '0x10', undefined],
  [of('double'), '-0', '-0.0'],
  [of('double'), '.5e1', '5'],
  [of('double'), '1e400', undefined],
  [of('double'), '0.1', '0.1'],
  [of('float'), '0.1', String(Math.fround(0.1))],
  [of('float'), '1e39', undefined],
  [of('double'), 'NaN', 'NaN'],
  [of('double'), '+Inf', 'Infinity'],
  [of('double'), '-infinity', '-Infinity'],
  [of('double'), 'one', undefined],
  [of('binary'), 'AAE=', 'AAE='],
  [of('binary'), 'AA==', 'AA=='],
  [of('binary'), 'AAEC', 'AAEC'],
  [of('binary'), '', ''],
  [of('binary'), 'AA=', undefined],
  [of('binary'), 'A*==', undefined],
  [FIXED, 'AAE=', 'AAE='],
  [FIXED, 'AA==', undefined],
  [FIXED, 'AAEC', undefined],
  [{ kind: 'fixed', length: 1 }, 'AA==', 'AA=='],
  [of('string'), ' a ', ' a '],
])('as %j, %j becomes %j', (type, text, wire) => {
  expect(wireText(type, text)).toBe(wire)
})

test('a time with a zone is in UTC when its offset is missing; one without takes no offset', () => {
  const noon = String(Date.UTC(2024, 2, 17, 12) * 1000)
  expect(wireText(of('timestamptz'), '2024-03-17T12:00:00')).toBe(noon)
  expect(wireText(of('timestamptz'), '2024-03-17T13:00:00+01:00')).toBe(noon)
  const midnight = wireText(of('timestamp'), '2024-03-17')
  expect(midnight).toBe(wireText(of('timestamp'), '2024-03-17T00:00:00'))
  expect(wireText(of('timestamptz'), '2024-03-17')).toBe(midnight)
  expect(wireText(of('timestamptz'), '2024-02-30')).toBeUndefined()
  expect(wireText(of('timestamp'), '2024-03-17T12:00:00')).toBe(noon)
  expect(wireText(of('timestamp'), '2024-03-17T12:00:00Z')).toBeUndefined()
})

test('dates and times are as DuckDB can hold them', () => {
  expect(wireText(of('date'), '1970-01-02')).toBe('1')
  expect(wireText(of('date'), '+5881580-07-10')).toBe(String(2 ** 31 - 2))
  expect(wireText(of('date'), '+5881580-07-11')).toBeUndefined()
  expect(wireText(of('date'), '2024-02-30')).toBeUndefined()
  expect(wireText(of('timestamp'), '-290308-01-01T00:00:00')).toBeUndefined()
  const least = -9_223_372_022_400_000_000n
  expect(wireText(of('timestamp'), timestampText(least, 6))).toBe(String(least))
  expect(wireText(of('timestamp'), timestampText(least - 1n, 6))).toBeUndefined()
  expect(wireText(of('timestamp_ns'), '2262-04-11T23:47:16.854775806')).toBe(String(2n ** 63n - 2n))
  expect(wireText(of('timestamp_ns'), '2262-04-11T23:47:16.854775807')).toBeUndefined()
})

test('what was expected says how binary is given', () => {
  expect(expectation(of('binary'))).toBe('binary as base64')
  expect(expectation(FIXED)).toBe('fixed[2] as base64')
  expect(expectation(of('long'))).toBe('long')
})
