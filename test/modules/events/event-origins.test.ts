import { readFile } from 'node:fs/promises'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

let requests = 0

/** Returns the request's id, which is its own in the log, the answer and the event. */
async function change(method: string, path: string, body?: unknown): Promise<string> {
  const requestId = `change-${++requests}`
  const isFile = body instanceof Uint8Array
  const mediaType = isFile ? 'application/vnd.apache.parquet' : 'application/json'
  const response = await fetch(service.url + path, {
    method,
    headers: {
      'x-request-id': requestId,
      ...(body !== undefined && { 'content-type': mediaType }),
    },
    ...(body !== undefined && { body: isFile ? new Uint8Array(body) : JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`)
  return requestId
}

const columns = [{ name: 'n', type: 'long' }]
const sql = { queries: [{ sql: 'SELECT 1 AS n', dialect: 'duckdb' }], schema: { columns } }
const REST = '/iceberg/v1'
const icebergSchema = {
  type: 'struct',
  fields: [{ id: 1, name: 'n', type: 'long', required: false }],
}

const CHANGES: readonly (readonly [string, string, unknown?])[] = [
  ['POST', `${REST}/namespaces`, { namespace: ['sky'], properties: {} }],
  ['POST', `${REST}/namespaces/sky/properties`, { updates: { owner: 'me' } }],
  ['POST', '/v1/tables', { name: 'a', namespace: 'sky', schema: { columns } }],
  ['POST', '/v1/tables/sky.a/metadata', { description: 'of the sky' }],
  [
    'POST',
    '/v1/tables/sky.a/schemas',
    { changes: [{ op: 'add', column: { name: 'm', type: 'int' } }] },
  ],
  ['POST', '/v1/tables/sky.a/clone', { name: 'b', namespace: 'sky' }],
  ['POST', `${REST}/namespaces/sky/tables`, { name: 'c', schema: icebergSchema }],
  [
    'POST',
    `${REST}/namespaces/sky/tables/c`,
    { requirements: [], updates: [{ action: 'set-properties', updates: { owner: 'me' } }] },
  ],
  [
    'POST',
    `${REST}/tables/rename`,
    {
      source: { namespace: ['sky'], name: 'c' },
      destination: { namespace: ['sky'], name: 'd' },
    },
  ],
  ['DELETE', '/v1/tables/sky.b'],
  ['DELETE', `${REST}/namespaces/sky/tables/d`],
]

async function eventsAfter(after: bigint) {
  return service.deps.catalog.events.list({ after, limit: 1_000 })
}

test('each change keeps who asked for it with its event, on both faces', async () => {
  let { nextAfter } = await eventsAfter(0n)
  for (const [method, path, body] of CHANGES) {
    const requestId = await change(method, path, body)
    const page = await eventsAfter(nextAfter)
    const origins = page.events.map(({ origin }) => origin)
    expect({ path, origins }).toEqual({
      path,
      origins: [{ principal: 'anonymous', requestId, address: '127.0.0.1' }],
    })
    nextAfter = page.nextAfter
  }
})

test('so do changes of views', async () => {
  let { nextAfter } = await eventsAfter(0n)
  for (const [method, path, body] of [
    ['POST', '/v1/views', { name: 'v', namespace: 'sky', ...sql }],
    ['DELETE', '/v1/views/sky.v'],
  ] as const) {
    const requestId = await change(method, path, body)
    const { events, nextAfter: next } = await eventsAfter(nextAfter)
    expect(events.map(({ origin }) => origin.requestId)).toEqual([requestId])
    nextAfter = next
  }
})

test('transactions of one snapshot list all who asked for them', async () => {
  const path = await writeParquet(`${service.dataFolder}/planets.parquet`, 'SELECT 3::BIGINT AS id')
  await change('POST', '/v1/tables', { name: 'planets', infer_from: path })
  const { nextAfter } = await eventsAfter(0n)
  const bytes = new Uint8Array(await readFile(path))
  const uploads = Array.from({ length: 8 }, () => change('POST', '/v1/tables/planets/files', bytes))
  const asked = await Promise.all(uploads)
  const { events } = await eventsAfter(nextAfter)
  const kept = events.flatMap(({ origin }) => origin.requestId?.split(',') ?? [])
  expect(kept.sort()).toEqual(asked.sort())
})

test('the public route shows none of it', async () => {
  const { events } = (await (await fetch(`${service.url}/v1/events?limit=1000`)).json()) as {
    events: unknown[]
  }
  expect(events.length).toBeGreaterThan(CHANGES.length)
  expect(JSON.stringify(events)).not.toMatch(/change-\d|anonymous|127\.0\.0\.1/)
})
