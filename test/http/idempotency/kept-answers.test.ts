import { randomUUID } from 'node:crypto'
import { housekeepingTasks } from '../../../src/modules/events/housekeeping.ts'
import { must as mustRest, rest, SCHEMA } from '../../modules/iceberg-rest/http/rest-client.ts'
import { ask, must } from '../client.ts'
import { startTestService, type TestService } from '../harness.ts'

const START_MS = Date.UTC(2026, 10, 27)
const MINUTE_MS = 60_000

let service: TestService
let nowMs = START_MS
beforeAll(async () => {
  service = await startTestService({ ambient: { nowMs: () => nowMs } })
  await mustRest(rest(service, '/namespaces', { json: { namespace: ['sky'] } }))
})
afterAll(() => service.close())

async function tidy(): Promise<void> {
  const task = housekeepingTasks(service.deps).find(({ name }) => name === 'forget replays')
  await task?.run(new AbortController().signal)
}

/** As clients are told, in minutes. */
async function advertisedMinutes(): Promise<number> {
  const config = await mustRest(rest(service, '/config'))
  const [, hours = '0', minutes = '0'] =
    /^PT(?:(\d+)H)?(?:(\d+)M)?$/.exec(config['idempotency-key-lifetime']) ?? []
  return 60 * Number(hours) + Number(minutes)
}

test('an answer is kept for as long as clients are told, and not for ever', async () => {
  const lifetime = await advertisedMinutes()
  expect(lifetime).toBe(60)
  const headers = { 'Idempotency-Key': randomUUID() }
  const json = { name: 'stars', schema: SCHEMA }
  const create = () => rest(service, '/namespaces/sky/tables', { json, headers })
  const columns = [{ name: 'n', type: 'long' }]
  const key = { 'Idempotency-Key': randomUUID() }
  const createV1 = () =>
    ask(service, '/v1/tables', {
      json: { name: 'moons', schema: { columns } },
      method: 'POST',
      headers: key,
    })
  const made = await mustRest(create())
  const madeV1 = await must(createV1(), 201)
  for (const minutes of [4, 6, 11, 31, lifetime]) {
    nowMs = START_MS + minutes * MINUTE_MS
    await tidy()
    expect(await mustRest(create())).toEqual(made)
    expect(await must(createV1(), 201)).toEqual(madeV1)
  }
  nowMs = START_MS + (lifetime + 10) * MINUTE_MS
  await tidy()
  await mustRest(create(), 409)
  await must(createV1(), 409)
})

test('an answer too long to keep is made again from the state', async () => {
  const columns = Array.from({ length: 1_000 }, (_, i) => ({
    ...{ name: `column_${i}`, type: 'long', description: 'x'.repeat(40) },
  }))
  const key = randomUUID()
  const create = async () => {
    const options = { json: { name: 'wide', schema: { columns } } }
    const { status, text } = await ask(service, '/v1/tables', {
      ...{ ...options, headers: { 'Idempotency-Key': key } },
    })
    return [status, text] as const
  }
  const first = await create()
  expect(first[1].length).toBeGreaterThan(64 * 1024)
  expect(await create()).toEqual(first)
  const kept = await service.deps.catalog.replays.find({ principal: 'anonymous', key })
  expect(kept?.body.length).toBeLessThan(1_000)
})
