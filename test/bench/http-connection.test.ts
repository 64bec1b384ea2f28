import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HttpConnection } from '../../bench/http-connection.ts'

/** Looks like the end of a chunked body, again and again. */
const TRICKY = Buffer.from('0\r\n\r\n'.repeat(50_000))

let server: Server
let connection: HttpConnection

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', async () => {
      switch (request.url) {
        case '/echo':
          response.setHeader('content-length', Buffer.concat(chunks).length)
          response.end(Buffer.concat(chunks))
          return
        case '/chunks':
          for (let at = 0; at < TRICKY.length; at += 4999) {
            response.write(TRICKY.subarray(at, at + 4999))
            await new Promise(setImmediate)
          }
          response.end()
          return
        case '/hang-up':
          response.destroy()
          return
        default:
          response.statusCode = 304
          response.setHeader('etag', '"a"')
          response.end()
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  connection = await HttpConnection.open(`http://127.0.0.1:${port}`)
})

afterAll(async () => {
  connection.close()
  await new Promise((resolve) => server.close(resolve))
})

test('answers of every framing come whole, one after the other over one connection', async () => {
  for (const text of ['{}', 'é'.repeat(100_000), '']) {
    const echoed = await connection.ask({ method: 'POST', path: '/echo', body: text })
    expect([echoed.status, echoed.body.toString()]).toEqual([200, text])
    const chunked = await connection.ask({ path: '/chunks' })
    expect(chunked.body.equals(TRICKY)).toBe(true)
    const known = await connection.ask({ path: '/known', headers: 'if-none-match: "a"\r\n' })
    expect([known.status, known.body.length]).toEqual([304, 0])
    expect(known.head).toMatch(/etag: "a"/i)
  }
})

test('a closed connection is an error for who waits', async () => {
  const { port } = server.address() as AddressInfo
  const other = await HttpConnection.open(`http://127.0.0.1:${port}`)
  await expect(other.ask({ path: '/hang-up' })).rejects.toThrow('closed the connection')
})

test('a second question before the answer is refused', async () => {
  const first = connection.ask({ path: '/known' })
  expect(() => connection.ask({ path: '/known' })).toThrow('no reply yet')
  await first
})
