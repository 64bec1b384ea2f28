import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeVector, Table, Timestamp, TimeUnit, tableToIPC } from 'apache-arrow'
import { Table as ParquetTable, writeParquet } from 'parquet-wasm/node'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { querySql } from '../../parquet-files.ts'

/** As pandas writes them: moments in nanoseconds, around 1970. */
const NANOS = [-1_001n, -1_000n, -999n, -1n, 0n, 1n, 999n, 1_001n]
/** Rounded toward negative infinity. */
const MICROS = [-2n, -1n, -1n, -1n, 0n, 0n, 0n, 1n]

const OWN = 'hive_partitioning = false'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

let tables = 0

async function fileOf(nanos: readonly bigint[]): Promise<string> {
  const type = new Timestamp(TimeUnit.NANOSECOND, 'UTC')
  const data = BigInt64Array.from(nanos)
  const stream = tableToIPC(new Table({ c: makeVector({ type, data, length: nanos.length }) }))
  const path = join(service.dataFolder, `early${++tables}.parquet`)
  await writeFile(path, writeParquet(ParquetTable.fromIPCStream(stream)))
  return path
}

async function newTable(partitioning: readonly object[] = []): Promise<string> {
  const name = `early${++tables}`
  const schema = { columns: [{ name: 'c', type: 'timestamptz' }] }
  await must(post(service, '/v1/tables', { name, schema, partitioning }), 201)
  return name
}

function text(micros: bigint): string {
  const [second, fraction] =
    micros < 0n ? ['1969-12-31 23:59:59', 1_000_000n + micros] : ['', micros]
  const digits = fraction === 0n ? '' : `.${String(fraction).padStart(6, '0')}`
  return `${second || '1970-01-01 00:00:00'}${digits}+00:00`
}

test('moments before 1970 are dumped as their bounds say, rounded down', async () => {
  const table = await newTable()
  const path = await fileOf(NANOS)
  await must(post(service, `/v1/tables/${table}/files`, { files: [{ path }] }))
  const { data_files } = await must(ask(service, `/v1/tables/${table}`))
  expect(data_files[0].bounds.c.lower).toBe('1969-12-31T23:59:59.999998+00:00')
  const csv = await ask(service, `/v1/tables/${table}/dump?format=csv`)
  expect(csv.text.trimEnd().split('\n')).toEqual(['c', ...MICROS.map(text)])
  const ndjson = await ask(service, `/v1/tables/${table}/dump?format=ndjson`)
  const values = ndjson.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).c)
  expect(values.map((value: string) => value.replace('T', ' ').replace('.000000', ''))).toEqual(
    MICROS.map(text),
  )
})

test.each([
  ['identity', 4],
  ['hour', 2],
  ['day', 2],
  ['month', 2],
  ['year', 2],
])('an upload is split by %s of the rounded moments, and its rows are these', async (by, parts) => {
  const table = await newTable([{ column: 'c', transform: by }])
  const headers = { 'Content-Type': 'application/vnd.apache.parquet' }
  const raw = readFileSync(await fileOf(NANOS))
  const { files } = await must(ask(service, `/v1/tables/${table}/files`, { raw, headers }), 201)
  expect(files).toHaveLength(parts)
  const paths = files.map(({ path }: Json) => `'${path.slice('file://'.length)}'`)
  const rows = await querySql(
    `SELECT epoch_us(c) AS c FROM read_parquet([${paths}], ${OWN}) ORDER BY 1`,
  )
  expect(rows.map(({ c }) => BigInt(String(c)))).toEqual(MICROS)
})
