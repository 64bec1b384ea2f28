import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'

const CASES = new URL('../../../../shared/cases/', import.meta.url).pathname
const testWithCases = existsSync(CASES) ? test : test.skip

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

/** The case's file, in a folder whose files may be registered. */
function caseFile(name: string): string {
  const path = join(folder, name.replace('/', '-'))
  copyFileSync(join(CASES, name), path)
  return path
}

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

describe('files without rows, as pyarrow and pandas write them', () => {
  testWithCases.each([
    ['empty-row-group/empty.parquet', 0],
    ['empty-row-group/amid.parquet', 2],
  ])('%s has %d rows by path, by upload, and in every dump', async (name, rows) => {
    const path = caseFile(name)
    const table = `rows_${rows}`
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

describe('a partition is decided by whole values', () => {
  testWithCases.each(['identity', 'truncate[20]', 'bucket[8]'])(
    'a text of 36 characters, by %s',
    async (transform) => {
      const path = caseFile('partition-value-over-16/tenant.parquet')
      const table = `tenants_${transform.replace(/\W/g, '')}`
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

  testWithCases.each([
    ['day', '2024-01-01'],
    ['month', 12 * 54],
    ['year', 54],
  ])('the last nanoseconds of a day, by %s', async (transform, value) => {
    const path = caseFile('end-of-day-nanoseconds/eod.parquet')
    const table = `eod_${transform}`
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
})

describe('a column that GeoParquet calls a geometry is binary', () => {
  testWithCases('in dumps, and in a table that is rewritten', async () => {
    const path = caseFile('geoparquet-dump/geo.parquet')
    await must(post(service, '/v1/tables', { name: 'geo', infer_from: path }), 201)
    await must(post(service, '/v1/tables/geo/files', { files: [{ path }] }))
    const row = { id: 1, geometry: 'AQEAAAAAAAAAAADwPwAAAAAAAABA' }
    expect(JSON.parse((await dump('geo', 'ndjson')).text)).toEqual(row)
    for (const format of ['csv', 'parquet', 'arrow']) {
      expect((await dump('geo', format)).status).toBe(200)
    }
    const changes = [{ op: 'widen', name: 'id', type: 'double' }]
    await must(post(service, '/v1/tables/geo/schemas', { changes }))
    expect(JSON.parse((await dump('geo', 'ndjson')).text)).toEqual(row)
  })
})
