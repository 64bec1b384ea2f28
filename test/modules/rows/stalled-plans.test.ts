import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { type Answer, ask, must } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { changed } from '../../lake/failing-disk.ts'
import { eventually, makeTable, rows } from '../dumps/http/dump-lab.ts'

/** A store that stalls in the middle of plans and of rows, until it is let go. */
class StallingStore {
  #letGo: () => void = () => undefined
  #stalled: Promise<void> | undefined
  #pattern = /$^/
  /** What was asked for since it began to stall. */
  readonly asked: string[] = []

  stall(pattern: RegExp): void {
    this.#pattern = pattern
    this.asked.length = 0
    this.#stalled = new Promise((resolve) => {
      this.#letGo = resolve
    })
  }

  end(): void {
    this.#stalled = undefined
    this.#letGo()
  }

  wrap(objects: ObjectStore): ObjectStore {
    return changed(objects, {
      read: async (location, limits) => {
        await this.#pass(location)
        return objects.read(location, limits)
      },
      readTail: async (location, ...bytes) => {
        await this.#pass(location)
        return objects.readTail(location, ...bytes)
      },
    })
  }

  async #pass(location: string): Promise<void> {
    this.asked.push(location)
    if (this.#pattern.test(location)) await this.#stalled
  }
}

const LISTS = /\/manifest_lists\//
const MANIFESTS = /\/manifests\//
const DATA_FILES = /\.parquet$/

const store = new StallingStore()
let service: TestService
beforeAll(async () => {
  service = await startTestService({
    environment: { MORAINE_MANIFEST_CACHE: '1KB', MORAINE_QUERIES_RUNNING: '1' },
    wrapObjects: (objects) => store.wrap(objects),
  })
  await makeTable(service, 'sky', [rows(3), rows(3, 3)])
})
afterEach(() => store.end())
afterAll(() => service.close())

const headers = { Prefer: 'wait=1' }
const post = (path: string, json: object): Promise<Answer> =>
  ask(service, path, { method: 'POST', json, headers })

const structured = { source: { table: 'sky' }, filter: 'id > 1' }
const sql = 'SELECT id FROM sky WHERE id > 1'

test.each([
  ['/v1/query', structured],
  ['/v1/query', { sql }],
  ['/v1/datasets', { sql }],
  ['/v1/datasets', { query: structured }],
])('a plan of %s that is not there in time is 503', async (path, json) => {
  store.stall(MANIFESTS)
  const { status, body, headers: got } = await post(path, json)
  expect([status, body.type]).toEqual([503, '/problems/overloaded'])
  expect(got.get('retry-after')).not.toBeNull()
})

test('footers that are not there in time end what waits for them', async () => {
  store.stall(DATA_FILES)
  expect((await post('/v1/query?inline=require', structured)).status).toBe(413)
})

const READERS: readonly { readonly what: string; readonly path: string; readonly json?: object }[] =
  [
    { what: 'rows', path: '/v1/tables/sky/rows?filter=id>1' },
    { what: 'rows that differ', path: '/v1/tables/sky/diff?rows=true&from=latest' },
    { what: 'statistics', path: '/v1/tables/sky/columns/name/statistics' },
    { what: 'an estimate', path: '/v1/query/estimate', json: structured },
    { what: 'an estimate of a text', path: '/v1/query/estimate', json: { sql } },
    { what: 'a query', path: '/v1/query', json: structured },
    { what: 'a text', path: '/v1/query', json: { sql } },
    { what: 'the files of a table', path: '/v1/tables/sky?filter=id>1' },
  ]

/** Sends a request, and leaves when the store was asked. */
async function leave(path: string, json: object | undefined): Promise<void> {
  const gone = new AbortController()
  const request = fetch(service.url + path, {
    signal: gone.signal,
    ...(json !== undefined && {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(json),
    }),
  })
  await eventually(() => store.asked.length > 0)
  gone.abort()
  await expect(request).rejects.toThrow()
}

test.each(READERS)('a client that has gone reads no more: $what', async ({ path, json }) => {
  store.asked.length = 0
  const alone = await manifestsRead()
  expect(alone).toBeGreaterThan(0)
  store.stall(LISTS)
  await leave(path, json)
  // The one place of queries is free, while the store stalls.
  await must(ask(service, `/v1/tables/${await empty()}/rows`))
  store.end()
  expect(await manifestsRead()).toBe(alone)
})

test('statistics that several wait for keep the place of who began them', async () => {
  const own = await startTestService({
    environment: { MORAINE_MANIFEST_CACHE: '1KB', MORAINE_QUERIES_RUNNING: '2' },
    wrapObjects: (objects) => store.wrap(objects),
  })
  try {
    await makeTable(own, 'sky', [rows(3)])
    const path = '/v1/tables/sky/columns/name/statistics'
    const left = async () => {
      const { headers: got } = await ask(own, '/v1/tables/none/diff?from=1')
      return /"queries";r=(\d+)/.exec(got.get('ratelimit') ?? '')?.[1]
    }
    expect(await left()).toBe('34')
    store.stall(LISTS)
    const gone = new AbortController()
    const first = fetch(own.url + path, { signal: gone.signal })
    await eventually(async () => (await left()) === '33')
    const second = ask(own, path)
    await eventually(async () => (await left()) === '32')
    gone.abort()
    await expect(first).rejects.toThrow()
    expect(await left()).toBe('32')
    store.end()
    expect((await second).status).toBe(200)
    await eventually(async () => (await left()) === '34')
  } finally {
    store.end()
    await own.close()
  }
})

/** How many manifests were read when one more request has been answered. */
async function manifestsRead(): Promise<number> {
  await must(ask(service, '/v1/tables/sky/rows'))
  return store.asked.filter((each) => MANIFESTS.test(each)).length
}

let empties = 0
async function empty(): Promise<string> {
  const name = `empty-${empties++}`
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  await must(ask(service, '/v1/tables', { method: 'POST', json: { name, schema } }), 201)
  return name
}
