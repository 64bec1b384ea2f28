import { newKeyText } from '../../src/modules/access/key-text.ts'
import { startTestService, type TestService } from './harness.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

const ROUTES = [
  '/v1/tables',
  '/v1/tables/t/dump',
  '/iceberg/v1/config',
  '/iceberg/v1/namespaces/default/tables',
  '/health',
  '/ready',
  '/metrics',
  '/docs',
  '/openapi.yaml',
  '/no/such/route',
]
const SECRET = 'eyJhbGciOiJSUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl'

async function refused(path: string, method = 'GET'): Promise<string> {
  const response = await fetch(service.url + path, { method })
  const text = await response.text()
  expect([path, response.status]).toEqual([path, 400])
  expect(text).toContain(
    path.startsWith('/iceberg') ? 'Authorization: Bearer' : 'credential-in-url',
  )
  expect(text).not.toContain('unknown parameter')
  return text
}

test.each(ROUTES)('%s refuses a token as a parameter, whatever its spelling', async (route) => {
  for (const name of ['access_token', 'token', 'api_key', 'key', 'ApiKey', 'id-token', 'secret']) {
    const text = await refused(`${route}?${name}=${SECRET}`)
    expect(text).toContain(name)
    expect(text).not.toContain(SECRET)
  }
  await refused(`${route}?page_size=3&access_token=${SECRET}`)
  await refused(`${route}?%61ccess_token=${SECRET}`)
})

test.each(ROUTES)('%s refuses a key of this service anywhere in the URL', async (route) => {
  const { text: key } = newKeyText()
  const encoded = `%6${key.slice(0, 1) === 'm' ? 'D' : ''}${key.slice(1).replaceAll('_', '%5f')}`
  for (const query of [`?page_token=${key}`, `?${key}`, `?filter=a+%3D+${encoded}`]) {
    expect(await refused(route + query)).not.toContain(key.slice(17))
  }
  expect(await refused(`${route}/${key}`)).not.toContain(key.slice(17))
})

test.each(ROUTES)('%s refuses a signed token anywhere in the URL', async (route) => {
  const token = `eyJhbGciOiJSUzI1NiJ9.${btoa('{"sub":"ada"}').replaceAll('=', '')}.c2lnbmF0dXJl`
  for (const spelled of [token, token.replaceAll('.', '%2E'), token.replace('eyJ', '%65yJ')]) {
    expect(await refused(`${route}?page_token=${spelled}`)).not.toContain('c2lnbmF0dXJl')
    expect(await refused(`${route}/${spelled}`)).not.toContain('c2lnbmF0dXJl')
  }
})

test('changes are refused as well, before their bodies are read', async () => {
  await refused(`/v1/tables?token=${SECRET}`, 'POST')
  await refused(`/v1/tables/t?access_token=${SECRET}`, 'DELETE')
  await refused(`/iceberg/v1/namespaces?access_token=${SECRET}`, 'POST')
})

test('no credential of a URL is in the log', async () => {
  const { text: key } = newKeyText()
  for (const route of ROUTES) {
    await refused(`${route}?access_token=${SECRET}`)
    await refused(`${route}?page_token=${key}`)
    await refused(`${route}/${key.replaceAll('o', '%6f')}`)
  }
  await service.stop()
  const log = JSON.stringify(service.log)
  expect(log).toContain('/v1/tables?***')
  expect(log).not.toContain(SECRET)
  expect(log).not.toContain(key.slice(20))
})

test('parameters that are like those stay', async () => {
  const other = await startTestService()
  try {
    for (const path of ['/v1/tables?page_size=2', '/iceberg/v1/namespaces?pageToken=&pageSize=2']) {
      expect([path, (await fetch(other.url + path)).status]).toEqual([path, 200])
    }
    const unknown = await fetch(`${other.url}/v1/tables?key=`)
    expect(await unknown.text()).toContain('unknown parameter')
  } finally {
    await other.close()
  }
})
