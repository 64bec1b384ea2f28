import { join } from 'node:path'
import { must } from '../../http/client.ts'
import { writeParquet } from '../../parquet-files.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const SECRET = 'Jane Doe'
const OPEN = '/v1/tables/air.open'

let service: KeyedService
let bob: Caller
beforeAll(async () => {
  service = await startKeyedService()
  const { admin, dataFolder } = service
  for (const [name, value] of [
    ['open', 'shown'],
    ['secret', SECRET],
  ]) {
    const path = join(dataFolder, `${name}.parquet`)
    await writeParquet(path, `SELECT '${value}' AS name`)
    const table = { name, namespace: 'air', infer_from: path }
    await must(admin.send('post', '/v1/tables', table), 201)
    await must(admin.send('post', `/v1/tables/air.${name}/files`, { files: [{ path }] }))
  }
  bob = await service.newCaller({ [OPEN]: ['select'] })
  // It looks up by name what was read.
  await service.deps.auditTrail.close()
})
afterAll(() => service.close())

/** Does it once, right before `air.open` is looked up for the nth time from now on. */
function beforeLookUp(nth: number, act: () => Promise<void>): () => boolean {
  const { tables } = service.deps.catalog
  const find = tables.find.bind(tables)
  let calls = 0
  tables.find = async (key) => {
    // Background work names tables by their UUID.
    if ('name' in key && key.name === 'open' && ++calls === nth) {
      tables.find = find
      await act()
    }
    return await find(key)
  }
  return () => calls >= nth
}

const rename = (from: string, name: string) =>
  must(service.admin.send('post', `/v1/tables/air.${from}/rename`, { name }))

async function swap(): Promise<void> {
  await rename('open', 'between')
  await rename('secret', 'open')
  await rename('between', 'secret')
}

const query = { source: { table: 'air.open' } }
const READS: readonly [what: string, nth: number, path: string, json?: object][] = [
  ['rows', 1, `${OPEN}/rows`],
  ['statistics', 2, `${OPEN}/columns/name/statistics`],
  ['statistics that are known', 1, `${OPEN}/columns/name/statistics`],
  ['a diff', 1, `${OPEN}/diff?from=latest`],
  ['a diff with rows', 1, `${OPEN}/diff?from=latest&rows=true`],
  ['a query', 1, '/v1/query', query],
  ['a query in SQL', 1, '/v1/query', { sql: 'SELECT name FROM air.open' }],
  ['an estimate', 1, '/v1/query/estimate', query],
  ['a dump', 1, `${OPEN}/dump?format=ndjson`],
  ['a dataset', 1, '/v1/datasets', { name: 'a', ...query }],
  ['a dataset of a query', 2, '/v1/datasets', { name: 'b', query: { ...query, limit: 1 } }],
  ['the records of a filter', 2, '/data/air.open/records?materialise=true&filter=name IS NULL', {}],
]
const send = (path: string, json: object | undefined, caller = bob) =>
  caller.send(json === undefined ? 'get' : 'post', path, json)

test.each(READS)('%s: a name that became another table’s shows nothing', async (...read) => {
  const [, nth, path, json] = read
  const isReached = beforeLookUp(nth, swap)
  const { status, text, body } = await send(path, json)
  expect(isReached()).toBe(true)
  await swap()
  expect([status, body.type]).toEqual([404, '/problems/table-not-found'])
  expect(text).not.toContain(SECRET)
  expect(body.detail).toContain('air.open')
})

test.each(READS)('%s: a key that was revoked meanwhile reads nothing', async (...read) => {
  const [, nth, path, json] = read
  const eve = await service.newCaller({ [OPEN]: ['select'] })
  const isReached = beforeLookUp(nth, async () => {
    await must(service.admin.send('delete', `/v1/keys/${eve.principal.slice('key:'.length)}`))
  })
  const { status, body } = await send(path, json, eve)
  expect(isReached()).toBe(true)
  expect([status, body.type]).toEqual([401, '/problems/credential-invalid'])
})
