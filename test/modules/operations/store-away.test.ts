import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import {
  type BucketServer,
  openBucketServer,
  storesHere,
} from '../../objects/stores/bucket-server.ts'
import { type FaultyFront, openFaultyFront } from '../../objects/stores/faulty-front.ts'

const SCHEMA = { columns: [{ name: 'n', type: 'long' }] }
const BUSY = { kind: 'answer', status: 503 } as const
const [weed] = storesHere()
const why = weed?.why
const describeHere = why === undefined ? describe : describe.skip

describeHere(why ?? 'a store that is away', () => {
  let server: BucketServer
  let front: FaultyFront
  let home: string
  let service: TestService
  beforeAll(async () => {
    server = await openBucketServer('weed')
  }, 60_000)
  afterAll(() => server.stop())
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'moraine-away-'))
    front = await openFaultyFront(server.endpoint)
  })
  afterEach(async () => {
    front.failAll(undefined)
    await service.close()
    await front.close()
    await rm(home, { recursive: true, force: true })
  })
  const settings = () => ({ ...server.settingsFor(home), MORAINE_S3_ENDPOINT: front.endpoint })
  const start = async (environment: Record<string, string>, allowed: readonly string[] = []) => {
    service = await startTestService({ home, environment, allowedLocations: allowed })
  }
  const upNow = async () => (await ask(service, '/metrics')).text.match(/^moraine_store_up.*$/gm)
  async function until(check: () => Promise<boolean>): Promise<void> {
    while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 200))
  }

  test('of the warehouse: not ready by its name, and ready again without a restart', async () => {
    await start(settings())
    const name = `s3://${server.bucket}`
    expect(await must(ask(service, '/ready'))).toEqual({ status: 'ready' })
    expect(await upNow()).toEqual([`moraine_store_up{store="${name}"} 1`])
    front.failAll(BUSY)
    await until(async () => (await ask(service, '/ready')).status === 503)
    const { body } = await ask(service, '/ready')
    expect(body).toMatchObject({ status: 'not-ready', away: [name] })
    expect(body.reason).toContain(name)
    expect(body.reason).not.toMatch(/disk|catalog/)
    expect(await upNow()).toEqual([`moraine_store_up{store="${name}"} 0`])
    const refused = await post(service, '/v1/tables', { name: 'b', schema: SCHEMA })
    expect([refused.status, refused.body.type]).toEqual([503, '/problems/storage-unavailable'])
    expect(refused.headers.get('retry-after')).toBe('5')
    front.failAll(undefined)
    await until(async () => (await ask(service, '/ready')).status === 200)
    await must(post(service, '/v1/tables', { name: 'b', schema: SCHEMA }), 201)
  }, 60_000)

  test('a storm of probes asks the store once', async () => {
    await start(settings())
    await must(ask(service, '/ready'))
    const before = front.seen.length
    const probes = Array.from({ length: 200 }, () => must(ask(service, '/ready')))
    await Promise.all(probes)
    expect(front.seen.length - before).toBeLessThanOrEqual(4)
  })

  test('of a bucket that is only read: named, and ready all the same', async () => {
    const others = { ...settings(), MORAINE_WAREHOUSE: `file://${home}/warehouse` }
    await start(others, [`s3://${server.bucket}/read`])
    expect(await must(ask(service, '/ready'))).toEqual({ status: 'ready' })
    front.failAll(BUSY)
    await until(async () => (await must(ask(service, '/ready'))).away !== undefined)
    expect(await must(ask(service, '/ready'))).toEqual({
      ...{ status: 'ready', away: [`s3://${server.bucket}`] },
    })
  }, 60_000)
})
