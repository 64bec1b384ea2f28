import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { get, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { PROBLEM_CODES, PROBLEMS } from '../../../src/problem/problems.ts'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

test('health and readiness, and which version it is', async () => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'))
  expect(await must(ask(service, '/health'))).toEqual({ status: 'ok', version })
  const { text } = await ask(service, '/metrics')
  const { node } = process.versions
  expect(text).toContain(`moraine_build_info{version="${version}",node="${node}"} 1`)
  expect(await must(ask(service, '/ready'))).toEqual({ status: 'ready' })
})

test('a service without its catalog is alive, not ready, and says why', async () => {
  const other = await startTestService()
  await other.deps.catalog.close()
  expect(await must(ask(other, '/health'))).toMatchObject({ status: 'ok' })
  const body = await must(ask(other, '/ready'), 503)
  expect(body).toMatchObject({ status: 'not-ready', reason: expect.stringContaining('catalog') })
  const broken = await ask(other, '/v1/tables')
  expect(broken.body).toMatchObject({
    status: 500,
    type: '/problems/internal',
    error_id: expect.any(String),
  })
  expect(Object.keys(broken.body).sort()).toEqual(
    ['detail', 'error_id', 'instance', 'status', 'title', 'type'].sort(),
  )
  const logged = other.log.find((line) => line['errorId'] === broken.body.error_id)
  expect(logged).toMatchObject({ err: { message: expect.any(String) } })
  await other.close().catch(() => undefined)
})

test('a sane request id is kept, another is replaced, and both are logged', async () => {
  const given = await ask(service, '/v1/tables', { headers: { 'X-Request-Id': 'job-17.a' } })
  expect(given.headers.get('x-request-id')).toBe('job-17.a')
  const odd = await ask(service, '/v1/tables', { headers: { 'X-Request-Id': '<script>' } })
  expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  await sleep(20)
  for (const answer of [given, odd]) {
    const id = answer.headers.get('x-request-id')
    const line = service.log.find(({ reqId, res }) => reqId === id && res !== undefined)
    expect(line).toMatchObject({
      req: { method: 'GET', url: '/v1/tables' },
      res: { statusCode: 200 },
    })
  }
})

test('the log holds no header and no body', async () => {
  const headers = { Authorization: 'Bearer sesame', Cookie: 'a=sesame' }
  await ask(service, '/v1/tables', { json: { name: 'sesame' }, headers })
  await sleep(20)
  expect(JSON.stringify(service.log)).not.toContain('sesame')
})

test('answers carry headers that keep browsers tame, and do not name the framework', async () => {
  const { headers } = await ask(service, '/docs')
  expect(headers.get('x-powered-by')).toBeNull()
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('content-security-policy')).toMatch(/^default-src 'none';style-src 'sha256-/)
})

test('the documentation needs nothing from elsewhere', async () => {
  const home = await ask(service, '/')
  expect(home.status).toBe(302)
  expect(home.headers.get('location')).toBe('/docs')
  const docs = await ask(service, '/docs')
  expect(docs.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(docs.text).toContain('/v1/transactions/commit')
  expect(docs.text).not.toMatch(/<script|src=|url\(|@import|href="https?:/)
  const yaml = await ask(service, '/openapi.yaml')
  expect(yaml.headers.get('content-type')).toContain('application/yaml')
  expect(yaml.text).toContain('openapi: 3.1.0')
})

test('documents show the address where they are read, and the Iceberg REST catalog', async () => {
  const docs = await ask(service, '/docs')
  expect(docs.text).toContain(`MORAINE=${service.url}<`)
  expect(docs.text).toContain('/iceberg/v1/namespaces/{namespace}/tables/{table}')
  const yaml = await ask(service, '/openapi.yaml')
  expect(yaml.text).toContain(`  - url: "${service.url}"`)
  expect(yaml.text).toContain('  /iceberg/v1/namespaces/{namespace}/tables/{table}:')
  const port = new URL(service.url).port
  const other = await ask(service, '/docs', { headers: { Host: `lake.localhost:${port}` } })
  expect(other.text).toContain(`MORAINE=http://lake.localhost:${port}<`)
})

test('behind a proxy they show the address of the setting', async () => {
  const address = 'https://data.example.org/lake'
  const proxied = await startTestService({ environment: { MORAINE_PUBLIC_URL: address } })
  expect((await ask(proxied, '/docs')).text).toContain(`MORAINE=${address}<`)
  expect((await ask(proxied, '/openapi.yaml')).text).toContain(`  - url: "${address}"`)
  await proxied.close()
})

test('the type of a problem leads to its explanation', async () => {
  for (const code of PROBLEM_CODES) {
    const { status, text } = await ask(service, `/problems/${code}`)
    expect([code, status]).toEqual([code, 200])
    expect(text).toContain(`## ${code}\n\n${PROBLEMS[code].title}. `)
  }
  expect((await ask(service, '/problems/nonsense')).body.type).toBe('/problems/route-not-found')
})

test('HEAD is answered like GET, without the body', async () => {
  for (const path of ['/health', '/docs', '/v1/tables']) {
    const head = await ask(service, path, { method: 'HEAD' })
    const whole = await ask(service, path)
    expect(head.text).toBe('')
    expect(head.status).toBe(200)
    expect(head.headers.get('content-length')).toBe(whole.headers.get('content-length'))
  }
  expect((await ask(service, '/v1/tables/nowhere', { method: 'HEAD' })).status).toBe(404)
})

test('metrics count requests by the pattern of the route, also when it fails', async () => {
  await ask(service, '/v1/tables/nowhere')
  await ask(service, '/v1/tables/nowhere-else')
  await ask(service, '/nowhere/at/all')
  await post(service, '/v1/transactions/commit', { transaction_id: 'x' })
  await sleep(20)
  const { text, headers } = await ask(service, '/metrics')
  expect(headers.get('content-type')).toContain('text/plain')
  const line = (labels: string) => `moraine_http_requests_total{${labels}}`
  const route = 'route="/v1/tables/{table_identifier}"'
  expect(text).toMatch(
    new RegExp(`${escapeRegExp(line(`method="GET",${route},status="404"`))} [2-9]`),
  )
  expect(text).toContain(line('method="GET",route="none",status="404"'))
  expect(text).not.toContain('nowhere')
  for (const name of [
    'moraine_http_request_duration_seconds_bucket',
    'moraine_commits_total',
    'moraine_commit_retries_total',
    'moraine_staged_files_total',
    'moraine_publications_total',
    'moraine_manifest_cache_hits_total',
    'moraine_manifest_cache_misses_total',
    'moraine_manifest_cache_bytes',
    'process_cpu_seconds_total',
  ]) {
    expect(text).toContain(name)
  }
})

function escapeRegExp(text: string): string {
  return text.replaceAll(/[{}"/=,]/g, '\\$&')
}

test('a stop lets a request under way end, and takes no new one', async () => {
  const other = await startTestService()
  const body = JSON.stringify({ name: 'late', schema: { columns: [{ name: 'n', type: 'long' }] } })
  const late = request(`${other.url}/v1/tables`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'Content-Length': body.length,
      Expect: '100-continue',
    },
  })
  late.flushHeaders()
  await once(late, 'continue')
  const stopping = other.stop()
  await expect(fetch(`${other.url}/health`)).rejects.toThrow()
  late.end(body)
  const [answer] = await once(late, 'response')
  expect(answer.statusCode).toBe(201)
  answer.resume()
  await stopping
  const again = await startTestService({ home: other.home })
  expect((await must(ask(again, '/v1/tables/late'))).name).toBe('late')
  await again.close()
})

test('pages of other sites cannot change anything', async () => {
  const truncate = (origin: string) =>
    ask(service, '/v1/transactions/start', { method: 'POST', headers: { Origin: origin } })
  for (const origin of ['https://evil.example', 'null']) {
    expect((await truncate(origin)).body).toMatchObject({
      status: 403,
      type: '/problems/origin-not-allowed',
    })
  }
  expect((await truncate(service.url)).status).toBe(201)
})

test('requests on one connection are answered in turn', async () => {
  const statuses: (number | undefined)[] = []
  for (const path of ['/health', '/v1/tables/nowhere', '/health']) {
    statuses.push(
      await new Promise((resolve, reject) => {
        get(service.url + path, (response) => {
          response.resume()
          response.once('end', () => resolve(response.statusCode))
        }).once('error', reject)
      }),
    )
  }
  expect(statuses).toEqual([200, 404, 200])
})
