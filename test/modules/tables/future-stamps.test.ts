import { describePostgres } from '../../catalog/postgres-server.ts'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

const HOUR_MS = 3_600_000
describe('SQLite', () => describeStamps(async () => ({})))

describePostgres((server) =>
  describeStamps(async () => ({ MORAINE_CATALOG: await server().newDatabase() })),
)

/** A clock that was an hour ahead when the table's first file was committed, and was set right. */
function describeStamps(environment: () => Promise<Record<string, string>>): void {
  let service: TestService
  let aheadMs = HOUR_MS
  let beforeFixMs: number

  async function append(n: number): Promise<string> {
    const path = `${service.dataFolder}/${n}.parquet`
    await writeParquet(path, `SELECT ${n}::BIGINT AS n`)
    await must(post(service, '/v1/tables/t/files', { files: [{ path: `file://${path}` }] }))
    return (await must(ask(service, '/v1/tables/t'))).snapshot.snapshot_id
  }

  function asAt(atMs: number) {
    return ask(service, `/v1/tables/t?as_at=${atMs}`)
  }

  beforeAll(async () => {
    service = await startTestService({
      environment: await environment(),
      ambient: { nowMs: () => Date.now() + aheadMs },
    })
    const schema = { columns: [{ name: 'n', type: 'long' }] }
    await must(post(service, '/v1/tables', { name: 't', schema }), 201)
    await append(1)
    aheadMs = 0
    beforeFixMs = Date.now() - 2 * 60_000
  })
  afterAll(() => service?.close())

  test('it goes on, a millisecond after the last change each', async () => {
    const before = await must(ask(service, '/v1/tables/t'))
    await append(2)
    const after = await must(ask(service, '/v1/tables/t'))
    const passed = Date.parse(after.snapshot.timestamp) - Date.parse(before.snapshot.timestamp)
    expect(passed).toBe(1)
    expect(after.totals.records).toBe(2)
  })

  test('as_at a moment that is now shows what was just acknowledged', async () => {
    const snapshotId = await append(3)
    const sentMs = Date.now()
    // As of a client whose clock is a little off, and whose request took a second.
    for (const atMs of [sentMs, sentMs - 1_000, sentMs + 5_000, Date.now() + 2 * HOUR_MS]) {
      const shown = await must(asAt(atMs))
      expect([shown.snapshot.snapshot_id, shown.totals.records]).toEqual([snapshotId, 3])
    }
    const dump = await ask(service, `/v1/tables/t/dump?format=csv&as_at=${sentMs}`)
    expect([dump.status, dump.text]).toEqual([200, 'n\n1\n2\n3\n'])
    const clone = { name: 'u', as_at: new Date(sentMs).toISOString() }
    const { snapshot } = await must(post(service, '/v1/tables/t/clone', clone), 201)
    expect(snapshot.snapshot_id).toBe(snapshotId)
  })

  test('as_at the very stamp of a change is that change', async () => {
    const { snapshots } = await must(ask(service, '/v1/tables/t/snapshots'))
    for (const { snapshot_id, timestamp } of snapshots) {
      const shown = await must(ask(service, `/v1/tables/t?as_at=${timestamp}`))
      expect(shown.snapshot.snapshot_id).toBe(snapshot_id)
    }
  })

  test('as_at a moment of the past knows nothing of them', async () => {
    const { status, body } = await asAt(beforeFixMs)
    expect([status, body.type]).toEqual([404, '/problems/as-at-before-first-snapshot'])
  })

  test('a reading says so; that of another table does not', async () => {
    const { warnings } = await must(ask(service, '/v1/tables/t'))
    expect(warnings).toEqual([expect.stringMatching(/stamped .* 3[56]\d\d s ahead of the clock/)])
    const schema = { columns: [{ name: 'n', type: 'long' }] }
    await must(post(service, '/v1/tables', { name: 'now', schema }), 201)
    expect((await must(ask(service, '/v1/tables/now'))).warnings).toEqual([])
  })
}
