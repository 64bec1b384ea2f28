import { CatalogError } from '../../../src/core/errors.ts'
import { type Answer, ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { startKeyedService } from '../access/keyed-service.ts'
import { eventually, makeTable, rows } from '../dumps/http/dump-lab.ts'
import { callOf, clock, DAY_MS, held, limitsOf, refusal } from './limits-lab.ts'

test('so many run, so many wait in their order, and one more is refused', async () => {
  const limits = limitsOf({ running: 2, queued: 2, bytesPerDay: 0 })
  const works = [held(), held(), held(), held()]
  const asked = works.map(({ work }) => limits.inTurn(callOf('key:a'), 0, work))
  const facts = { quota: 'queries', limit: 4 }
  await expect(limits.inTurn(callOf('key:a'), 0, held().work)).rejects.toMatchObject({
    ...{ ...refusal, facts },
  })
  const other = held()
  other.end()
  const { headers } = await limits.inTurn(callOf('key:b'), 0, other.work)
  expect(headers).toEqual({
    'RateLimit-Policy': '"queries";q=4;qu="concurrent-requests"',
    RateLimit: '"queries";r=4',
  })
  expect(works.map(({ begun }) => begun())).toEqual([1, 1, 0, 0])
  works[1]?.end()
  const found = await asked[1]
  expect(found?.headers['RateLimit']).toBe('"queries";r=1')
  await new Promise(setImmediate)
  expect(works.map(({ begun }) => begun())).toEqual([1, 1, 1, 0])
  for (const { end } of works) end()
  await Promise.all(asked)
  const last = held()
  last.end()
  expect((await limits.inTurn(callOf('key:a'), 0, last.work)).headers['RateLimit']).toBe(
    '"queries";r=4',
  )
})

test('who leaves while they wait makes room, and their turn passes to the next', async () => {
  const limits = limitsOf({ running: 1, queued: 1, bytesPerDay: 100 })
  const [first, left, next] = [held(), held(), held()]
  const running = limits.inTurn(callOf('key:a'), 10, first.work)
  const leaving = new AbortController()
  const waiting = limits.inTurn(callOf('key:a', leaving.signal), 10, left.work)
  leaving.abort(new Error('gone'))
  await expect(waiting).rejects.toThrow('gone')
  const third = limits.inTurn(callOf('key:a'), 20, async (onRead) => {
    await next.work()
    onRead(10)
  })
  first.end(new CatalogError('engine-failed', 'broken'))
  await expect(running).rejects.toMatchObject({ code: 'engine-failed' })
  next.end()
  const { headers } = await third
  expect(headers['RateLimit']).toMatch(/^"queries";r=2, "bytes";r=90;t=\d+$/)
  expect(left.begun()).toBe(0)
})

const DAY = { running: 1, queued: 0, bytesPerDay: 100 }

test('bytes are charged by the estimate, then by what was read, and anew each day', async () => {
  const limits = limitsOf(DAY)
  /** Reads so much, or fails so; returns what is left. */
  const left = async (name: string, cost: number, read?: number | null | Error) => {
    const { headers } = await limits.inTurn(callOf(name), cost, async (onRead) => {
      if (read instanceof Error) throw read
      if (read !== undefined) onRead(read ?? undefined)
    })
    return Number(/"bytes";r=(\d+);t=/.exec(headers['RateLimit'] ?? '')?.[1])
  }
  expect(await left('10.0.0.1', 60, 25)).toBe(75)
  const facts = { quota: 'bytes-per-day', limit: 100, left: 75 }
  await expect(left('10.0.0.1', 76)).rejects.toMatchObject({ ...refusal, facts })
  expect(await left('10.0.0.2', 100, 120)).toBe(0)
  // With nothing left, what reads little is refused, too.
  await expect(left('10.0.0.2', 0)).rejects.toMatchObject(refusal)
  const failed = new CatalogError('file-corrupt', 'broken')
  await expect(left('10.0.0.1', 40, failed)).rejects.toBe(failed)
  expect(await left('10.0.0.1', 0, 5)).toBe(70)
  // Where nobody knows what was read, the estimate stays.
  expect(await left('10.0.0.1', 30, null)).toBe(40)
  clock.nowMs += DAY_MS
  expect(await left('10.0.0.1', 10, 10)).toBe(90)
})

test('what ran over midnight changes nothing of the next day', async () => {
  const limits = limitsOf({ ...DAY, running: 2 })
  const night = held()
  const over = limits.inTurn(callOf('key:a'), 40, night.work)
  clock.nowMs += DAY_MS
  const morning = async (onRead: (bytes: number) => void) => onRead(50)
  const { headers } = await limits.inTurn(callOf('key:a'), 50, morning)
  expect(headers['RateLimit']).toContain('"bytes";r=50;')
  night.end()
  expect((await over).headers['RateLimit']).toContain('"bytes";r=50;')
})

test('a refusal has the headers of an answer, and says what the limits are', async () => {
  const limits = limitsOf(DAY)
  const work = held()
  const running = limits.inTurn(callOf('key:a'), 10, work.work)
  const many = limits.inTurn(callOf('key:a'), 10, work.work)
  await expect(many).rejects.toMatchObject({
    message: expect.stringMatching(/1 query runs at once and 0 wait,.*ask again/),
    facts: {
      ...{ quota: 'queries', limit: 1, retryAfterSeconds: 1 },
      rateLimitPolicy: expect.stringMatching(/^"queries";q=1;qu=.*"bytes";q=100;w=86400;/),
      rateLimit: expect.stringMatching(/^"queries";r=0, "bytes";r=90;t=\d+$/),
    },
  })
  const much = limits.inTurn(callOf('key:a'), 95, work.work)
  await expect(much).rejects.toMatchObject({
    message: expect.stringMatching(
      /at most 100 bytes a day, of which 90 are left, and this one counts for 95:.*in \d+ s$/,
    ),
    facts: { rateLimit: expect.stringMatching(/^"queries";r=0, "bytes";r=90;t=/) },
  })
  work.end()
  await running
})

test('jobs take places of their caller, and pay once', async () => {
  const limits = limitsOf({ running: 1, queued: 1, bytesPerDay: 100 })
  const job = { key: 'k', asker: 'key:a', costBytes: 60 }
  const isOpen = async () => true
  limits.reserve(job, isOpen)
  limits.reserve(job, isOpen)
  await expect(limits.inTurn(callOf('key:a'), 41, held().work)).rejects.toMatchObject(refusal)
  const work = held()
  const running = limits.ifRoom(job, async (onRead) => {
    onRead(30)
    await work.work()
  })
  expect(await limits.ifRoom({ ...job, key: 'l' }, work.work)).toBeUndefined()
  expect(await limits.ifRoom({ ...job, asker: 'key:b' }, async () => 1)).toEqual({ value: 1 })
  const next = held()
  const waiting = limits.inTurn(callOf('key:a'), 0, next.work)
  const asked = { asker: 'key:a', costBytes: 5 }
  const admit = (open: number) =>
    limits.admit(
      asked,
      async () => open,
      async () => 'made',
    )
  // The job that runs here is the open one; the query that waits for it takes the other place.
  await expect(admit(1)).rejects.toMatchObject(refusal)
  expect(await admit(0)).toBe('made')
  const both = await Promise.allSettled([admit(0), admit(0)])
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  work.end()
  await running
  // The other job came before the query, and has its turn before it.
  expect(next.begun()).toBe(0)
  expect(await limits.ifRoom({ ...job, key: 'l', costBytes: 0 }, async () => 2)).toEqual({
    value: 2,
  })
  next.end()
  expect((await waiting).headers['RateLimit']).toMatch(/^"queries";r=2, "bytes";r=70;t=/)
})

describe('of a service', () => {
  let service: TestService
  beforeAll(async () => {
    const environment = {
      ...{ MORAINE_QUERY_BYTES_PER_DAY: '2MB', MORAINE_QUERIES_RUNNING: '1' },
      MORAINE_QUERIES_QUEUED: '1',
    }
    service = await startTestService({ environment, ambient: { nowMs: () => clock.nowMs } })
    await makeTable(service, 'sky', [rows(3)])
    await makeTable(service, 'wide', [rows(1), rows(1, 1), rows(1, 2)])
  })
  beforeEach(() => {
    clock.nowMs += DAY_MS
  })
  afterAll(() => service.close())

  const query = { source: { table: 'sky' }, filter: 'id > 0' }
  const ALL = 2 * 1_048_576

  /** What the caller has left, as the response says. */
  async function left(asked: Promise<Answer>): Promise<number> {
    const { status, headers } = await asked
    expect([status, headers.get('ratelimit-policy')]).toEqual([
      200,
      `"queries";q=2;qu="concurrent-requests", "bytes";q=${ALL};w=86400;qu="content-bytes"`,
    ])
    const found = /^"queries";r=2, "bytes";r=(\d+);t=\d+$/.exec(headers.get('ratelimit') ?? '')
    return Number(found?.[1])
  }

  test('rows, statistics, queries and diffs are charged what they read', async () => {
    const from = '/v1/tables/sky'
    const diff = `${from}/diff?from=main&to=main&rows=true`
    const statistics = `${from}/columns/id/statistics`
    let before = ALL
    const asked = [
      () => post(service, '/v1/query', query),
      () => post(service, '/v1/query', { sql: 'SELECT sum(id) AS s FROM sky' }),
      ...[`${from}/rows`, `${from}/rows?order_by=id`, statistics].map((path) => () => {
        return ask(service, path)
      }),
    ]
    for (const ask of asked) {
      const after = await left(ask())
      // Less than a megabyte, which is the least that an estimate says.
      expect(after).toBeLessThan(before)
      expect(after).toBeGreaterThan(before - 500_000)
      before = after
    }
    expect(await left(ask(service, diff))).toBeLessThanOrEqual(before)
    // It is kept.
    const kept = await left(ask(service, statistics))
    expect(await left(ask(service, statistics))).toBe(kept)
  })

  test('no more is charged than the data files have', async () => {
    const estimate = post(service, '/v1/query/estimate', { sql: 'SELECT * FROM sky' })
    const { bytes: size } = await must(estimate)
    for (const json of [query, { sql: 'SELECT sum(id) AS s FROM sky' }]) {
      const from = await left(ask(service, '/v1/tables/sky/rows?limit=1'))
      const after = await left(post(service, '/v1/query', json))
      expect(after).toBeLessThan(from)
      expect(after).toBeGreaterThanOrEqual(from - size)
    }
  })

  test('beyond the bytes of the day it is 429, with all headers; estimates are free', async () => {
    const sql = 'SELECT id FROM wide'
    const refused = await post(service, '/v1/query', { sql })
    expect([refused.status, refused.body.type]).toEqual([429, '/problems/quota-exceeded'])
    expect(refused.body).toMatchObject({ quota: 'bytes-per-day', limit: ALL, left: ALL })
    expect(refused.headers.get('ratelimit')).toMatch(/^"queries";r=2, "bytes";r=2097152;t=\d+$/)
    expect(refused.headers.get('ratelimit-policy')).toContain('"queries";q=2;')
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    const dataset = await post(service, '/v1/datasets', { sql })
    expect([dataset.status, dataset.body.quota]).toEqual([429, 'bytes-per-day'])
    await must(post(service, '/v1/query/estimate', { sql }))
  })

  test('statistics that are known are told to who has no bytes left', async () => {
    const statistics = (column: string) =>
      ask(service, `/v1/tables/wide/columns/${column}/statistics`)
    await must(statistics('id'))
    clock.nowMs += DAY_MS
    const { queryEngine: engine } = service.deps.converter.options
    const real = engine.query.bind(engine)
    const gate = held()
    engine.query = async (...asked) => {
      await gate.work()
      return real(...asked)
    }
    // Each is charged a megabyte until it has ended.
    const asked = [0, 1].map(() => post(service, '/v1/query', query))
    // Statistics that were asked for before both are charged would be known, too.
    await eventually(async () => {
      const { headers } = await post(service, '/v1/query/estimate', query)
      return /"bytes";r=0;/.test(headers.get('ratelimit') ?? '')
    })
    expect((await statistics('name')).status).toBe(429)
    const { status, headers } = await statistics('id')
    expect([status, headers.get('ratelimit')]).toEqual([200, expect.stringMatching(/"bytes";r=0;/)])
    gate.end()
    engine.query = real
    await Promise.all(asked)
  })

  test('every response of these routes has the headers, whatever its status', async () => {
    const json = { source: { table: 'sky' }, filter: 'id > -7' }
    const long = { ...json, filter: 'id >' }
    const asked: [number, () => Promise<Answer>][] = [
      [400, () => post(service, '/v1/query', {})],
      [400, () => post(service, '/v1/query', long)],
      [404, () => post(service, '/v1/query', { source: { table: 'nobody' } })],
      [200, () => post(service, '/v1/query/estimate', json)],
      [404, () => ask(service, '/v1/tables/nobody/rows')],
      [400, () => ask(service, '/v1/tables/sky/rows?filter=id')],
      [400, () => ask(service, '/v1/tables/sky/rows?limit=many')],
      [200, () => ask(service, '/v1/tables/sky/diff?from=main')],
      [400, () => post(service, '/v1/datasets', {})],
      [201, () => post(service, '/v1/datasets', { name: 'told', source: { table: 'sky' } })],
    ]
    for (const [expected, asking] of asked) {
      const { status, headers } = await asking()
      expect([status, headers.get('ratelimit')]).toEqual([
        expected,
        expect.stringMatching(/^"queries";r=\d, "bytes";r=\d+;t=\d+$/),
      ])
      expect(headers.get('ratelimit-policy')).toContain('"queries";q=2;')
    }
    const headers = { Prefer: 'respond-async' }
    const later = await ask(service, '/v1/datasets', {
      method: 'POST',
      json: { query: json },
      headers,
    })
    expect([later.status, later.headers.has('ratelimit')]).toEqual([202, true])
    const status = later.headers.get('location') ?? ''
    await eventually(async () => (await must(ask(service, status))).state === 'ready')
    expect((await ask(service, '/health')).headers.has('ratelimit')).toBe(false)
  })

  test('a dataset is charged what its job has read', async () => {
    await must(post(service, '/v1/datasets', { query }), 201)
    const after = await left(ask(service, '/v1/tables/sky/columns/name/statistics'))
    expect(after).toBeLessThan(ALL)
    expect(after).toBeGreaterThan(ALL - 1_000_000)
  })

  test('to run the query of a dataset again is a query', async () => {
    for (const wish of [{ query: { ...query, filter: 'id > 2' } }, { sql: 'SELECT id FROM sky' }]) {
      const { url } = await must(post(service, '/v1/datasets', wish), 201)
      const before = await left(ask(service, '/v1/tables/sky/rows'))
      expect(await left(ask(service, `${url}/verify`, { method: 'POST' }))).toBeLessThan(before)
    }
  })

  test('a query whose result nobody waits for waits for no other', async () => {
    const { queryEngine: engine } = service.deps.converter.options
    const query = engine.query.bind(engine)
    const gate = held()
    engine.query = async (...asked) => {
      await gate.work()
      return query(...asked)
    }
    const running = ask(service, '/v1/tables/sky/rows')
    await eventually(() => gate.begun() > 0)
    const headers = { Prefer: 'respond-async' }
    const json = { source: { table: 'sky' }, filter: 'id > -1' }
    const later = await ask(service, '/v1/query', { method: 'POST', json, headers })
    expect(later.status).toBe(202)
    gate.end()
    engine.query = query
    expect((await running).status).toBe(200)
    const made = later.headers.get('content-location') ?? ''
    // Its job has seen a place that was taken, maybe, and looks again in two seconds.
    clock.nowMs += 10_000
    await eventually(async () => (await must(ask(service, `${made}/status`))).state === 'ready')
  })

  test('jobs of datasets that have not ended count, wherever they run', async () => {
    const { jobs } = service.deps
    const submit = async (asker: string) => {
      const input = { tableUuid: 'none', asker, costBytes: 0 }
      const { job } = await jobs.submit({
        kind: 'dataset',
        input,
        notBeforeMs: clock.nowMs + 1_800_000,
      })
      return job.jobId
    }
    const mine = [await submit('address:127.0.0.1'), await submit('address:127.0.0.1')]
    await submit('address:10.0.0.1')
    const filter = 'id > 1'
    const materialise = `/data/sky/records?materialise=true&filter=${encodeURIComponent(filter)}`
    const ways: [string, object, string][] = [
      ['/v1/datasets', { query: { ...query, filter } }, ''],
      ['/v1/datasets', { sql: 'SELECT id FROM sky' }, ''],
      ['/v1/query', { ...query, filter }, 'respond-async'],
      [materialise, {}, ''],
    ]
    for (const [path, json, prefer] of ways) {
      const headers = prefer === '' ? {} : { Prefer: prefer }
      const refused = await ask(service, path, { method: 'POST', json, headers })
      expect([refused.status, refused.body.quota, refused.body.limit]).toEqual([429, 'queries', 2])
      expect([refused.headers.get('retry-after'), refused.headers.get('ratelimit')]).toEqual([
        '1',
        expect.stringMatching(/^"queries";r=0, /),
      ])
    }
    // All rows of a snapshot take no job.
    await must(post(service, '/v1/datasets', { source: { table: 'sky' } }), 201)
    await jobs.cancel(mine[0] ?? '')
    await must(post(service, '/v1/datasets', { query: { ...query, filter } }), 201)
  })
})

test('who is not known hears of the limits of their address', async () => {
  const keyed = await startKeyedService()
  try {
    const { status, headers } = await keyed.nobody.send('get', '/v1/tables/sky/rows')
    expect([status, headers.get('ratelimit')]).toEqual([401, expect.stringMatching(/"queries";r=/)])
  } finally {
    await keyed.close()
  }
})
