/**
 * Express as the service starts it, doing no work: the most that HTTP allows here. Runs as a child
 * process.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { createHttpServer } from '../src/http/serve/server.ts'

const CHUNK = Buffer.alloc(64 * 1024, 'a')

const app = express()
app.disable('x-powered-by')
app.get('/', (_request, response) => {
  response.json({ status: 'ok' })
})
app.post('/', express.json(), (request, response) => {
  response.json({ received: Object.keys(request.body).length })
})
/** The requested number of bytes, all from one buffer: the fastest download possible. */
app.get('/bytes/:count', async (request, response) => {
  let left = Number(request.params.count)
  response.setHeader('content-length', left)
  for (; left > 0; left -= CHUNK.length) {
    const chunk = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK
    if (!response.write(chunk)) await once(response, 'drain')
  }
  response.end()
})
const server = createHttpServer(app)
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}` }))
})
process.once('SIGTERM', () => process.exit(0))
