import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import pino from 'pino'
import { requestLog } from '../../src/http/request-log.ts'
import { startTestService, type TestService } from './harness.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

test('a connection that cannot be accepted is logged, and the next one is served', async () => {
  const seen: Server[] = []
  const see = (message: unknown) => seen.push((message as { server: Server }).server)
  subscribe('http.server.request.start', see)
  await fetch(`${service.url}/health`)
  unsubscribe('http.server.request.start', see)
  // As Node tells it, when the kernel has no descriptor or memory left.
  const failure = Object.assign(new Error('accept ENFILE'), { code: 'ENFILE', syscall: 'accept' })
  expect(seen.map((server) => server.emit('error', failure))).toEqual([true])
  expect((await fetch(`${service.url}/health`)).status).toBe(200)
  expect(service.log).toContainEqual(
    expect.objectContaining({
      msg: 'a connection could not be accepted',
      err: expect.objectContaining({ code: 'ENFILE' }),
    }),
  )
})

test('what is written after the end of an answer is a line in the log', async () => {
  const lines: string[] = []
  const log = requestLog(pino({}, { write: (line) => void lines.push(line) }))
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    log(request, response, () => {
      response.end('all')
      response.write('more')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('all')
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  expect(lines.join('')).toMatch(/ERR_STREAM_WRITE_AFTER_END.*an answer could not be written/)
})
