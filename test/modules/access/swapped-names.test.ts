import { join } from 'node:path'
import { type Answer, must } from '../../http/client.ts'
import { writeParquet } from '../../parquet-files.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const SECRET = 'Jane Doe'
const OPEN = '/v1/tables/air.open'
const REST = '/iceberg/v1/namespaces/air/tables/open'

let service: KeyedService
let bob: Caller
let owner: Caller
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
  owner = await service.newCaller({
    [OPEN]: ['own'],
    '/v1/namespaces/air': ['create'],
  })
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

test('what is granted is told of the table on which it was changed', async () => {
  const { admin, deps } = service
  const { grants } = deps.catalog
  const named = (privilege: string) => [{ principal: bob.principal, privilege }]
  const secret = '/v1/tables/air.secret/permissions'
  await must(admin.send('post', secret, { grant: named('describe') }))
  const change = grants.change.bind(grants)
  grants.change = async (...asked) => {
    grants.change = change
    const outcome = await change(...asked)
    await swap()
    return outcome
  }
  const body = { grant: named('select') }
  const { permissions } = await must(owner.send('post', `${OPEN}/permissions`, body))
  await swap()
  expect(permissions).toEqual((await must(admin.send('get', `${OPEN}/permissions`))).permissions)
  await must(admin.send('post', secret, { revoke: named('describe') }))
})

test('who owns the table of a name is not told what may be done with another', async () => {
  const keeper = service.deps.access?.keeper
  if (keeper === undefined) throw new Error('nobody is asked')
  const findPlace = keeper.findPlace.bind(keeper)
  let calls = 0
  keeper.findPlace = (key) => {
    if (key.kind !== 'table' || key.name !== 'open' || ++calls < 2) return findPlace(key)
    keeper.findPlace = findPlace
    return swap().then(() => findPlace(key))
  }
  const check = `${OPEN}/permissions/check?privilege=select&principal=${bob.principal}`
  const answer = await owner.send('get', check)
  expect(calls).toBe(2)
  await swap()
  expectNotFound(answer)
})

const query = { source: { table: 'air.open' } }
const READS: readonly [what: string, nth: number, path: string, json?: object][] = [
  ['rows', 1, `${OPEN}/rows`],
  ['statistics', 2, `${OPEN}/columns/name/statistics`],
  ['statistics of the files', 3, `${OPEN}/columns/name/statistics`],
  ['statistics that are known', 1, `${OPEN}/columns/name/statistics`],
  ['a diff', 1, `${OPEN}/diff?from=latest`],
  ['a diff with rows', 1, `${OPEN}/diff?from=latest&rows=true`],
  ['a query', 1, '/v1/query', query],
  ['a query in SQL', 1, '/v1/query', { sql: 'SELECT name FROM air.open' }],
  ['an estimate', 1, '/v1/query/estimate', query],
  ['a dump', 1, `${OPEN}/dump?format=ndjson`],
  ['a dataset', 1, '/v1/datasets', { name: 'a', ...query }],
  ['a dataset of a query', 2, '/v1/datasets', { name: 'b', query: { ...query, limit: 1 } }],
  ['the table', 1, OPEN],
  ['a snapshot', 1, `${OPEN}/latest`],
  ['its snapshots', 1, `${OPEN}/snapshots`],
  ['a timemap', 1, `${OPEN}/timemap`],
  ['schemas', 1, `${OPEN}/schemas`],
  ['refs', 1, `${OPEN}/refs`],
  ['a citation', 1, `${OPEN}/latest/citation`],
  ['a load', 1, REST],
  ['a plan', 1, `${REST}/plan`, {}],
  ['credentials', 1, `${REST}/credentials`],
  ['the records of a filter', 2, '/data/air.open/records?materialise=true&filter=name IS NULL', {}],
]
const send = (path: string, json: object | undefined, caller = bob) =>
  caller.send(json === undefined ? 'get' : 'post', path, json)

test.each(READS)('%s: a name that became another table’s shows nothing', async (...read) => {
  const [, nth, path, json] = read
  const isReached = beforeLookUp(nth, swap)
  const answer = await send(path, json)
  expect(isReached()).toBe(true)
  await swap()
  expectNotFound(answer)
  expect(answer.text).not.toContain(SECRET)
})

/** As each of the two faces says it. */
function expectNotFound({ status, body }: Answer): void {
  const { type = body.type, message = body.detail } = body.error ?? {}
  const name = body.error === undefined ? '/problems/table-not-found' : 'NoSuchTableException'
  expect([status, type]).toEqual([404, name])
  expect(message).toContain('air.open')
}

const UPDATES = [{ action: 'set-properties', updates: { owner: 'me' } }]
const identifier = (name: string) => ({ namespace: ['air'], name })
const CHANGE = { identifier: identifier('open'), requirements: [], updates: UPDATES }
const ADDED = { changes: [{ op: 'add', column: { name: 'more', type: 'string' } }] }
const RENAMED = { source: identifier('open'), destination: identifier('mine') }
type Method = 'get' | 'post' | 'put' | 'delete'
const OWNED: readonly [what: string, method: Method, path: string, json?: object][] = [
  ['a description', 'post', `${OPEN}/metadata`, { steward: 'me' }],
  ['a schema', 'post', `${OPEN}/schemas`, ADDED],
  ['a rollback', 'post', `${OPEN}/rollback`, { snapshot_id: '1' }],
  ['a tag', 'put', `${OPEN}/refs/mine`, {}],
  ['a renaming', 'post', `${OPEN}/rename`, { name: 'mine' }],
  ['a clone', 'post', `${OPEN}/clone`, { name: 'mine', namespace: 'air' }],
  ['a drop', 'delete', `${OPEN}?purge=now`],
  ['the policy', 'get', `${OPEN}/policy`],
  ['a policy', 'put', `${OPEN}/policy`, { row_filter: 'name IS NULL' }],
  ['no policy', 'delete', `${OPEN}/policy`],
  ['what was done to it', 'get', `${OPEN}/audit-logs`],
  ['a transaction', 'post', '/v1/transactions/start', { tables: ['air.open'] }],
  ['a commit', 'post', REST, { requirements: [], updates: UPDATES }],
  ['a commit of tables', 'post', '/iceberg/v1/transactions/commit', { 'table-changes': [CHANGE] }],
  ['another renaming', 'post', '/iceberg/v1/tables/rename', RENAMED],
  ['no registration', 'post', `${REST}/unregister`],
  ['another drop', 'delete', `${REST}?purgeRequested=true`],
]

test.each(OWNED)('%s: who owns the table of a name does nothing to another', async (...asked) => {
  const [, method, path, json] = asked
  const { admin } = service
  const secret = await must(admin.send('get', '/v1/tables/air.secret'))
  const isReached = beforeLookUp(1, swap)
  const answer = await owner.send(method, path, json)
  expect(isReached()).toBe(true)
  await swap()
  expectNotFound(answer)
  expect(answer.text).not.toContain(secret.table_id)
  expect(await must(admin.send('get', '/v1/tables/air.secret'))).toEqual(secret)
})

test.each(READS)('%s: a key that was revoked meanwhile reads nothing', async (...read) => {
  const [, nth, path, json] = read
  const eve = await service.newCaller({ [OPEN]: ['select'] })
  const isReached = beforeLookUp(nth, async () => {
    await must(service.admin.send('delete', `/v1/keys/${eve.principal.slice('key:'.length)}`))
  })
  const { status, body } = await send(path, json, eve)
  expect(isReached()).toBe(true)
  const name = body.error === undefined ? '/problems/credential-invalid' : 'NotAuthorizedException'
  expect([status, body.type ?? body.error.type]).toEqual([401, name])
})
