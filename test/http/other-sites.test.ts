import { refusal, rest } from '../modules/iceberg-rest/http/rest-client.ts'
import { writeParquet } from '../parquet-files.ts'
import { ask, must, post, type RequestOptions } from './client.ts'
import { startTestService, type TestService } from './harness.ts'
import { send } from './send.ts'

const PORTAL = 'https://portal.example.org'
const CROSS_SITE = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' }

let service: TestService
let snapshotId: string

beforeAll(async () => {
  service = await startTestService({
    environment: {
      MORAINE_ALLOWED_HOSTS: 'moraine, lake.example.org',
      MORAINE_ALLOWED_ORIGINS: PORTAL,
      MORAINE_PUBLIC_URL: 'https://public.example.org',
    },
  })
  const path = await writeParquet(`${service.dataFolder}/a.parquet`, 'SELECT 1::BIGINT AS n')
  await must(post(service, '/v1/tables', { name: 'flights', infer_from: path }), 201)
  const files = { files: [{ path }] }
  const { results } = await must(post(service, '/v1/tables/flights/files', files))
  snapshotId = results[0].snapshot_id
})
afterAll(() => service.close())

const write = (headers: Record<string, string>, path = '/v1/transactions/start') =>
  ask(service, path, { method: 'POST', headers })

describe('the name that was asked for', () => {
  test.each([
    'localhost',
    'localhost:8181',
    'LOCALHOST.',
    'moraine.localhost:80',
    '127.0.0.1',
    '192.168.7.9:8181',
    '[::1]:8181',
    '[2001:db8::1]',
    'moraine:8181',
    'Lake.Example.org',
    'public.example.org',
  ])('%s is one of the service', async (host) => {
    for (const path of ['/health', '/v1/tables', '/iceberg/v1/config']) {
      expect((await ask(service, path, { headers: { Host: host } })).status).toBe(200)
    }
  })

  test.each([
    'evil.example',
    'evil.example:8181',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'notlocalhost',
    'example.org',
    'x.lake.example.org',
    'ann@127.0.0.1',
    '0x7f.1',
    '[::1].evil.example',
  ])('%s is none: DNS rebinding reads and changes nothing', async (host) => {
    const headers = { Host: host, Origin: `http://${host}` }
    const requests: [string, RequestOptions][] = [
      ['/health', {}],
      ['/v1/tables/flights', {}],
      ['/v1/tables/flights?purge=true', { method: 'DELETE' }],
      ['/v1/tables/flights/files/truncate', { method: 'POST' }],
      ['/nowhere', {}],
    ]
    for (const [path, options] of requests) {
      const answer = await ask(service, path, { ...options, headers })
      expect(answer.body).toMatchObject({
        status: 421,
        type: '/problems/host-not-allowed',
        host,
        setting: 'MORAINE_ALLOWED_HOSTS',
      })
      expect(answer.status).toBe(421)
    }
    const onIceberg = rest(service, '/namespaces', { json: { namespace: ['x'] }, headers })
    expect(await refusal(onIceberg)).toMatchObject({ status: 421 })
    const { totals } = await must(ask(service, '/v1/tables/flights'))
    expect(totals).toMatchObject({ data_files: 1 })
  })
})

describe('writes of pages', () => {
  test.each([
    'https://evil.example',
    'null',
    'http://localhost:3000',
    'https://portal.example.org.evil.example',
    'http://portal.example.org',
  ])('of %s are refused', async (origin) => {
    const answer = await write({ Origin: origin })
    expect(answer.body).toMatchObject({
      ...{ status: 403, type: '/problems/origin-not-allowed', origin },
      setting: 'MORAINE_ALLOWED_ORIGINS',
    })
    const headers = { Origin: origin }
    const onIceberg = rest(service, '/namespaces', { json: { namespace: ['x'] }, headers })
    expect(await refusal(onIceberg)).toMatchObject({ status: 403, type: 'ForbiddenException' })
  })

  test('of another site are refused even if the browser tells no origin', async () => {
    expect((await write(CROSS_SITE)).body.type).toBe('/problems/origin-not-allowed')
  })

  test('of the service itself and of allowed origins are let in', async () => {
    const own = [service.url, PORTAL, 'https://public.example.org']
    for (const Origin of own) expect((await write({ Origin })).status).toBe(201)
    const asked = { Host: 'moraine:8181', Origin: 'http://MORAINE:8181' }
    expect((await write(asked)).status).toBe(201)
  })

  test('an allowed origin may ask first, and read what it gets; no other may', async () => {
    const preflight = (Origin: string) =>
      send(`${service.url}/v1/tables`, {
        method: 'OPTIONS',
        headers: {
          Origin,
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'content-type,idempotency-key',
        },
      })
    const allowed = await preflight(PORTAL)
    expect(allowed.status).toBe(204)
    expect(allowed.headers.get('access-control-allow-origin')).toBe(PORTAL)
    expect(allowed.headers.get('access-control-allow-methods')).toContain('POST')
    expect(allowed.headers.get('access-control-allow-headers')).toContain('idempotency-key')
    const refused = await preflight('https://evil.example')
    expect(refused.status).toBe(405)
    expect(refused.headers.get('access-control-allow-origin')).toBeNull()
    const read = (Origin: string) => ask(service, '/v1/tables', { headers: { Origin } })
    const { headers } = await read(PORTAL)
    expect(headers.get('access-control-allow-origin')).toBe(PORTAL)
    expect(headers.get('vary')).toContain('Origin')
    expect((await read('https://evil.example')).headers.has('access-control-allow-origin')).toBe(
      false,
    )
  })
})

describe('reads of other sites', () => {
  const addresses = () => [
    '/v1/tables/flights/dump?format=csv',
    `/v1/tables/flights/${snapshotId}/dump?format=csv`,
    '/datastore/dump/flights?format=csv',
    '/v1/tables/flights/dump.sha256?format=csv',
    `/v1/tables/flights/${snapshotId}/dump.sha256?format=csv`,
  ]
  const state = async () =>
    (await must(ask(service, '/v1/tables/flights/dump/status?format=csv'))).state

  test('start no dump, and no job', async () => {
    for (const path of addresses()) {
      for (const more of [{}, { Prefer: 'respond-async' }]) {
        const answer = await ask(service, path, { headers: { ...CROSS_SITE, ...more } })
        expect(answer.body).toMatchObject({ status: 403, type: '/problems/origin-not-allowed' })
      }
    }
    const head = { method: 'HEAD', headers: { ...CROSS_SITE, Prefer: 'wait=5' } }
    expect((await ask(service, addresses()[0] ?? '', head)).status).toBe(403)
    expect(await state()).toBe('absent')
    expect((await must(ask(service, '/v1/jobs'))).jobs).toEqual([])
  })

  test.each<Record<string, string>>([
    { Origin: 'http://evil.example' },
    { Referer: 'http://evil.example/page' },
    { Origin: 'null' },
  ])('start none either where the browser does not say so: %j', async (headers) => {
    for (const path of addresses()) {
      const answer = await ask(service, path, { headers })
      expect(answer.body).toMatchObject({ status: 403, type: '/problems/origin-not-allowed' })
    }
    expect(await state()).toBe('absent')
  })

  test('of an allowed site start a dump, which all others may have then', async () => {
    const [path = ''] = addresses()
    for (const own of [service.url, 'https://public.example.org', 'http://lake.example.org:81']) {
      for (const headers of [{ Origin: own }, { Referer: `${own}/docs` }]) {
        expect((await ask(service, `${path}&wait=1`, { headers })).status).not.toBe(403)
      }
    }
    const link = { ...CROSS_SITE, Referer: `${PORTAL}/datasets/flights` }
    expect((await ask(service, path, { headers: link })).status).toBe(200)
    expect((await ask(service, addresses()[3] ?? '')).status).toBe(200)
    for (const again of addresses()) {
      expect((await ask(service, again, { headers: CROSS_SITE })).status).toBe(200)
    }
  })
})

test('Iceberg REST takes JSON only, as what pages may send without asking is not', async () => {
  const raw = '{"namespace":["sky"]}'
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'text/json', '']) {
    const headers = { 'Content-Type': type }
    expect(await refusal(rest(service, '/namespaces', { raw, headers }))).toMatchObject({
      status: 415,
      type: 'BadRequestException',
    })
  }
  const gzip = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' }
  const sent = rest(service, '/namespaces', { raw, headers: gzip })
  expect(await refusal(sent)).toMatchObject({ status: 415 })
  for (const charset of ['', '; charset=utf-8', ';Charset="UTF-8"']) {
    const headers = { 'Content-Type': `application/json${charset}` }
    const made = await rest(service, '/namespaces', { raw, headers })
    expect([200, 409]).toContain(made.status)
  }
  const latin = { 'Content-Type': 'application/json; charset=iso-8859-1' }
  expect(await refusal(rest(service, '/namespaces', { raw, headers: latin }))).toMatchObject({
    status: 415,
  })
})
