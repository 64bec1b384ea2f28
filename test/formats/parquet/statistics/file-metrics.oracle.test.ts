import { readFileSync } from 'node:fs'
import { runSteps } from '../../../../src/core/steps.ts'
import { decodeSingleValue } from '../../../../src/core/value/single-value.ts'
import type {
  ListType,
  MapType,
  PrimitiveType,
  Schema,
  StructType,
} from '../../../../src/core/value/type.ts'
import { compareValues, type Value } from '../../../../src/core/value/value.ts'
import type { ParquetFooter } from '../../../../src/formats/parquet/footer/footer-model.ts'
import { inferSchemaFields } from '../../../../src/formats/parquet/schema/parquet-schema.ts'
import { matchFileSchema } from '../../../../src/formats/parquet/schema/schema-match.ts'
import { fileMetricsSteps } from '../../../../src/formats/parquet/statistics/file-metrics.ts'
import { writeThriftStruct } from '../../../../src/formats/parquet/thrift/thrift.ts'
import { type DuckDBFolder, openDuckDBFolder } from '../duckdb-file.ts'
import { footerOf } from '../sample-file.ts'
import { readShared, SHARED_FILES, sharedPath, testWithShared } from '../shared-data.ts'

function metricsOf(footer: ParquetFooter) {
  const schema: Schema = {
    schemaId: 0,
    fields: inferSchemaFields(footer),
    identifierFieldIds: [],
  }
  const match = matchFileSchema({ footer, schema })
  return { schema, metrics: runSteps(fileMetricsSteps(footer, match, schema)) }
}

/** SQL by which DuckDB writes a value of a column as Iceberg stores it. */
const EXACT: Partial<Record<PrimitiveType['kind'], (column: string) => string>> = {
  int: (c) => `${c}::INTEGER`,
  long: (c) => `${c}::BIGINT`,
  date: (c) => `(${c} - DATE '1970-01-01')::INTEGER`,
  time: (c) => `(epoch_ns(${c}) // 1000)::BIGINT`,
  timestamp: (c) => `epoch_us(${c}::TIMESTAMP)`,
  timestamptz: (c) => `epoch_us(${c})`,
  uuid: (c) => `unhex(replace(${c}::VARCHAR, '-', ''))`,
}

function exactValue(type: PrimitiveType, column: string): string {
  const quoted = `"${column}"`
  if (type.kind === 'decimal') {
    return `replace(${quoted}::DECIMAL(38,${type.scale})::VARCHAR, '.', '')::HUGEINT`
  }
  return EXACT[type.kind]?.(quoted) ?? quoted
}

interface Columns {
  readonly holds: string[]
  readonly tight: string[]
}

/** Compares bounds with every value that DuckDB reads. */
async function checkBounds(duckdb: DuckDBFolder, path: string): Promise<Columns> {
  const footer = await footerOf(readFileSync(path))
  const { schema, metrics } = metricsOf(footer)
  const seen: Columns = { holds: [], tight: [] }
  for (const { id, name, type } of schema.fields) {
    if (type.kind === 'list' || type.kind === 'map' || type.kind === 'struct') continue
    const lower = metrics.lowerBounds.get(id)
    const upper = metrics.upperBounds.get(id)
    const sql = `SELECT ${exactValue(type, name)} AS v FROM '${path}' WHERE "${name}" IS NOT NULL`
    const values = (await duckdb.rows(sql))
      .map(([value]) => value as Value)
      .filter((value) => !Number.isNaN(value))
    expect(metrics.nullValueCounts.get(id)).toBe(
      footer.rowCount - (await nonNulls(duckdb, path, name)),
    )
    if (lower === undefined || upper === undefined || values.length === 0) continue
    const bounds = [decodeSingleValue(type, lower), decodeSingleValue(type, upper)] as const
    const sorted = values.sort((a, b) => compareValues(type, a, b))
    const [least, greatest] = [sorted[0] as Value, sorted.at(-1) as Value]
    expect([name, compareValues(type, bounds[0], least) <= 0]).toEqual([name, true])
    expect([name, compareValues(type, bounds[1], greatest) >= 0]).toEqual([name, true])
    seen.holds.push(name)
    const isTight =
      compareValues(type, bounds[0], least) === 0 && compareValues(type, bounds[1], greatest) === 0
    if (isTight) seen.tight.push(name)
  }
  return seen
}

async function nonNulls(duckdb: DuckDBFolder, path: string, name: string): Promise<number> {
  const [row] = await duckdb.rows(`SELECT count("${name}") FROM '${path}'`)
  return Number(row?.[0])
}

/** 5,000 rows in three row groups, spread over each type; every 7th row is null. */
const EVERY_TYPE = `
  SELECT * REPLACE (CASE WHEN i % 7 = 0 THEN NULL ELSE "int" END AS "int",
                    CASE WHEN i % 7 = 0 THEN NULL ELSE "text" END AS "text",
                    CASE WHEN i > 2500 THEN NULL ELSE "decimal9" END AS "decimal9") FROM (
  SELECT i, h, (h % 2000000000 - 1000000000)::INTEGER AS "int", (h - 9e17)::BIGINT AS "long",
    (h % 256 - 128)::TINYINT AS tiny, (h % 65536)::USMALLINT AS unsigned16,
    (h % 4294967296)::UINTEGER AS unsigned32, (h::HUGEINT * 9)::UBIGINT AS unsigned64,
    (h / 1e9 - 1e9)::FLOAT AS "float", h / 1e5 - 1e12 AS "double",
    CASE WHEN i % 100 = 3 THEN 'NaN'::DOUBLE ELSE h / 1e5 END AS with_nan,
    CASE WHEN i % 2 = 0 THEN 0.0::DOUBLE ELSE -0.0::DOUBLE END AS zeros,
    ((h % 2000000 - 1000000) / 100)::DECIMAL(9,2) AS decimal9,
    ((h % 2000000000000 - 1000000000000) / 10000)::DECIMAL(18,4) AS decimal18,
    (h::HUGEINT * -123456789)::DECIMAL(38,0) AS decimal38,
    DATE '1970-01-01' + (h % 100000 - 60000)::INTEGER AS "date",
    TIME '00:00:00' + to_microseconds((h % 86400000000)::BIGINT) AS "time",
    make_timestamp((h - 9e17)::BIGINT // 100) AS "timestamp",
    make_timestamp((h - 9e17)::BIGINT // 100)::TIMESTAMPTZ AS timestamptz,
    make_timestamp((h - 9e17)::BIGINT // 100)::TIMESTAMP_MS AS timestamp_ms,
    make_timestamp_ns((h - 9e17)::BIGINT) AS timestamp_ns,
    md5(i::VARCHAR)::UUID AS uuid,
    chr(((h % 50000) + 97)::INTEGER % 55000 + 1) || repeat('é😀', (i % 15)::INTEGER) || i AS "text",
    i || '-' AS short,
    unhex(md5(i::VARCHAR)) || unhex(md5(h::VARCHAR)) AS "binary",
    h % 2 = 0 AS "boolean", NULL::INTEGER AS nothing,
    ['red','green','blue'][(h % 3 + 1)::INTEGER]::ENUM('red','green','blue') AS "enum",
    {'x': i, 'deep': {'y': h}} AS "struct", [i, NULL, h] AS "list", MAP {'k' || i: h} AS "map"
  FROM (SELECT i, (hash(i) % 1800000000000000000)::BIGINT AS h FROM range(5000) t(i)))`

let duckdb: DuckDBFolder
beforeAll(async () => {
  duckdb = await openDuckDBFolder()
  await duckdb.connection.run(
    `COPY (${EVERY_TYPE}) TO '${duckdb.path('every.parquet')}'
     (FORMAT parquet, ROW_GROUP_SIZE 2048)`,
  )
})
afterAll(() => duckdb.close())

test('bounds hold every value of every type, over row groups, nulls and NaN', async () => {
  const { holds, tight } = await checkBounds(duckdb, duckdb.path('every.parquet'))
  const exact = [
    ...['i', 'h', 'int', 'long', 'tiny', 'unsigned16', 'unsigned32', 'unsigned64', 'float'],
    ...['double', 'zeros', 'decimal9', 'decimal18', 'decimal38', 'date', 'time', 'timestamp'],
    ...['timestamptz', 'timestamp_ms', 'uuid', 'short', 'boolean', 'enum'],
  ]
  expect(tight).toEqual(expect.arrayContaining(exact))
  const rounded = ['timestamp_ns', 'text', 'binary']
  expect(holds.sort()).toEqual([...exact, ...rounded].sort())
})

test('counts, sizes and offsets are those that DuckDB reads in the footer', async () => {
  const path = duckdb.path('every.parquet')
  const bytes = readFileSync(path)
  const footer = await footerOf(bytes)
  const { metrics } = metricsOf(footer)
  const { fieldIds } = matchFileSchema({ footer, schema: metricsOf(footer).schema })
  const oracle = await duckdb.rows(`
    SELECT column_id, sum(num_values), sum(total_compressed_size), sum(stats_null_count)
    FROM parquet_metadata('${path}') GROUP BY column_id ORDER BY column_id`)
  const numbers = fieldIds.map((id, leafIndex) => [
    leafIndex,
    metrics.valueCounts.get(id),
    metrics.columnSizes.get(id),
    metrics.nullValueCounts.get(id),
  ])
  expect(numbers).toEqual(oracle.map((row) => row.map(Number)))
  const offsets = await duckdb.rows(`
    SELECT min(least(coalesce(dictionary_page_offset, data_page_offset), data_page_offset))
    FROM parquet_metadata('${path}') GROUP BY row_group_id ORDER BY 1`)
  expect(metrics.splitOffsets).toEqual(offsets.map(([offset]) => Number(offset)))
  expect(metrics.recordCount).toBe(5000)
  expect(
    Buffer.compare(writeThriftStruct(footer.thrift), bytes.subarray(footer.footerOffset, -8)),
  ).toBe(0)
})

test('a struct has metrics by member; below lists and maps there are only counts', async () => {
  const { schema, metrics } = metricsOf(await footerOf(readFileSync(duckdb.path('every.parquet'))))
  const types = new Map(schema.fields.map(({ name, type }) => [name, type]))
  const { fields } = types.get('struct') as StructType
  expect(fields).toMatchObject([{ name: 'x' }, { name: 'deep' }])
  expect(metrics.lowerBounds.has(fields[0]?.id as number)).toBe(true)
  const { elementId } = types.get('list') as ListType
  expect(metrics.valueCounts.get(elementId)).toBe(15_000)
  expect(metrics.nullValueCounts.get(elementId)).toBe(5_000)
  expect(metrics.lowerBounds.has(elementId)).toBe(false)
  const { keyId, valueId } = types.get('map') as MapType
  expect([keyId, valueId].map((id) => metrics.valueCounts.get(id))).toEqual([5_000, 5_000])
  expect([keyId, valueId].some((id) => metrics.upperBounds.has(id))).toBe(false)
})

test('a file without rows has counts of zero, no bounds and no split offsets', async () => {
  const path = duckdb.path('empty.parquet')
  await duckdb.connection.run(
    `COPY (FROM '${duckdb.path('every.parquet')}' LIMIT 0) TO '${path}' (FORMAT parquet)`,
  )
  const { metrics } = metricsOf(await footerOf(readFileSync(path)))
  expect(metrics).toMatchObject({ recordCount: 0, lowerBounds: new Map(), upperBounds: new Map() })
  expect(new Set(metrics.valueCounts.values())).toEqual(new Set([0]))
  expect(metrics).not.toHaveProperty('splitOffsets')
})

testWithShared(
  'bounds and null counts of real files hold every value that DuckDB reads',
  async () => {
    for (const name of SHARED_FILES.filter((file) => !/security_findings-00[1-9]/.test(file))) {
      const { holds } = await checkBounds(duckdb, sharedPath(name))
      expect(holds.length).toBeGreaterThan(3)
    }
  },
)

testWithShared('the metrics of the planets are known', async () => {
  const { schema, metrics } = metricsOf(await footerOf(readShared('planets.parquet')))
  const id = (name: string) => schema.fields.find((field) => field.name === name)?.id as number
  expect(metrics.recordCount).toBe(9)
  expect(metrics.nullValueCounts.get(id('surfacePressure'))).toBe(4)
  const bounds = [metrics.lowerBounds.get(id('id')), metrics.upperBounds.get(id('id'))]
  expect(bounds.map((bytes) => decodeSingleValue({ kind: 'long' }, bytes as Uint8Array))).toEqual([
    1n,
    9n,
  ])
})
