import {
  DurationMicrosecond,
  Field,
  Int32,
  Schema,
  Struct,
  Table,
  TimestampMicrosecond,
  tableToIPC,
} from 'apache-arrow'
import fc from 'fast-check'
import { arrowColumns } from '../../../../src/formats/parquet/arrow/arrow-schema.ts'

/** As pyarrow 26 writes it, for a column `c` in the zone of Berlin. */
const BERLIN =
  '/////5AAAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAEAAAAUAAAA' +
  'EAAUAAgABgAHAAwAAAAQABAAAAAAAAEKEAAAABwAAAAEAAAAAAAAAAEAAABjAAAACAAMAAYACAAIAAAA' +
  'AAACAAQAAAANAAAARXVyb3BlL0JlcmxpbgAAAAAAAAA='

function base64Of(fields: readonly Field[]): string {
  const bytes = tableToIPC(new Table(new Schema([...fields])), 'stream')
  return Buffer.from(bytes).toString('base64')
}

test('zones and durations are found at every depth', () => {
  expect(arrowColumns(BERLIN)).toEqual([{ path: 'c', zone: 'Europe/Berlin', isDuration: false }])
  const inside = new Field('at', new TimestampMicrosecond('+02:00'), true)
  const fields = [
    new Field('n', new Int32(), true),
    new Field('d', new DurationMicrosecond(), true),
    new Field('s', new Struct([inside]), true),
    new Field('plain', new TimestampMicrosecond(), true),
  ]
  expect(arrowColumns(base64Of(fields))).toEqual([
    { path: 'n', isDuration: false },
    { path: 'd', isDuration: true },
    { path: 's', isDuration: false },
    { path: 's.at', zone: '+02:00', isDuration: false },
    { path: 'plain', isDuration: false },
  ])
})

test('of what is no schema there are no columns, and it is never read for long', () => {
  expect(arrowColumns('')).toEqual([])
  expect(arrowColumns('%%%')).toEqual([])
  const bytes = Buffer.from(BERLIN, 'base64')
  const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 6 })
  fc.assert(
    fc.property(damage, fc.nat(bytes.length), (changes, length) => {
      const other = Buffer.from(bytes.subarray(0, length))
      for (const [at, value] of changes) if (at < length) other[at] = value
      expect(arrowColumns(other.toString('base64')).length).toBeLessThanOrEqual(10_000)
    }),
    { numRuns: 5_000 },
  )
})
