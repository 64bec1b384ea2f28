import { RecordBatchReader, type Table, Type, tableFromIPC } from 'apache-arrow'
import type { ExportJob } from '../../src/engine/engine.ts'
import {
  ARROW_END_BYTES,
  ARROW_PREFIX_BYTES,
  arrowSchemaBytes,
} from '../../src/modules/dumps/format/arrow-ipc.ts'
import { Bench, field, type OpenEngine, rowBits, schemaOf, sourceOf } from './engine-samples.ts'

const ARROW = { format: 'arrow' } as const
const EVERY_TYPE = schemaOf(
  field(1, 'ok', 'boolean'),
  field(2, 'i', 'int'),
  field(3, 'l', 'long'),
  field(4, 'f', 'float'),
  field(5, 'd', 'double'),
  field(6, 'dec', { kind: 'decimal', precision: 9, scale: 2 }),
  field(7, 'big', { kind: 'decimal', precision: 38, scale: 2 }),
  field(8, 'day', 'date'),
  field(9, 'tod', 'time'),
  field(10, 'ts', 'timestamp'),
  field(11, 'tz', 'timestamptz'),
  field(12, 'ns', 'timestamp_ns'),
  field(13, 's', 'string'),
  field(14, 'id', 'uuid'),
  field(15, 'b', 'binary'),
  field(16, 'fx', { kind: 'fixed', length: 2 }),
)
const EVERY_TYPE_QUERY = `
  SELECT true AS ok, (-2147483648)::INTEGER AS i, 9223372036854775807::BIGINT AS l, 1.5::FLOAT AS f,
    '-0.0'::DOUBLE AS d, (-0.05)::DECIMAL(9,2) AS dec,
    (-123456789012345678901234567890.12)::DECIMAL(38,2) AS big,
    DATE '1969-12-31' AS day, TIME '23:59:59.000001' AS tod,
    TIMESTAMP '1969-12-31 23:59:59.999999' AS ts,
    TIMESTAMPTZ '1970-01-01 00:00:00.000001+00' AS tz,
    make_timestamp_ns(1582977600123456789) AS ns, 'é😀' AS s,
    UUID '00010203-0405-0607-0809-0a0b0c0d0e0f' AS id,
    '\\x00\\xFF'::BLOB AS b, '\\x01\\x02'::BLOB AS fx
  UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL`

/**
 * What an engine promises of Arrow IPC streams: docs/dump-dialects.md. An independent reader reads
 * them.
 */
export function describeArrow(name: string, open: OpenEngine): void {
  describe(`Arrow of the engine ${name}`, () => {
    let bench: Bench

    beforeAll(async () => {
      bench = await Bench.open(open)
    })
    afterAll(() => bench.close())

    async function exported(job: Pick<ExportJob, 'source' | 'schema'>): Promise<Buffer> {
      return (await bench.export({ ...job, target: ARROW })).bytes
    }

    test('every type has its Arrow type, and its values to the last bit', async () => {
      const path = await bench.parquet(EVERY_TYPE_QUERY)
      const table = tableFromIPC(
        await exported({ source: sourceOf(path, EVERY_TYPE), schema: EVERY_TYPE }),
      )
      expect(table.schema.fields.map((column) => `${column.name} ${column.type}`)).toEqual([
        ...['ok Bool', 'i Int32', 'l Int64', 'f Float32', 'd Float64', 'dec Decimal[9e+2]'],
        ...['big Decimal[38e+2]', 'day Date32<DAY>', 'tod Time64<MICROSECOND>'],
        ...['ts Timestamp<MICROSECOND>', 'tz Timestamp<MICROSECOND, UTC>'],
        ...[
          'ns Timestamp<NANOSECOND>',
          's Utf8',
          'id FixedSizeBinary[16]',
          'b Binary',
          'fx FixedSizeBinary[2]',
        ],
      ])
      const ids = table.schema.fields.map(({ metadata }) => metadata.get('PARQUET:field_id'))
      expect(ids).toEqual(EVERY_TYPE.fields.map(({ id }) => String(id)))
      const [first, second] = [0, 1].map((row) => rawRow(table, row))
      expect(first).toEqual({
        ...{ ok: true, i: -2147483648, l: 9223372036854775807n, f: 1.5, d: -0 },
        ...{ dec: -5n, big: -12345678901234567890123456789012n, day: -1, tod: 86_399_000_001n },
        ...{ ts: -1n, tz: 1n, ns: 1_582_977_600_123_456_789n, s: 'é😀', b: [0, 255] },
        fx: [1, 2],
        id: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
      })
      expect(Object.values(second ?? {})).toEqual(EVERY_TYPE.fields.map(() => null))
    })

    test('lists, structs and maps keep NULLs and emptiness at every level', async () => {
      const long = { kind: 'long' } as const
      const list = { kind: 'list', elementId: 2, elementRequired: false, element: long } as const
      const map = { keyId: 5, key: { kind: 'string' }, valueId: 6, valueRequired: false } as const
      const schema = schemaOf(
        field(1, 'li', list),
        field(3, 'st', { kind: 'struct', fields: [field(4, 'x', 'string')] }),
        field(7, 'm', { kind: 'map', ...map, value: { ...list, elementId: 8 } }),
      )
      const path = await bench.parquet(
        `SELECT [1, NULL]::BIGINT[] AS li, {'x': NULL::VARCHAR} AS st,
           MAP {'k': [2::BIGINT], 'n': NULL} AS m
         UNION ALL SELECT [], {'x': 'y'}, MAP {} UNION ALL SELECT NULL, NULL, NULL`,
      )
      const table = tableFromIPC(await exported({ source: sourceOf(path, schema), schema }))
      const rows = table.toArray().map((row) => row.toJSON())
      expect(JSON.parse(JSON.stringify(rows, wholeNumbers))).toEqual([
        { li: [1, null], st: { x: null }, m: { k: [2], n: null } },
        { li: [], st: { x: 'y' }, m: {} },
        { li: null, st: null, m: null },
      ])
    })

    test('the same job gives the same bytes, in batches without dictionaries', async () => {
      const schema = schemaOf(field(1, 'i', 'long'), field(2, 's', 'string'))
      const path = await bench.parquet(`SELECT range AS i, 's' || range % 3 AS s FROM range(60000)`)
      const job = { source: sourceOf(path, schema), schema }
      const [first, second] = await Promise.all([exported(job), exported(job)])
      expect(first.equals(second)).toBe(true)
      const reader = RecordBatchReader.from(first)
      const batches = [...reader]
      expect(reader.dictionaries.size).toBe(0)
      expect(batches.length).toBeGreaterThan(1)
      const rows = tableFromIPC(first).toArray()
      expect(rows.length).toBe(60_000)
      expect(rows.every(({ i, s }, at) => i === BigInt(at) && s === `s${at % 3}`)).toBe(true)
    })

    test('batches of several files follow one schema; files without rows have none', async () => {
      const schema = schemaOf(
        field(1, 'a', 'long'),
        field(2, 'added', 'string', { initialDefault: 'old' }),
      )
      const now = await bench.parquet(`SELECT 2::BIGINT AS a, 'new' AS added`)
      const before = await bench.parquet('SELECT range::INTEGER AS was FROM range(3)')
      const none = await bench.parquet(`SELECT 1::BIGINT AS a, '' AS added WHERE false`)
      const nothing = { source: undefined, schema, target: targetOf(bench) }
      const shards = [
        await exported({ source: sourceOf(none, schema), schema }),
        await exported({
          source: {
            path: before,
            columns: [
              { fieldId: 1, nameInFile: 'was' },
              { fieldId: 2, nameInFile: undefined },
            ],
            deletedRows: rowBits([1]),
          },
          schema,
        }),
        await exported({ source: sourceOf(now, schema), schema }),
      ]
      const { bytes } = await bench.engine.export(nothing)
      expect(bytes).toBe(shards[0]?.length)
      const heads = shards.map((shard) => shard.subarray(0, headBytes(shard)))
      expect(heads.every((head) => head.equals(heads[0] ?? Buffer.alloc(0)))).toBe(true)
      const joined = Buffer.concat([
        heads[0] ?? Buffer.alloc(0),
        ...shards.map((shard) => shard.subarray(headBytes(shard), -ARROW_END_BYTES)),
        (shards[0] ?? Buffer.alloc(0)).subarray(-ARROW_END_BYTES),
      ])
      const rows = tableFromIPC(joined).toArray()
      expect(rows.map(({ a, added }) => [a, added])).toEqual([
        [0n, 'old'],
        [2n, 'old'],
        [2n, 'new'],
      ])
    })
  })
}

function targetOf(bench: Bench): ExportJob['target'] {
  return { path: bench.newPath('arrows'), format: 'arrow', compression: 'none' }
}

function headBytes(stream: Buffer): number {
  return arrowSchemaBytes(stream.subarray(0, ARROW_PREFIX_BYTES))
}

/** Values as the buffers hold them: the reader's own rows have dates and times as milliseconds. */
function rawRow(table: Table, row: number): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    table.schema.fields.map(({ name }, i) => {
      const vector = table.getChildAt(i)
      const data = vector?.data[0]
      const value: unknown = vector?.get(row)
      if (value === null || data === undefined) return [name, null]
      if (data.typeId === Type.Timestamp || data.typeId === Type.Time)
        return [name, data.values[row]]
      if (data.typeId === Type.Date) return [name, data.values[row]]
      if (data.typeId === Type.Decimal) return [name, unscaled(data.values, row)]
      return [name, value instanceof Uint8Array ? [...value] : value]
    }),
  )
}

function unscaled(words: Uint32Array, row: number): bigint {
  const [a = 0, b = 0, c = 0, d = 0] = words.subarray(4 * row, 4 * row + 4)
  const bits = [d, c, b, a].reduce((sum, word) => (sum << 32n) | BigInt(word), 0n)
  return BigInt.asIntN(128, bits)
}

function wholeNumbers(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}
