import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GcsHttp } from '../../../src/objects/gcs/gcs-http.ts'

/** A real store ends its answers, so this one does not. */
let server: Server
let answers: ServerResponse[]
let http: GcsHttp
let url: URL

beforeEach(async () => {
  answers = []
  http = new GcsHttp()
  server = createServer((_request, response) => {
    answers.push(response)
    response.writeHead(503).write('busy, becau')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/o/a`)
})

afterEach(() => {
  http.close()
  server.closeAllConnections()
  server.close()
})

test('nothing is sent once the time is over, as after a token that took too long', async () => {
  const late = http.open(url, { headers: {}, signal: AbortSignal.abort(new Error('late')) })
  await expect(late).rejects.toThrow('late')
  expect(answers).toEqual([])
})

test('a refusal that never ends keeps no connection beyond its time', async () => {
  const stop = new AbortController()
  const refused = http.open(url, { headers: {}, signal: stop.signal })
  refused.catch(() => undefined)
  await once(server, 'request')
  const closed = once(answers[0] as ServerResponse, 'close')
  // Its beginning is here, and the rest is waited for.
  await new Promise((resolve) => setTimeout(resolve, 50))
  stop.abort(new Error('late'))
  await expect(refused).rejects.toThrow()
  await closed
})
