import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withEmptyGroup } from '../../formats/parquet/empty-group.ts'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { querySql } from '../../parquet-files.ts'

/** Files as other programs write them, made here, and those of theirs that are beside this tree. */

const CASES = new URL('../../../../shared/cases/', import.meta.url).pathname

let folder: string
let service: TestService

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'moraine-cases-'))
  service = await startTestService({ allowedLocations: [folder] })
})
afterAll(async () => {
  await service.close()
  rmSync(folder, { recursive: true })
})

/** A file of ours, and that of theirs if it is there: each is written in a folder of its own. */
type Case = [what: string, write: (path: string) => Promise<unknown>]

function cases(theirs: string, write: (path: string) => Promise<unknown>): Case[] {
  const path = join(CASES, theirs)
  const copy: Case = [theirs, async (to) => copyFileSync(path, to)]
  return [['a file of ours', write], ...(existsSync(path) ? [copy] : [])]
}

let made = 0

/** In a folder whose files may be registered; and a name for its table. */
async function caseFile(write: Case[1]): Promise<{ path: string; table: string }> {
  const table = `case_${++made}`
  const path = join(folder, `${table}.parquet`)
  await write(path)
  return { path, table }
}

const copyTo = (path: string, query: string, options = '') =>
  querySql(`COPY (${query}) TO '${path}' (FORMAT parquet${options})`)

function uploadFile(table: string, path: string) {
  return ask(service, `/v1/tables/${table}/files`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/vnd.apache.parquet' },
    raw: readFileSync(path),
  })
}

function dump(table: string, format: string) {
  return ask(service, `/v1/tables/${table}/dump?format=${format}`)
}

const ROWS_OF_GROUP = 2_048
const NUMBERED = `SELECT range AS a, 'x' AS s FROM range(${2 * ROWS_OF_GROUP})`

/** As pyarrow and pandas write an empty frame, alone or between others. */
const emptyGroup = (place: Parameters<typeof withEmptyGroup>[1]) => async (path: string) => {
  await copyTo(path, NUMBERED, `, COMPRESSION uncompressed, ROW_GROUP_SIZE ${ROWS_OF_GROUP}`)
  writeFileSync(path, withEmptyGroup(readFileSync(path), place))
}

describe.each<[number, Case]>([
  ...cases('empty-row-group/empty.parquet', emptyGroup({ index: 0, alone: true })).map(
    (one): [number, Case] => [0, one],
  ),
  [2 * ROWS_OF_GROUP, ['a file of ours', emptyGroup({ index: 1 })]],
  [2 * ROWS_OF_GROUP, ['a file of ours that ends with it', emptyGroup({ index: 2 })]],
  ...cases('empty-row-group/amid.parquet', emptyGroup({ index: 0 })).map(
    ([what, write], i): [number, Case] => [i === 0 ? 2 * ROWS_OF_GROUP : 2, [what, write]],
  ),
])('a row group without rows, in a file of %d', (rows, [what, write]) => {
  test(`${what}: by path, by upload, and in every dump`, async () => {
    const { path, table } = await caseFile(write)
    await must(post(service, '/v1/tables', { name: table, infer_from: path }), 201)
    await must(post(service, `/v1/tables/${table}/files`, { files: [{ path }] }))
    await must(uploadFile(table, path), 201)
    const found = await must(ask(service, `/v1/tables/${table}`))
    expect(found.totals.data_files).toBe(2)
    expect(found.data_files.map((file: { record_count: number }) => file.record_count)).toEqual([
      rows,
      rows,
    ])
    const lines = (await dump(table, 'ndjson')).text.split('\n').filter((line) => line !== '')
    expect(lines).toHaveLength(2 * rows)
    for (const format of ['csv', 'parquet', 'arrow']) {
      expect((await dump(table, format)).status).toBe(200)
    }
  })
})

const TENANT = '0d9f5e7c-6f0e-4b7a-9a51-2f1f6a0e9d21'

describe.each(
  cases('partition-value-over-16/tenant.parquet', (path) =>
    copyTo(path, `SELECT '${TENANT}' AS tenant, range AS v FROM range(3)`),
  ),
)('a partition is decided by whole values: %s', (_what, write) => {
  test.each(['identity', 'truncate[20]', 'bucket[8]'])(
    'a text of 36 characters, by %s',
    async (transform) => {
      const { path, table } = await caseFile(write)
      const { schema } = await must(
        post(service, '/v1/tables', { name: `${table}_found`, infer_from: path }),
        201,
      )
      const partitioning = [{ column: 'tenant', transform }]
      const body = { name: table, schema: { columns: schema.columns }, partitioning }
      await must(post(service, '/v1/tables', body), 201)
      await must(post(service, `/v1/tables/${table}/files`, { files: [{ path }] }))
      await must(uploadFile(table, path), 201)
      const { data_files } = await must(ask(service, `/v1/tables/${table}`))
      expect(data_files).toHaveLength(2)
      const [first, second] = data_files
      expect(first.partition).toEqual(second.partition)
      if (transform === 'identity') expect(first.partition.tenant).toHaveLength(36)
    },
  )
})

const ALL_DAY = `SELECT unnest([
    TIMESTAMP_NS '2024-01-01 00:00:00', TIMESTAMP_NS '2024-01-01 23:59:59.999999999'
  ]) AS t, unnest([1, 2]) AS k`

describe.each(cases('end-of-day-nanoseconds/eod.parquet', (path) => copyTo(path, ALL_DAY)))(
  'the last nanoseconds of a day are of the day: %s',
  (_what, write) => {
    test.each([
      ['day', '2024-01-01'],
      ['month', 12 * 54],
      ['year', 54],
    ])('by %s', async (transform, value) => {
      const { path, table } = await caseFile(write)
      const { schema } = await must(
        post(service, '/v1/tables', { name: `${table}_found`, infer_from: path }),
        201,
      )
      const partitioning = [{ column: schema.columns[0].name, transform }]
      const body = { name: table, schema: { columns: schema.columns }, partitioning }
      await must(post(service, '/v1/tables', body), 201)
      await must(post(service, `/v1/tables/${table}/files`, { files: [{ path }] }))
      const { data_files } = await must(ask(service, `/v1/tables/${table}`))
      expect(Object.values(data_files[0].partition)).toEqual([value])
    })
  },
)

/** POINT (1 2), as WKB. */
const POINT = '0101000000000000000000f03f0000000000000040'
const GEO = JSON.stringify({
  ...{ version: '1.0.0', primary_column: 'geometry' },
  columns: { geometry: { encoding: 'WKB', geometry_types: ['Point'] } },
})

test.each(
  cases('geoparquet-dump/geo.parquet', (path) =>
    copyTo(
      path,
      `SELECT 1::BIGINT AS id, from_hex('${POINT}') AS geometry`,
      `, KV_METADATA {geo: '${GEO}'}`,
    ),
  ),
)(
  'a column that GeoParquet calls a geometry is binary, in dumps and when rewritten: %s',
  async (_what, write) => {
    const { path, table } = await caseFile(write)
    await must(post(service, '/v1/tables', { name: table, infer_from: path }), 201)
    await must(post(service, `/v1/tables/${table}/files`, { files: [{ path }] }))
    const row = { id: 1, geometry: 'AQEAAAAAAAAAAADwPwAAAAAAAABA' }
    expect(JSON.parse((await dump(table, 'ndjson')).text)).toEqual(row)
    for (const format of ['csv', 'parquet', 'arrow']) {
      expect((await dump(table, format)).status).toBe(200)
    }
    const changes = [{ op: 'widen', name: 'id', type: 'double' }]
    await must(post(service, `/v1/tables/${table}/schemas`, { changes }))
    expect(JSON.parse((await dump(table, 'ndjson')).text)).toEqual(row)
  },
)
