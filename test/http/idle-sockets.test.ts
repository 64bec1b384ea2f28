import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { cutIdleSockets } from '../../src/http/serve/idle-sockets.ts'
import { openConnection, received } from './raw-connection.ts'

const IDLE_MS = 100

let server: Server
let url: string
beforeEach(async () => {
  server = createServer((request, response) => {
    request.on('error', () => undefined)
    request.resume().on('end', async () => {
      if (request.url === '/slow') await sleep(6 * IDLE_MS)
      response.end('done')
    })
  })
  cutIdleSockets(server, IDLE_MS)
  server.keepAliveTimeout = IDLE_MS
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

/** What a client gets that sends this and then waits for the end. */
async function exchange(text: string): Promise<string> {
  const socket = await openConnection(url)
  socket.write(text)
  return received(socket)
}

test('a client that waits for a slow answer is not cut off', async () => {
  const answer = await exchange('GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  expect(answer).toContain('200 OK')
  expect(answer).toContain('done')
})

test('a client that stops in the middle of its body is cut off', async () => {
  const begun = Date.now()
  const answer = await exchange('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc')
  expect(answer).not.toContain('200 OK')
  expect(Date.now() - begun).toBeGreaterThanOrEqual(IDLE_MS)
})

test('a kept connection that says nothing more is cut off', async () => {
  expect(await exchange('GET / HTTP/1.1\r\nHost: x\r\n\r\n')).toContain('200 OK')
})
