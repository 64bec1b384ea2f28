import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type Express } from 'express'
import { createHttpServer } from '../../src/http/serve/server.ts'

let app: Express
let server: Server
let url: string

beforeEach(async () => {
  app = express()
  server = createHttpServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(() => {
  server.close()
})

test('requests and responses have the prototypes of Express before it sees them', async () => {
  const born: unknown[] = []
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    born.push(Object.getPrototypeOf(request), Object.getPrototypeOf(response))
  })
  app.use((_request, response) => {
    response.end()
  })
  await fetch(url)
  expect(born).toEqual([app.request, app.response])
  expect(born[0]).toBe(app.request)
  expect(born[1]).toBe(app.response)
})

test('what Express adds to requests and responses is there', async () => {
  app.use((request, response) => {
    response.status(203).json({
      path: request.path,
      accepts: request.accepts(['text/html', 'application/json']),
      isOfApp: request.app === app && response.app === app,
    })
  })
  const answer = await fetch(`${url}/a/b?c=1`, { headers: { accept: 'application/json' } })
  expect(answer.status).toBe(203)
  expect(await answer.json()).toEqual({
    path: '/a/b',
    accepts: 'application/json',
    isOfApp: true,
  })
})
