import { must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  await must(post(service, '/v1/tables', { name: 't', schema }), 201)
  const headers = { 'Content-Type': 'text/csv' }
  const url = `${service.url}/v1/tables/t/files`
  expect((await fetch(url, { method: 'POST', body: 'id\n7\n', headers })).status).toBe(201)
})
afterAll(() => service.close())

test.each([
  ['of other letters', 'https://example.org/лицензия', true],
  ['that forges a signpost', 'https://example.org/a>; rel="author", <https://evil.org/', true],
  ['with ends of lines', 'https://example.org/a\r\nSet-Cookie: a=b', true],
  ['that is no address', 'https://[', false],
  ['with half a character', 'https://example.org/\ud83d', true],
])('a licence %s', async (what, license, isTold) => {
  const name = `d-${what.replaceAll(' ', '-')}`
  const made = await post(service, '/v1/datasets', { name, source: { table: 't' }, license })
  // What no store takes is refused, and is no 500.
  if (made.status === 400) return
  expect(made.status).toBe(201)
  const { status, headers } = await fetch(`${service.url}/v1/datasets/${name}`)
  const link = headers.get('link') ?? ''
  expect(status).toBe(200)
  expect(headers.get('set-cookie')).toBeNull()
  expect(link.includes('rel="license"')).toBe(isTold)
  expect(link).not.toContain('rel="author"')
  expect(link).toMatch(/^[\x20-\x7e]+$/)
})
