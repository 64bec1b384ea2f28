import { CatalogError } from '../../../src/core/errors.ts'
import { type AskingCall, QueryLimits } from '../../../src/modules/rows/query-limits.ts'
import { ProblemError } from '../../../src/problem/problems.ts'
import { ask, must, post } from '../../http/client.ts'
import { startTestService } from '../../http/harness.ts'
import { makeTable, rows } from '../dumps/http/dump-lab.ts'

const DAY_MS = 86_400_000
const clock = { nowMs: 1_700_000_000_000 }

function limitsOf(queryLimits: { running: number; queued: number; bytesPerDay: number }) {
  return new QueryLimits({ ambient: { nowMs: () => clock.nowMs }, queryLimits })
}

function callOf(name: string, signal = new AbortController().signal): AskingCall {
  const isAddress = name.startsWith('10.')
  return {
    principal: isAddress ? { kind: 'anonymous' } : { kind: 'key', name, scopes: null },
    request: { clientAddress: isAddress ? name : '10.9.9.9' } as AskingCall['request'],
    closed: signal,
  }
}

/** Work that ends when it is told to. */
function held() {
  let end: (error?: Error) => void = () => undefined
  const ended = new Promise<void>((resolve, reject) => {
    end = (error) => (error === undefined ? resolve() : reject(error))
  })
  let begun = 0
  const work = async () => {
    begun++
    await ended
  }
  return { work, end, begun: () => begun }
}

const refusal = { code: 'quota-exceeded' }

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
  const third = limits.inTurn(callOf('key:a'), 10, next.work)
  first.end(new CatalogError('engine-failed', 'broken'))
  await expect(running).rejects.toMatchObject({ code: 'engine-failed' })
  next.end()
  const { headers } = await third
  expect(headers['RateLimit']).toMatch(/^"queries";r=2, "bytes";r=90;t=\d+$/)
  expect(left.begun()).toBe(0)
})

test('bytes are charged before, given back if nothing was read, and anew each day', async () => {
  const limits = limitsOf({ running: 1, queued: 0, bytesPerDay: 100 })
  const ran = async (name: string, cost: number, work = async () => undefined) =>
    (await limits.inTurn(callOf(name), cost, work)).headers['RateLimit']
  const failing = (error: Error) => async () => Promise.reject(error)
  expect(await ran('10.0.0.1', 60)).toContain('"bytes";r=40')
  await expect(ran('10.0.0.1', 41)).rejects.toMatchObject({
    ...{ ...refusal, facts: { quota: 'bytes-per-day', limit: 100, left: 40 } },
  })
  expect(await ran('10.0.0.2', 100)).toContain('"bytes";r=0')
  const failed = new CatalogError('file-corrupt', 'broken')
  await expect(ran('10.0.0.1', 40, failing(failed))).rejects.toBe(failed)
  const costly = new ProblemError('query-too-costly', 'long')
  await expect(ran('10.0.0.1', 30, failing(costly))).rejects.toBe(costly)
  expect(await ran('10.0.0.1', 10)).toContain('"bytes";r=0')
  clock.nowMs += DAY_MS
  expect(await ran('10.0.0.1', 10)).toContain('"bytes";r=90')
})

test('a query beyond the bytes of the day is 429, and others are not concerned', async () => {
  const environment = { MORAINE_QUERY_BYTES_PER_DAY: '1MB' }
  const service = await startTestService({ environment })
  try {
    await makeTable(service, 'sky', [rows(3)])
    const query = { source: { table: 'sky' }, filter: 'id > 0' }
    const first = await post(service, '/v1/query', query)
    expect([first.status, first.headers.get('ratelimit-policy')]).toEqual([
      200,
      '"queries";q=36;qu="concurrent-requests", "bytes";q=1048576;w=86400;qu="content-bytes"',
    ])
    expect(first.headers.get('ratelimit')).toMatch(/^"queries";r=36, "bytes";r=0;t=\d+$/)
    const second = await post(service, '/v1/query', query)
    expect([second.status, second.body.type]).toEqual([429, '/problems/quota-exceeded'])
    expect(second.body).toMatchObject({ quota: 'bytes-per-day', limit: 1_048_576, left: 0 })
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0)
    // An estimate reads nothing, and a page of rows little.
    await must(post(service, '/v1/query/estimate', query))
    expect((await ask(service, '/v1/tables/sky/rows')).status).toBe(200)
  } finally {
    await service.close()
  }
})
