import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { jest } from '@jest/globals'
import { endSlowUploads } from '../../src/http/serve/slow-uploads.ts'
import { openConnection, received } from './raw-connection.ts'

const PACE = { periodMs: 200, bytesMin: 1_000 }

let server: Server
let url: string
let endWatch: () => void
/** How the service reads its bodies. */
let reads: 'at once' | 'by chunks'

beforeEach(async () => {
  reads = 'at once'
  server = createServer(async (request, response) => {
    request.on('error', () => undefined)
    if (reads === 'by chunks') {
      try {
        for await (const _ of request.iterator({ destroyOnReturn: false }));
      } catch {
        return
      }
      return void response.end('done')
    }
    request.resume().on('end', () => response.end('done'))
  })
  endWatch = endSlowUploads(server, PACE)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  endWatch()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

/** Sends a body of so many chunks, and returns all that comes back until the end. */
async function upload(chunks: number, bytes: number, everyMs: number): Promise<string> {
  const socket = await openConnection(url)
  const answer = received(socket)
  const length = chunks * bytes
  socket.write(
    `POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`,
  )
  for (let i = 0; i < chunks && !socket.closed; i++) {
    socket.write('x'.repeat(bytes))
    await sleep(everyMs)
  }
  return answer
}

/** The looks come when the test says so: a body that is late to arrive is not meant then. */
function lookByHand(): () => void {
  endWatch()
  const looks = jest.spyOn(globalThis, 'setInterval')
  endWatch = endSlowUploads(server, { ...PACE, periodMs: 3_600_000 })
  const [look] = looks.mock.calls[0] as [() => void]
  looks.mockRestore()
  return look
}

test.each(['at once', 'by chunks'] as const)('a body that trickles is ended: %s', async (how) => {
  reads = how
  const answer = await upload(1_000, 10, 20)
  expect(answer).toMatch(/^HTTP\/1.1 408 /)
  expect(answer).toContain('application/problem+json')
  expect(answer).toContain('/problems/upload-too-slow')
})

test('a body that brings enough in each period may take as long as it takes', async () => {
  expect(await upload(40, 2_000, 30)).toContain('done')
})

test('a body is judged by whole periods: one that has just begun is not late', async () => {
  const look = lookByHand()
  const begun = once(server, 'request')
  const socket = await openConnection(url)
  const answer = received(socket)
  socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n')
  socket.write('Content-Length: 2\r\n\r\n')
  await begun
  look()
  socket.write('ab')
  expect(await answer).toContain('done')
})

test('the time in which the service does not read is not the client’s', async () => {
  server.removeAllListeners('request')
  const arrived = new Promise<{ request: IncomingMessage; response: ServerResponse }>((resolve) => {
    server.on('request', (request, response) => {
      request.once('readable', () => resolve({ request, response }))
    })
  })
  const look = lookByHand()
  const answer = upload(1, 500_000, 0)
  const { request, response } = await arrived
  // The first sees what has arrived, and the others see that nothing does.
  let isQuiet = false
  for (let before = -1; !isQuiet; await sleep(10)) {
    isQuiet = request.socket.bytesRead === before
    before = request.socket.bytesRead
  }
  for (let i = 0; i < 5; i++) look()
  request.resume().on('end', () => response.end('done'))
  expect(await answer).toContain('done')
})
