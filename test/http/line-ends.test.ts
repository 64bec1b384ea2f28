import { must, post } from './client.ts'
import { startTestService, type TestService } from './harness.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  await must(post(service, '/v1/tables', { name: 't', schema }), 201)
})
afterAll(() => service.close())

test.each([
  ['an answer of one text', '/v1/tables'],
  ['an answer made while it is sent', '/v1/tables/t'],
  ['a metadata file', '/iceberg/v1/namespaces/default/tables/t'],
  ['a problem', '/v1/tables/none'],
  ['a problem of Iceberg REST', '/iceberg/v1/namespaces/default/tables/none'],
  ['a path that is none', '/none'],
])('%s ends with one line break, which its length counts', async (_, path) => {
  const answer = await fetch(service.url + path)
  const text = await answer.text()
  expect(text).toMatch(/[}\]]\n$/)
  const length = answer.headers.get('content-length')
  if (length !== null) expect(Number(length)).toBe(Buffer.byteLength(text))
  const head = await fetch(service.url + path, { method: 'HEAD' })
  expect(await head.text()).toBe('')
  // What is made while it is sent is not made for its length.
  if (answer.ok) expect([length, null]).toContain(head.headers.get('content-length'))
})
