import { connect } from 'node:net'
import { startTestService, type TestService } from './harness.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

/** Sends these bytes on a connection of their own, and returns what comes until its end. */
function sendRaw(text: string): Promise<{ readonly head: string; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(service.url)
    const socket = connect(Number(port), hostname, () => socket.write(text))
    let received = ''
    socket.on('data', (bytes) => {
      received += String(bytes)
    })
    socket.once('error', reject)
    socket.once('close', () => {
      const [head = '', body = ''] = received.split('\r\n\r\n')
      resolve({ head, body })
    })
  })
}

const HOST = 'Host: 127.0.0.1\r\n'

test.each([
  [
    'headers of 32 KiB',
    `GET / HTTP/1.1\r\n${HOST}X: ${'x'.repeat(32_768)}\r\n\r\n`,
    431,
    'headers-too-large',
  ],
  [
    'a URL of 32 KiB',
    `GET /${'x'.repeat(32_768)} HTTP/1.1\r\n${HOST}\r\n`,
    431,
    'headers-too-large',
  ],
  ['an unknown method', `FETCH / HTTP/1.1\r\n${HOST}\r\n`, 400, 'request-invalid'],
  ['CONNECT', `CONNECT a:1 HTTP/1.1\r\n${HOST}\r\n`, 400, 'request-invalid'],
  ['no HTTP', 'hello there\r\n\r\n', 400, 'request-invalid'],
  [
    'two lengths',
    `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
    400,
    'request-invalid',
  ],
  ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'request-invalid'],
  [
    'an unknown expectation',
    `GET / HTTP/1.1\r\n${HOST}Expect: pies\r\n\r\n`,
    400,
    'request-invalid',
  ],
  [
    'a method of another protocol',
    `PROPFIND / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`,
    405,
    'method-not-allowed',
  ],
])('%s is refused with a problem document', async (_what, text, status, code) => {
  const { head, body } = await sendRaw(text)
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  expect(head).toMatch(/^content-type: application\/problem\+json/im)
  const problem = JSON.parse(body)
  expect(problem).toMatchObject({ type: `/problems/${code}`, status })
  expect(head).toContain(`X-Request-Id: ${problem.instance}`)
})

test('HTTP/1.0 may leave out the Host', async () => {
  expect((await sendRaw('GET /health HTTP/1.0\r\n\r\n')).head).toMatch(/^HTTP\/1.1 200 /)
})
