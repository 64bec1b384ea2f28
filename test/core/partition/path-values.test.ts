import {
  guessTypeOfPath,
  pathValues,
  valueOfPath,
} from '../../../src/core/partition/path-values.ts'
import type { PrimitiveType, Type } from '../../../src/core/value/type.ts'
import type { Value } from '../../../src/core/value/value.ts'

test.each<[string, readonly (readonly [string, string | null | undefined])[]]>([
  ['file:///k=%FF/x', [['k', undefined]]],
  ['file:///k=%EF%BB%BFa/x', [['k', '\uFEFFa']]],
  ['file:///%FF=1/x', []],
  ['file:///a/b.parquet', []],
  ['file:///a/dt=2024-01-01/b=c.parquet', [['dt', '2024-01-01']]],
  [
    'file:///env=prod/t/k=a%2Fb/n=__HIVE_DEFAULT_PARTITION__/x',
    [
      ['env', 'prod'],
      ['k', 'a/b'],
      ['n', null],
    ],
  ],
  ['file:///a=/x', [['a', '']]],
  ['file:///=a/x', []],
  ['file:///a=b=c/x', [['a', 'b=c']]],
  ['file:///k%3Dy=%C3%A9%F0%9F%98%80/x', [['k=y', 'é😀']]],
  ['file:///k=100%/x', [['k', '100%']]],
  ['file:///k=%zz%41/x', [['k', '%zzA']]],
  ['file:///k=a+b/x', [['k', 'a+b']]],
])('folders of %s', (location, expected) => {
  expect(pathValues(location).map(({ name, text }) => [name, text])).toEqual(expected)
})

const NOON = 12n * 3_600_000_000n

test.each<[Type['kind'] | PrimitiveType, string, Value | undefined]>([
  ['string', '', ''],
  ['string', 'null', 'null'],
  ['boolean', 'TRUE', true],
  ['boolean', 'false', false],
  ['boolean', '1', undefined],
  ['int', '007', 7],
  ['int', '-2147483648', -2_147_483_648],
  ['int', '2147483648', undefined],
  ['int', '1.0', undefined],
  ['long', '+9223372036854775807', 9_223_372_036_854_775_807n],
  ['long', '9223372036854775808', undefined],
  ['long', '', undefined],
  ['float', '0.1', Math.fround(0.1)],
  ['double', '-0.0', -0],
  ['double', '1e3', 1000],
  ['double', 'nan', Number.NaN],
  ['double', '-inf', Number.NEGATIVE_INFINITY],
  ['double', 'x', undefined],
  ['double', '1e400', undefined],
  ['double', '-1e400', undefined],
  ['float', '1e39', undefined],
  ['float', '3.4e38', Math.fround(3.4e38)],
  [{ kind: 'decimal', precision: 5, scale: 2 }, '-0.5', -50n],
  [{ kind: 'decimal', precision: 5, scale: 2 }, '1000', undefined],
  ['date', '1969-12-31', -1],
  ['date', '2023-02-29', undefined],
  ['time', '12:00:00', NOON],
  ['timestamp', '1970-01-01 12:00:00', NOON],
  ['timestamp', '1970-01-01T12:00:00', NOON],
  ['timestamp', '1970-01-01 12:00:00+00', undefined],
  ['timestamptz', '1970-01-01 12:00:00+00', NOON],
  ['timestamptz', '1970-01-01 13:00:00+01', NOON],
  ['timestamptz', '1970-01-01 12:00:00', NOON],
  ['timestamp_ns', '1969-12-31 23:59:59.999999999', -1n],
  ['timestamptz_ns', '1970-01-01 00:00:00.000000001', 1n],
  ['binary', '00', undefined],
])('%j reads %s', (type, text, expected) => {
  const full = (typeof type === 'string' ? { kind: type } : type) as PrimitiveType
  expect(valueOfPath(full, text)).toEqual(expected)
})

test.each([
  ['2024-01-01', 'date'],
  ['2024-01-01 00:00:00', 'timestamp'],
  ['03', 'long'],
  ['1.5', 'string'],
  ['true', 'string'],
  ['', 'string'],
  [null, 'string'],
])('%s looks like a %s', (text, kind) => {
  expect(guessTypeOfPath(text)).toEqual({ kind })
})
