import type { Route } from '../../src/http/route.ts'
import { documentedDialects } from '../../src/modules.ts'
import { ask, must, type RequestOptions } from '../http/client.ts'
import { startTestService, type TestService } from '../http/harness.ts'
import { openConnection, received } from '../http/raw-connection.ts'
import type { Expected } from './asked-permissions.ts'
import { ALL_EXPECTED } from './asked-permissions-all.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

const PLAIN = documentedDialects().find(({ root }) => root === '')
const BODILESS = (PLAIN?.routes ?? []).filter(({ body }) => body === undefined)
const BY_ID = BODILESS.map((route) => [route.operationId, route] as const)

function send(route: Route, options: RequestOptions) {
  const { path } = ALL_EXPECTED[route.operationId] as Expected
  return ask(service, path.replace(/\{\w+\}/, 'none'), {
    ...{ method: route.method.toUpperCase(), ...options },
  })
}

/** All that is written is an event. */
async function changes(): Promise<number> {
  return (await must(ask(service, '/v1/events?limit=1000'))).events.length
}

test('there are such routes of each method', () => {
  const methods = new Set(BODILESS.map(({ method }) => method))
  expect([...methods].sort()).toEqual(['delete', 'get', 'post'])
  expect(BODILESS.length).toBeGreaterThan(60)
})

describe.each([
  ['JSON', { json: { dry_run: true } }],
  [
    'a form',
    { raw: 'dry_run=1', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } },
  ],
  ['one of a megabyte', { raw: `{"a":"${'x'.repeat(1 << 20)}"}` }],
])('%s as a body', (_, options) => {
  test.each(BY_ID)('%s takes none, and refuses it', async (_, route) => {
    const before = await changes()
    const { status, body } = await send(route, options)
    expect([status, body?.type]).toEqual([400, '/problems/request-invalid'])
    expect(body.errors).toEqual([{ path: 'body', message: expect.stringMatching(/no body/) }])
    expect(await changes()).toBe(before)
  })
})

test.each(BY_ID)('%s takes {}, and blanks, for nothing', async (_, route) => {
  for (const raw of ['{}', ' { }\r\n', '\n']) {
    const { status, text } = await send(route, { raw })
    expect(status === 400 ? text : '').not.toMatch(/no body/)
  }
})

test('HEAD is as GET', async () => {
  const answer = await ask(service, '/health', { method: 'HEAD', json: { a: 1 } })
  expect([answer.status, answer.text]).toEqual([400, ''])
})

const CHUNKED = 'HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n'
const SECOND = 'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'

test.each([
  ['{}', 200],
  ['', 200],
  ['GET /v1/tables HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
  ['x'.repeat(70_000), 400],
])('%#: a body in chunks is read to its end, and none of it is a request', async (text, first) => {
  for (const method of ['GET', 'POST']) {
    const path = method === 'GET' ? '/health' : '/exports'
    const socket = await openConnection(service.url)
    const answers = received(socket)
    const chunk = text === '' ? '' : `${text.length.toString(16)}\r\n${text}\r\n`
    socket.write(`${method} ${path} ${CHUNKED}${chunk}0\r\n\r\n${SECOND}`)
    const statuses = (await answers).match(/HTTP\/1.1 \d+/g)
    expect(statuses).toEqual([`HTTP/1.1 ${first}`, 'HTTP/1.1 200'])
  }
})

test('a client that waits to send is let to send little, and told at once of more', async () => {
  const head = (length: number) =>
    `POST /exports HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: ${length}`
  const little = await openConnection(service.url)
  little.write(`${head(2)}\r\nConnection: close\r\n\r\n`)
  await received(little, '100 Continue')
  const rest = received(little)
  little.write('{}')
  expect(await rest).toMatch(/^HTTP\/1.1 200/)
  const much = await openConnection(service.url)
  much.write(`${head(1000)}\r\n\r\n`)
  expect(await received(much)).toMatch(/^HTTP\/1.1 400/)
})
