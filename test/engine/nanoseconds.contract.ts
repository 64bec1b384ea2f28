import { writeFile } from 'node:fs/promises'
import {
  makeVector,
  Table,
  TimeNanosecond,
  Timestamp,
  TimeUnit,
  tableToIPC,
  type Vector,
} from 'apache-arrow'
import { Table as ParquetTable, writeParquet } from 'parquet-wasm/node'
import { refusal } from '../refusal.ts'
import { Bench, field, type OpenEngine, schemaOf, sourceOf } from './engine-samples.ts'

const LOCAL = new Timestamp(TimeUnit.NANOSECOND)
const ZONED = new Timestamp(TimeUnit.NANOSECOND, 'UTC')

/**
 * What an engine promises of files in nanoseconds, as pandas writes them, under types of
 * microseconds.
 */
export function describeNanoseconds(name: string, open: OpenEngine): void {
  describe(`nanoseconds in the engine ${name}`, () => {
    let bench: Bench

    beforeAll(async () => {
      bench = await Bench.open(open)
    })
    afterAll(() => bench.close())

    function moments(type: Timestamp, ...values: readonly bigint[]): Promise<string> {
      return fileOf(makeVector({ type, ...valuesOf(values) }))
    }

    async function fileOf(column: Vector): Promise<string> {
      const path = bench.newPath('parquet')
      const stream = tableToIPC(new Table({ c: column }), 'stream')
      await writeFile(path, writeParquet(ParquetTable.fromIPCStream(stream)))
      return path
    }

    test.each(['csv', 'ndjson', 'parquet', 'arrow'] as const)(
      'a timestamp goes down to the microsecond before it in %s, also before 1970',
      async (format) => {
        const schema = schemaOf(field(1, 'c', 'timestamp'))
        const values = [-1001n, -1000n, -999n, -1n, 0n, 999n, 1_001n, 86_399_999_999_999n]
        const micros = [-2n, -1n, -1n, -1n, 0n, 0n, 1n, 86_399_999_999n]
        const source = sourceOf(await moments(LOCAL, ...values), schema)
        const exact = sourceOf(
          await bench.parquet(
            micros.map((value) => `SELECT make_timestamp(${value}) AS c`).join(' UNION ALL '),
          ),
          schema,
        )
        const [ours, expected] = await Promise.all(
          [source, exact].map((from) => bench.export({ source: from, schema, target: { format } })),
        )
        expect(ours?.bytes.equals(expected?.bytes ?? Buffer.alloc(0))).toBe(true)
      },
    )

    test('moments with a zone are cut from 1970 on, and refused by column before', async () => {
      const schema = schemaOf(field(1, 'c', 'timestamptz'))
      const late = await moments(ZONED, 0n, 1_999n, 1_582_977_600_123_456_789n)
      expect(await bench.exportText({ source: sourceOf(late, schema), schema })).toBe(
        '1970-01-01 00:00:00+00:00\n1970-01-01 00:00:00.000001+00:00\n' +
          '2020-02-29 12:00:00.123456+00:00\n',
      )
      const early = await moments(ZONED, 0n, -1_001n)
      const target = { path: bench.newPath('out'), format: 'csv', compression: 'none' } as const
      const job = { source: sourceOf(early, schema), schema, target }
      const failure = await refusal(bench.engine.export(job))
      expect([failure.code, failure.facts['file']]).toEqual(['file-unsupported', early])
      expect(failure.message).toContain('column c has a moment before 1970 in nanoseconds')
    })

    test('a time is cut to the microsecond, and a timestamp_ns keeps its nanoseconds', async () => {
      const time = schemaOf(field(1, 'c', 'time'))
      const times = await fileOf(
        makeVector({ type: new TimeNanosecond(), ...valuesOf([0n, 999n, 86_399_999_999_999n]) }),
      )
      expect(await bench.exportText({ source: sourceOf(times, time), schema: time })).toBe(
        '00:00:00\n00:00:00\n23:59:59.999999\n',
      )
      const exact = schemaOf(field(1, 'c', 'timestamp_ns'))
      const exactly = await moments(LOCAL, -1n, 1n)
      expect(await bench.exportText({ source: sourceOf(exactly, exact), schema: exact })).toBe(
        '1969-12-31 23:59:59.999999999\n1970-01-01 00:00:00.000000001\n',
      )
    })
  })
}

function valuesOf(values: readonly bigint[]): { data: BigInt64Array; length: number } {
  return { data: BigInt64Array.from(values), length: values.length }
}
