/** Express as the service uses it, without work: the most that HTTP allows here. Started as a child. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'

const app = express()
app.disable('x-powered-by')
app.get('/', (_request, response) => {
  response.json({ status: 'ok' })
})
app.post('/', express.json(), (request, response) => {
  response.json({ received: Object.keys(request.body).length })
})
const server = createServer(app)
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}` }))
})
process.once('SIGTERM', () => process.exit(0))
