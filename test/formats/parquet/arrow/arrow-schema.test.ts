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
import { cpuMsOf } from '../../../cpu-time.ts'

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
    new Field('utc', new TimestampMicrosecond('UTC'), true),
  ]
  expect(arrowColumns(base64Of(fields))).toEqual([
    { path: 'd', isDuration: true },
    { path: 's.at', zone: '+02:00', isDuration: false },
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
      expect(arrowColumns(other.toString('base64')).length).toBeLessThanOrEqual(100)
    }),
    { numRuns: 5_000 },
  )
})

/** A schema whose fields are one and the same table: a duration with a long name. */
function repeatedField(fields: number, nameBytes: number): string {
  const [root, messageLayout, message, schemaLayout, schema] = [8, 16, 40, 64, 96] as const
  const [fieldLayout, vector] = [120, 200] as const
  const field = vector + 4 + 4 * fields
  const name = field + 64
  const bytes = Buffer.alloc(name + 4 + nameBytes, 'n', 'latin1').fill(0, 0, name)
  const layout = (at: number, slots: readonly number[]) => {
    for (const [i, slot] of [4 + 2 * slots.length, 64, ...slots].entries()) {
      bytes.writeUInt16LE(slot, at + 2 * i)
    }
  }
  const lead = (from: number, to: number) => bytes.writeUInt32LE(to - from, from)
  bytes.writeUInt32LE(0xffffffff, 0)
  lead(root, message)
  layout(messageLayout, [0, 0, 8])
  bytes.writeInt32LE(message - messageLayout, message)
  lead(message + 8, schema)
  layout(schemaLayout, [0, 8])
  bytes.writeInt32LE(schema - schemaLayout, schema)
  lead(schema + 8, vector)
  layout(fieldLayout, [8, 0, 12])
  bytes.writeUInt32LE(fields, vector)
  for (let i = 0; i < fields; i++) lead(vector + 4 + 4 * i, field)
  bytes.writeInt32LE(field - fieldLayout, field)
  lead(field + 8, name)
  bytes.writeUInt8(18, field + 12)
  bytes.writeUInt32LE(nameBytes, name)
  return bytes.toString('base64')
}

test('fields that lead to one table again and again cost no more than they weigh', () => {
  const base64 = repeatedField(100_000, 400_000)
  let columns: readonly unknown[] = []
  const cpuMs = cpuMsOf(() => {
    columns = arrowColumns(base64)
  })
  expect(columns).toHaveLength(100)
  expect(columns[0]).toEqual({ path: 'n'.repeat(100), isDuration: true })
  expect(cpuMs).toBeLessThan(150)
})
