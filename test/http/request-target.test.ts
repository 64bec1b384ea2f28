import { connect } from 'node:net'
import { startTestService, type TestService } from './harness.ts'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

/** Status of the answer to a request whose target is sent verbatim. */
function statusOf(target: string, method = 'GET'): Promise<number> {
  const { hostname, port } = new URL(service.url)
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(Number(port), hostname)
    socket.setEncoding('utf8').on('data', (piece) => {
      text += piece
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1])))
    socket.write(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  })
}

test('a whole URL is taken, as clients of proxies send it', async () => {
  expect(await statusOf('http://localhost/v1/tables?page_size=1')).toBe(200)
  expect(await statusOf('http://localhost')).toBe(302)
  expect(await statusOf('http://localhost:8181/iceberg/v1/config?warehouse=x')).toBe(200)
  expect(await statusOf('http://localhost/v1/nowhere')).toBe(404)
})

test('a fragment is no part of the path', async () => {
  expect(await statusOf('/health#above')).toBe(200)
  expect(await statusOf('/v1/tables?page_size=1#above')).toBe(200)
})

test('one slash may stand at the end, and not two', async () => {
  for (const path of ['/v1/tables', '/iceberg/v1/namespaces']) {
    expect(await statusOf(path)).toBe(200)
    expect(await statusOf(`${path}/`)).toBe(200)
    expect(await statusOf(`${path}//`)).toBe(404)
    expect(await statusOf(`${path}//`, 'DELETE')).toBe(404)
  }
  expect(await statusOf('/iceberg/v1/namespaces/sky/tables//')).toBe(404)
  expect(await statusOf('//')).toBe(404)
})
