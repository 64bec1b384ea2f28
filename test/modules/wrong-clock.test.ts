import { jest } from '@jest/globals'
import pg from 'pg'
import { documentedDialects } from '../../src/modules.ts'
import {
  describeWithPostgres,
  type PostgresServer,
  startPostgres,
} from '../catalog/postgres-server.ts'
import { type Answer, ask, must, post } from '../http/client.ts'
import { startTestService, type TestService } from '../http/harness.ts'
import { writeParquet } from '../parquet-files.ts'
import { type Expected, ids } from './asked-permissions.ts'
import { ALL_EXPECTED } from './asked-permissions-all.ts'

const DAY_MS = 86_400_000
/** Further than anything is kept or may last, so that each time says whose clock it is of. */
const AHEAD_MS = 3_000 * DAY_MS
const ROUTES = documentedDialects().flatMap(({ routes }) => routes)

describeWithPostgres('PostgreSQL', () => {
  describe.each([
    ['ahead of', AHEAD_MS],
    ['behind', -AHEAD_MS],
  ])('on a computer whose clock is years %s that of the database', (_, aheadMs) => {
    describeStamps(aheadMs)
  })
})

function describeStamps(aheadMs: number): void {
  let server: PostgresServer
  let service: TestService
  let url: string
  const trueMs = Date.now.bind(Date)
  beforeAll(async () => {
    server = await startPostgres()
    url = await server.newDatabase()
    jest.spyOn(Date, 'now').mockImplementation(() => trueMs() + aheadMs)
    service = await startTestService({ environment: { MORAINE_CATALOG: url } })
  })
  afterAll(async () => {
    jest.restoreAllMocks()
    await service?.close()
    await server?.stop()
  })

  function isOfComputer(ms: number): boolean {
    return Math.abs(ms - (trueMs() + aheadMs)) < Math.abs(aheadMs) / 2
  }

  /** Times in a text: as ISO 8601, or as a number of milliseconds or microseconds. */
  function timesOfComputer(text: string): string[] {
    const dated = text.match(/\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)/g) ?? []
    const counted = text.match(/(?<![\d.])\d{13}(?!\d)/g) ?? []
    return [
      ...dated.filter((time) => isOfComputer(Date.parse(time))),
      ...counted.filter((time) => isOfComputer(Number(time))),
    ]
  }

  async function expectNoneIn(answer: Promise<Answer>, status = 200): Promise<Answer['body']> {
    const { text } = await answer
    expect(timesOfComputer(text)).toEqual([])
    return must(answer, status)
  }

  test('changes of tables and views are stamped by the database', async () => {
    const path = `${service.dataFolder}/a.parquet`
    await writeParquet(path, 'SELECT 1::BIGINT AS n')
    const schema = { columns: [{ name: 'n', type: 'long' }] }
    const files = { files: [{ path }] }
    await expectNoneIn(post(service, '/v1/tables', { name: 't', schema }), 201)
    await expectNoneIn(post(service, '/v1/tables/t/files', files))
    const { snapshot } = await expectNoneIn(ask(service, '/v1/tables/t'))
    expect(Math.abs(Date.parse(snapshot.timestamp) - trueMs())).toBeLessThan(DAY_MS)
    await expectNoneIn(post(service, '/v1/tables/t/metadata', { metadata: { a: 1 } }))
    await expectNoneIn(post(service, '/v1/tables/t/clone', { name: 'u' }), 201)
    const made = await expectNoneIn(ask(service, '/iceberg/v1/namespaces/default/tables/t'))
    expect(made.metadata['snapshot-log']).toHaveLength(1)
    const updates = [{ action: 'set-properties', updates: { b: '1' } }]
    const commit = { requirements: [], updates }
    await expectNoneIn(post(service, '/iceberg/v1/namespaces/default/tables/t', commit))
    // As of now it is there, by the clock of the database.
    const asAt = new Date(trueMs() + DAY_MS).toISOString()
    const read = await expectNoneIn(ask(service, `/v1/tables/t?as_at=${asAt}`))
    expect(read.totals.records).toBe(1)
    await expectNoneIn(ask(service, '/v1/events'))
  })

  test('so is whatever else the database keeps, after a request on each route', async () => {
    const schema = { columns: [{ name: 'id', type: 'long' }] }
    const planets = { name: 'planets', namespace: 'sky', schema }
    ids.tableUuid = (await must(post(service, '/v1/tables', planets), 201)).table_id
    for (const name of ['open', 'staged', 'aborted'] as const) {
      ids[name] = (await must(post(service, '/v1/transactions/start', {}), 201)).transaction_id
    }
    const told: Record<string, string[]> = {}
    for (const { operationId, method } of ROUTES) {
      const { path, json } = ALL_EXPECTED[operationId] as Expected
      const filled = path.replace(/\{(\w+)\}/, (__, id) => ids[id as keyof typeof ids])
      const options = { method: method.toUpperCase() }
      const body = typeof json === 'function' ? json() : json
      const { text } = await ask(service, filled, { ...options, ...(body && { json: body }) })
      const times = timesOfComputer(text)
      if (times.length > 0) told[operationId] = times
    }
    expect(told).toEqual({})
    expect(await rowsOfComputer()).toEqual({})
  })

  /** Columns with a time of the computer, and how many of their rows have one. */
  async function rowsOfComputer(): Promise<Record<string, number>> {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const found: Record<string, number> = {}
    try {
      const { rows: columns } = await client.query<{ table: string; column: string }>(
        `select table_name as table, column_name as column from information_schema.columns
         where table_schema = current_schema() and column_name like '%\\_ms'`,
      )
      expect(columns.length).toBeGreaterThan(20)
      for (const { table, column } of columns) {
        const { rows } = await client.query(`select ${column} as ms from ${table}`)
        const wrong = rows.filter(({ ms }) => ms !== null && isOfComputer(Number(ms)))
        if (wrong.length > 0) found[`${table}.${column}`] = wrong.length
      }
    } finally {
      await client.end()
    }
    return found
  }
}
