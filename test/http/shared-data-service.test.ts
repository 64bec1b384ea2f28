import { Lake } from '../lake/lake.ts'
import { writeParquet } from '../parquet-files.ts'
import { ask, must, post } from './client.ts'
import {
  SHARED_FOLDER,
  sharedFile,
  startTestService,
  type TestService,
  testWithShared,
} from './harness.ts'

let service: TestService

beforeAll(async () => {
  service = await startTestService({ allowedLocations: [SHARED_FOLDER] })
})
afterAll(() => service.close())

const numbered = (path: (number: string) => string) =>
  Array.from({ length: 100 }, (_, i) => ({ path: path(String(i).padStart(4, '0')) }))

const FINDINGS = numbered((n) => sharedFile(`security_findings/security_findings-${n}.parquet`))

/** A hundred files of a hundred rows each, as those of the findings are. */
async function writeFindings(): Promise<typeof FINDINGS> {
  const files = numbered((n) => `${service.dataFolder}/found-${n}.parquet`)
  const lake = await Lake.open()
  for (const [i, { path }] of files.entries()) {
    const query = `SELECT ${i} * 100 + range AS id,
      TIMESTAMPTZ '2024-01-01' + INTERVAL (range) HOUR AS first_found FROM range(100)`
    await lake.write(path, query)
  }
  lake.close()
  return files
}

describe.each([
  ['ours', test, writeFindings],
  ['real', testWithShared, async () => FINDINGS],
] as const)('of 100 files of security findings, %s,', (what, testIf, filesOf) => {
  testIf('a filter on the id keeps the one that has it', async () => {
    const table = `findings_${what}`
    const files = await filesOf()
    await must(post(service, '/v1/tables', { name: table, infer_from: files[0]?.path }), 201)
    const { transaction_id } = await must(post(service, '/v1/transactions/start', {}), 201)
    const body = { transaction_id, files }
    expect((await must(post(service, `/v1/tables/${table}/files`, body))).staged).toHaveLength(100)
    const { results } = await must(post(service, '/v1/transactions/commit', { transaction_id }))
    expect(results[0]).toMatchObject({ added_data_files: 100, added_records: 10_000 })
    const kept = await must(ask(service, `/v1/tables/${table}?filter=id%20%3D%204242`))
    expect(kept.planning.files).toEqual({ total: 100, skipped: 99, kept: 1 })
    expect(kept.data_files).toHaveLength(1)
    const [{ bounds }] = kept.data_files
    expect(bounds.id.lower).toBeLessThanOrEqual(4242)
    expect(bounds.id.upper).toBeGreaterThanOrEqual(4242)
    expect(bounds.first_found.lower).toMatch(/^\d{4}-\d\d-\d\dT.*\+00:00$/)
    const all = await must(ask(service, `/v1/tables/${table}`))
    expect(all.totals).toMatchObject({ data_files: 100, records: 10_000 })
    const lines = await ask(service, `/v1/tables/${table}`, {
      headers: { Accept: 'application/x-ndjson' },
    })
    expect(lines.headers.get('content-type')).toContain('application/x-ndjson')
    const inLines = lines.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(inLines).toEqual(all.data_files)
    const none = await must(ask(service, `/v1/tables/${table}?filter=id%20%3C%200`))
    expect(none).toMatchObject({ data_files: [], totals: { records: 0 } })
  })
})

testWithShared(
  'planets, satellites, astronauts and missions are registered as they are',
  async () => {
    for (const name of ['planets', 'satellites', 'astronauts', 'space_missions']) {
      const path = sharedFile(`${name}.parquet`)
      await must(post(service, '/v1/tables', { name, infer_from: path }), 201)
      await must(post(service, `/v1/tables/${name}/files`, { files: [{ path }] }))
    }
    const planets = await must(ask(service, '/v1/tables/planets'))
    expect(planets.schema.columns).toHaveLength(20)
    expect(planets.data_files[0]).toMatchObject({
      record_count: 9,
      bounds: { id: { lower: 1, upper: 9 } },
    })
    const [pressure] = Object.entries(planets.data_files[0].null_counts).filter(
      ([name]) => name.toLowerCase() === 'surfacepressure',
    )
    expect(pressure?.[1]).toBe(4)
    expect((await must(ask(service, '/v1/tables/astronauts'))).totals.records).toBe(357)
    expect((await must(ask(service, '/v1/tables/space_missions'))).totals.records).toBe(4_630)
  },
)

test('a file of another table is refused, and nothing is committed', async () => {
  const columns = [{ name: 'planetId', type: 'string' }]
  await must(post(service, '/v1/tables', { name: 'moons', schema: { columns } }), 201)
  const path = `${service.dataFolder}/satellites.parquet`
  const files = [{ path: await writeParquet(path, "SELECT 1 AS id, 'Moon' AS name") }]
  const refused = await post(service, '/v1/tables/moons/files', { files })
  expect(refused.body).toMatchObject({ status: 422, type: '/problems/file-schema-mismatch' })
  expect((await must(ask(service, '/v1/tables/moons'))).snapshot).toBeNull()
})
