import { callerOf, startKeyedService } from '../modules/access/keyed-service.ts'
import { writeParquet } from '../parquet-files.ts'
import { ask, must, post } from './client.ts'
import { startTestService, type TestService } from './harness.ts'
import { type PrefixProxy, startPrefixProxy } from './prefix-proxy.ts'

const COLUMNS = { columns: [{ name: 'id', type: 'long' }] }
const VIEW = {
  name: 'seen',
  schema: COLUMNS,
  queries: [{ dialect: 'duckdb', sql: 'SELECT 1 AS id' }],
}
const ROWS = 'n\n1\n2\n'

let proxy: PrefixProxy
let service: TestService
let snapshotId: string

beforeAll(async () => {
  proxy = await startPrefixProxy('/lake')
  service = await startTestService({ environment: { MORAINE_PUBLIC_URL: proxy.url } })
  proxy.target = service.url
  const sql = 'SELECT * FROM (VALUES (1::BIGINT), (2)) AS t(n)'
  const path = await writeParquet(`${service.dataFolder}/a.parquet`, sql)
  await must(post(proxy, '/v1/tables', { name: 'flights', infer_from: path }), 201)
  const { results } = await must(post(proxy, '/v1/tables/flights/files', { files: [{ path }] }))
  snapshotId = results[0].snapshot_id
})
afterAll(() => Promise.all([service?.close(), proxy.close()]))

/** An address in a header, as an HTTP client resolves it. */
const resolved = (value: string | null, from: string) => new URL(value ?? '', proxy.url + from).href

/** What a client gets that follows redirects. */
async function textAt(url: string): Promise<string> {
  const response = await fetch(url)
  const text = await response.text()
  if (!response.ok) throw new Error(`${response.status} ${url}: ${text}`)
  return text
}

describe('below the path of a proxy that strips it', () => {
  test('what was created is where Location says', async () => {
    for (const [path, body] of [
      ['/v1/tables', { name: 'made', schema: COLUMNS }],
      ['/v1/namespaces', { name: 'sky' }],
      ['/v1/transactions/start', {}],
      ['/v1/views', VIEW],
    ] as const) {
      const made = await post(proxy, path, body)
      expect([path, made.status, made.text]).toEqual([path, 201, expect.any(String)])
      const location = made.headers.get('location')
      expect(location).toMatch(/^\/lake\/v1\//)
      await textAt(resolved(location, path))
    }
  })

  test('a table by its file name is redirected to its dump, and / to the page', async () => {
    expect(await textAt(`${proxy.url}/v1/tables/flights/flights.csv`)).toBe(ROWS)
    expect(await textAt(`${proxy.url}/`)).toContain('<title>Moraine API</title>')
    expect(await textAt(`${proxy.url}/datastore/dump/flights`)).toBe(ROWS)
  })

  test('every address in the headers of a dump is one', async () => {
    const path = `/v1/tables/flights/${snapshotId}/dump`
    const { headers } = await ask(proxy, `${path}?format=csv`)
    expect(await textAt(resolved(headers.get('content-location'), path))).toBe(ROWS)
    const targets = [...(headers.get('link') ?? '').matchAll(/<([^>]*)>/g)]
    const [canonical, digest] = targets.map(([, target = '']) => resolved(target, path))
    expect(await textAt(canonical ?? '')).toBe(ROWS)
    expect(await textAt(digest ?? '')).toMatch(/^[0-9a-f]{64} {2}flights/)
  })

  test('paths in bodies are appended to the address of the service', async () => {
    const moving = '/v1/tables/flights/dump?format=csv'
    const refused = await ask(proxy, moving, { headers: { Range: 'bytes=2-' } })
    expect(refused.status).toBe(428)
    const { pinned_url, resume } = refused.body
    expect(await textAt(proxy.url + pinned_url)).toBe(ROWS)
    expect(resume).toContain(`"$MORAINE${pinned_url}"`)
    const Prefer = 'respond-async'
    const asked = await ask(proxy, '/v1/tables/flights/dump?format=tsv', { headers: { Prefer } })
    expect(asked.status).toBe(202)
    expect(JSON.parse(await textAt(`${proxy.url}${asked.body.job_url}&wait=30`))).toMatchObject({
      state: 'succeeded',
    })
    expect(await textAt(proxy.url + asked.body.url)).toBe(ROWS)
    const status = resolved(asked.headers.get('location'), '/v1/tables/flights/dump')
    expect(JSON.parse(await textAt(status))).toMatchObject({ state: 'ready' })
    expect((await ask(proxy, '/nowhere')).body).toMatchObject({
      type: '/problems/route-not-found',
      docs: '/docs',
    })
  })

  test('an answer that was kept for a repeated request has the path once', async () => {
    const options = {
      method: 'POST',
      json: { name: 'again', schema: COLUMNS },
      headers: { 'Idempotency-Key': 'again-1' },
    }
    const [first, second] = [
      await ask(proxy, '/v1/tables', options),
      await ask(service, '/v1/tables', options),
    ]
    expect(first.headers.get('location')).toBe('/lake/v1/tables/default.again')
    expect(second.headers.get('location')).toBe('/lake/v1/tables/default.again')
    expect(second.text).toBe(first.text)
  })

  test('the page and the document lead to the service', async () => {
    const page = await textAt(`${proxy.url}/docs`)
    expect(page).toContain(`MORAINE=${proxy.url}<`)
    const links = [...page.matchAll(/href="(\/[^"]*)"/g)].map(([, path = '']) => path)
    expect(links.length).toBeGreaterThan(1)
    for (const link of new Set(links)) await textAt(resolved(link, '/docs'))
    expect(await textAt(`${proxy.url}/openapi.yaml`)).toContain(`  - url: "${proxy.url}"`)
  })

  test('pages of the same origin may write', async () => {
    const { origin } = new URL(proxy.url)
    const headers = { Origin: origin, Host: 'internal.localhost' }
    const started = await ask(service, '/v1/transactions/start', { method: 'POST', headers })
    expect(started.status).toBe(201)
  })

  test('an engine finds its tables by appending to the address of the catalog', async () => {
    const uri = `${proxy.url}/iceberg`
    const walk = async (path: string, json?: unknown) => {
      const method = json === undefined ? 'GET' : 'POST'
      const response = await fetch(`${uri}/v1/${path}`, {
        ...{ method, headers: { 'Content-Type': 'application/json' } },
        ...(json !== undefined && { body: JSON.stringify(json) }),
      })
      expect([path, response.status]).toEqual([path, 200])
      return response.json() as Promise<Record<string, unknown>>
    }
    const { overrides, endpoints } = await walk('config')
    expect(overrides).toEqual({})
    expect(endpoints).toContain('GET /v1/{prefix}/namespaces')
    await walk('namespaces', { namespace: ['engine'] })
    const schema = { type: 'struct', fields: [{ id: 1, name: 'n', type: 'long', required: false }] }
    await walk('namespaces/engine/tables', { name: 'birds', schema })
    expect(await walk('namespaces/engine/tables')).toMatchObject({
      identifiers: [{ namespace: ['engine'], name: 'birds' }],
    })
    const updates = [{ action: 'set-properties', updates: { a: 'b' } }]
    await walk('namespaces/engine/tables/birds', { requirements: [], updates })
    expect(await walk('namespaces/engine/tables/birds')).toMatchObject({
      metadata: { properties: { a: 'b' } },
    })
  })
})

test('with the path or without, directly or by a proxy that keeps it, is the same', async () => {
  const passing = await startPrefixProxy('/lake', {}, { strips: false })
  passing.target = service.url
  for (const { url } of [passing, service]) {
    expect(await textAt(`${url}/v1/tables/flights/flights.csv`)).toBe(ROWS)
  }
  expect((await ask(service, '/lakes/v1/tables')).status).toBe(404)
  expect((await ask(service, '/lake')).status).toBe(302)
  await passing.close()
})

test('a path that begins like a route is left to the proxy', async () => {
  const other = await startPrefixProxy('/iceberg')
  const own = await startTestService({ environment: { MORAINE_PUBLIC_URL: other.url } })
  other.target = own.url
  await textAt(`${other.url}/iceberg/v1/config`)
  const made = await post(other, '/v1/tables', { name: 'ours', schema: COLUMNS })
  const location = made.headers.get('location') ?? ''
  expect(location).toBe('/iceberg/v1/tables/default.ours')
  await textAt(new URL(location, other.url).href)
  await own.close()
  await other.close()
})

test('keys pass a trusted proxy that says https, and no other', async () => {
  const secure = await startPrefixProxy('/lake', { 'X-Forwarded-Proto': 'https' })
  const plain = await startPrefixProxy('/lake', { 'X-Forwarded-Proto': 'http' })
  const keyed = await startKeyedService({
    MORAINE_PUBLIC_URL: secure.url,
    MORAINE_TRUST_PROXY: '127.0.0.1',
  })
  for (const proxied of [secure, plain]) proxied.target = keyed.url
  const [taken, refused] = [secure, plain].map((at) => callerOf(at, keyed.admin.key))
  const made = await taken?.send('post', '/v1/keys', {})
  expect(made?.status).toBe(201)
  const { type } = (await refused?.send('get', '/v1/me'))?.body ?? {}
  expect(type).toBe('/problems/credential-over-plain-http')
  await keyed.close()
  await secure.close()
  await plain.close()
})
