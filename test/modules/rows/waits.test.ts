import type { Engine } from '../../../src/engine/engine.ts'
import { type Answer, ask, must } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { eventually, makeTable, rows } from '../dumps/http/dump-lab.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService({ environment: { MORAINE_QUERIES_RUNNING: '1' } })
  await makeTable(service, 'sky', [rows(3)])
})
afterAll(() => service.close())

/** Holds up a kind of work of the engine until it is let go, as one that takes long would be. */
function holdUp(kind: 'query' | 'parseSql') {
  const { queryEngine: engine } = service.deps.converter.options
  const real = engine[kind].bind(engine) as (...asked: unknown[]) => Promise<unknown>
  let letGo: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  let begun = 0
  const slow = async (...asked: unknown[]) => {
    begun++
    const { signal } = (asked[1] ?? {}) as { signal?: AbortSignal }
    const ended = new Promise((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    await Promise.race([held, ended])
    return real(...asked)
  }
  const put = (work: unknown) => Object.assign(engine, { [kind]: work }) as Engine
  put(slow)
  return {
    begun: () => begun,
    end: () => {
      put(real)
      letGo()
    },
  }
}

const wait = { Prefer: 'wait=1' }
const post = (path: string, json: object): Promise<Answer> =>
  ask(service, path, { method: 'POST', json, headers: wait })

test('time in the own queue is time that one waits', async () => {
  const held = holdUp('query')
  const running = ask(service, '/v1/tables/sky/rows')
  await eventually(() => held.begun() === 1)
  const json = { source: { table: 'sky' }, filter: 'id > 1' }
  const later = await post('/v1/query', json)
  expect([later.status, later.headers.get('preference-applied')]).toEqual([202, 'wait=1'])
  const refused = await post('/v1/query?inline=require', json)
  expect([refused.status, refused.body.type]).toEqual([413, '/problems/result-too-large'])
  expect(held.begun()).toBe(1)
  held.end()
  expect((await running).status).toBe(200)
})

test('time that a small query takes in the engine is time that one waits', async () => {
  const held = holdUp('query')
  const json = { source: { table: 'sky' }, filter: 'id > 0' }
  expect((await post('/v1/query', json)).status).toBe(202)
  held.end()
})

test('a text that is not parsed in time is 503', async () => {
  const held = holdUp('parseSql')
  for (const path of ['/v1/query', '/v1/datasets']) {
    const { status, body, headers } = await post(path, { sql: 'SELECT id FROM sky' })
    expect([status, body.type]).toEqual([503, '/problems/overloaded'])
    expect(headers.get('retry-after')).not.toBeNull()
  }
  held.end()
  await must(ask(service, '/v1/query', { method: 'POST', json: { sql: 'SELECT id FROM sky' } }))
})

test('whoever waits for nothing is told where the rows of a text will be', async () => {
  for (const prefer of ['wait=0', 'respond-async, wait=0']) {
    for (const path of ['/v1/query', '/v1/datasets']) {
      const json = { sql: `SELECT id FROM sky WHERE id > 0 AND '${prefer} ${path}' <> ''` }
      const asked = { method: 'POST', json, headers: { Prefer: prefer } }
      const { status, headers } = await ask(service, path, asked)
      expect([prefer, path, status]).toEqual([prefer, path, 202])
      expect(headers.get('location')).not.toBeNull()
    }
  }
})
