import { Agent, request } from 'node:http'
import type { Socket } from 'node:net'
import { type Json, must } from '../../http/client.ts'
import { type Caller, type KeyedService, startKeyedService } from '../access/keyed-service.ts'
import { untilAudited } from './until-audited.ts'

interface Exchanged {
  requests: number
  bytes_received: number
  bytes_sent: number
}

const COLUMNS = { columns: [{ name: 'id', type: 'long' }] }

let service: KeyedService
beforeAll(async () => {
  service = await startKeyedService()
  for (const name of ['sky.planets', 'sky.far.stars', 'sea.fish']) {
    await must(service.admin.send('post', '/v1/tables', { name, schema: COLUMNS }), 201)
  }
})
afterAll(() => service.close())

/** Counts what goes over one connection, by the namespace that it is for. */
class CountingClient {
  readonly counts = new Map<string, Exchanged>()
  readonly #caller: Caller
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  #before = { read: 0, written: 0 }

  constructor(caller: Caller) {
    this.#caller = caller
  }

  async send(namespace: string, path: string, csv?: string): Promise<number> {
    const headers = {
      Authorization: `Bearer ${this.#caller.key}`,
      ...(csv !== undefined && { 'Content-Type': 'text/csv' }),
    }
    const method = csv === undefined ? 'GET' : 'POST'
    const options = { method, headers, agent: this.#agent }
    const { socket, status } = await new Promise<{ socket: Socket; status: number }>(
      (resolve, reject) => {
        const sent = request(service.url + path, options, (response) => {
          const { socket, statusCode = 0 } = response
          response.resume().on('end', () => resolve({ socket, status: statusCode }))
        })
        sent.on('error', reject).end(csv)
      },
    )
    const { bytesRead: read, bytesWritten: written } = socket
    const count = this.counts.get(namespace) ?? { requests: 0, bytes_received: 0, bytes_sent: 0 }
    this.counts.set(namespace, {
      requests: count.requests + 1,
      bytes_received: count.bytes_received + written - this.#before.written,
      bytes_sent: count.bytes_sent + read - this.#before.read,
    })
    this.#before = { read, written }
    return status
  }

  close(): void {
    this.#agent.destroy()
  }
}

/** What is written down of somebody, by namespace. */
async function usageOf({ principal }: Caller): Promise<ReadonlyMap<string, Exchanged>> {
  await untilAudited(service)
  await service.deps.auditTrail.close()
  const { usage } = await must(service.admin.send('get', `/v1/usage?principal=${principal}`))
  return new Map(
    usage.map(({ namespace, requests, bytes_received, bytes_sent }: Json) => {
      return [namespace, { requests, bytes_received, bytes_sent }]
    }),
  )
}

/** The same as the metrics have it. */
async function meteredOf({ principal }: Caller): Promise<ReadonlyMap<string, Exchanged>> {
  const { text } = await service.admin.send('get', '/metrics')
  const found = new Map<string, Exchanged>()
  const line = /^moraine_usage_(requests|bytes)_total\{(.*)\} (\d+)$/gm
  for (const [, kind, labels = '', value] of text.matchAll(line)) {
    const label = Object.fromEntries(
      [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, text]) => [name, text]),
    )
    const { principal: whose, namespace = '', direction } = label
    if (whose !== principal) continue
    const count = found.get(namespace) ?? { requests: 0, bytes_received: 0, bytes_sent: 0 }
    const member = kind === 'requests' ? 'requests' : `bytes_${direction}`
    found.set(namespace, { ...count, [member]: Number(value) })
  }
  return found
}

test('usage and metrics have the requests and bytes of each caller and namespace', async () => {
  const ada = await service.newCaller({ '/v1': ['modify'] })
  const bob = await service.newCaller({ '/v1/tables/sea.fish': ['select'] })
  const { table_id: id } = await must(service.admin.send('get', '/v1/tables/sky.far.stars'))
  const clients = [ada, bob].map((caller) => ({ caller, client: new CountingClient(caller) }))
  const [{ client: first }, { client: second }] = clients as [
    (typeof clients)[0],
    (typeof clients)[0],
  ]
  const csv = `id\n${Array.from({ length: 5_000 }, (_, n) => `${n}\n`).join('')}`
  expect([
    await first.send('sky', '/v1/tables/sky.planets/files', csv),
    await second.send('sea', '/v1/tables/sea.fish'),
    await first.send('sky', '/v1/tables/sky.planets/rows?limit=1000'),
    await first.send('sky.far', `/v1/tables/${id}`),
    await first.send('sky.far', '/iceberg/v1/namespaces/sky%1Ffar/tables/stars'),
    await first.send('sky', '/v1/namespaces/sky'),
    await first.send('', '/v1/me'),
  ]).toEqual([201, 200, 200, 200, 200, 200, 200])
  // Nobody is billed for a namespace by a request that failed; what is public is not counted.
  expect(await second.send('', '/v1/tables/sky.planets')).toBe(404)
  expect(await first.send('', '/v1/tables/sky.nothing')).toBe(404)
  for (const { caller, client } of clients) {
    client.close()
    expect(await usageOf(caller)).toEqual(client.counts)
    expect(await meteredOf(caller)).toEqual(client.counts)
  }
  expect(first.counts.get('sky')?.bytes_received).toBeGreaterThan(csv.length)
})

test('a table that is moved to another namespace counts there from then on', async () => {
  const eve = await service.newCaller({ '/v1': ['own'] })
  const { table_id: id } = await must(service.admin.send('get', '/v1/tables/sea.fish'))
  const read = () => must(eve.send('get', `/v1/tables/${id}`))
  await read()
  expect([...(await usageOf(eve)).keys()]).toEqual(['sea'])
  await must(service.admin.send('post', '/v1/tables/sea.fish/rename', { name: 'sky.fish' }))
  await read()
  expect([...(await usageOf(eve)).keys()]).toEqual(['sea', 'sky'])
})
