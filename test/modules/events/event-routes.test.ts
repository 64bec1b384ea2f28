import { request } from 'node:http'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { until } from '../../lake/jobs/background.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

let tables = 0

async function create(name = `t${++tables}`): Promise<Json> {
  const columns = [{ name: 'n', type: 'long' }]
  return must(post(service, '/v1/tables', { name, namespace: 'sky', schema: { columns } }), 201)
}

const drop = (name: string) => ask(service, `/v1/tables/sky.${name}`, { method: 'DELETE' })
const read = (query: string) => must(ask(service, `/v1/events?${query}`))
const latest = async () => (await read('after=latest')).next_after as string

async function follow(query: string): Promise<Json[]> {
  const events: Json[] = []
  for (let after = ''; ; ) {
    const page = await read(`limit=2&${query}${after}`)
    events.push(...page.events)
    if (`&after=${page.next_after}` === after) return events
    after = `&after=${page.next_after}`
  }
}

test('a change is a CloudEvent that says what and who, but not who asked for it', async () => {
  const after = await latest()
  const { table_id } = await create('planets')
  const { events, next_after } = await read(`after=${after}&types=moraine.table.created.v1`)
  expect(events).toEqual([
    {
      specversion: '1.0',
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      source: '/v1',
      type: 'moraine.table.created.v1',
      subject: table_id,
      time: expect.stringMatching(/Z$/),
      datacontenttype: 'application/json',
      sequence: expect.stringMatching(/^\d{19}$/),
      data: { namespace: ['sky'], name: 'planets', version: 0, snapshot_id: null, schema_id: 0 },
    },
  ])
  expect(BigInt(events[0].sequence) <= BigInt(next_after)).toBe(true)
})

test('pages go on from next_after, and a subject is a UUID or a name', async () => {
  const { table_id } = await create('moons')
  await must(drop('moons'))
  const types = ['moraine.table.created.v1', 'moraine.table.dropped.v1']
  for (const subject of [table_id, 'sky.moons', 'SKY.Moons']) {
    expect((await follow(`subject=${subject}`)).map(({ type }) => type)).toEqual(types)
  }
  const dropped = await follow('types=moraine.table.dropped.v1,moraine.view.dropped.v1')
  expect(dropped.map(({ data }) => data.name)).toContain('moons')
  const all = await follow('')
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
  const sequences = all.map(({ sequence }) => sequence)
  expect(sequences).toEqual([...sequences].sort())
})

test('who waits is answered as soon as something happens, or with nothing in time', async () => {
  const after = await latest()
  const waiting = read(`after=${after}&wait=50&types=moraine.table.created.v1`)
  // Waits for what does not happen yet, as long: were time the reason, both were answered.
  const other = read(`after=${after}&wait=50&types=moraine.table.dropped.v1`)
  await until(() => service.deps.waiters.count === 2)
  await create('comets')
  expect(await Promise.race([waiting, other])).toEqual(await waiting)
  expect((await waiting).events.map(({ data }: Json) => data.name)).toEqual(['comets'])
  expect(service.deps.waiters.count).toBe(1)
  await must(drop('comets'))
  expect((await other).events.map(({ data }: Json) => data.name)).toEqual(['comets'])
  const empty = await read(`after=latest&wait=0.2`)
  expect(empty.events).toEqual([])
})

test('parameters have limits, and a position that is none is refused', async () => {
  const refused = [
    ...['after=-1', 'after=abc', `after=${'9'.repeat(20)}`, 'types=moraine.nothing.v1', 'types='],
    ...['wait=61', 'wait=-1', 'wait=soon', 'limit=0', 'limit=1001', 'subject=', 'since=3'],
    `subject=${'x'.repeat(1_201)}`,
  ]
  for (const query of refused) {
    const { status, body } = await ask(service, `/v1/events?${query}`)
    expect([query, status, body.type]).toEqual([query, 400, '/problems/request-invalid'])
  }
  const { status, body } = await ask(service, '/v1/events?after=999999999')
  expect(status).toBe(410)
  expect(body).toMatchObject({ type: '/problems/events-expired', earliest_after: '0' })
})

test('events that were forgotten are a 410 that says where to begin again', async () => {
  await create()
  const after = await latest()
  await service.deps.catalog.events.forget({ beforeMs: Date.now() + 60_000, nowMs: Date.now() })
  await create()
  const { status, body } = await ask(service, '/v1/events?after=0')
  expect(status).toBe(410)
  expect(body).toMatchObject({ earliest_after: after })
  const { events } = await read(`after=${body.earliest_after}`)
  expect(events).toHaveLength(1)
  // Without a position it begins with the earliest.
  expect((await read('limit=1')).events).toEqual(events)
})

test('a client that goes away waits no more, and the end of the service answers all', async () => {
  const other = await startTestService()
  const waiters = Array.from({ length: 3 }, () => ask(other, '/v1/events?after=latest&wait=60'))
  const gone = request(`${other.url}/v1/events?after=latest&wait=60`).on('error', () => undefined)
  gone.end()
  await until(() => other.deps.waiters.count === 4)
  gone.destroy()
  await until(() => other.deps.waiters.count === 3)
  const closing = other.close()
  // Long before their minute is over.
  await until(() => other.deps.waiters.count === 0)
  await closing
  for (const answer of await Promise.all(waiters)) expect(answer.body.events).toEqual([])
})
