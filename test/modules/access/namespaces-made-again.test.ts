import { join } from 'node:path'
import { type Answer, must } from '../../http/client.ts'
import { writeParquet } from '../../parquet-files.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const LAND = '/v1/namespaces/land'
const REST = '/iceberg/v1/namespaces'
const SCHEMA = { columns: [{ name: 'id', type: 'long' }] }
const ICEBERG = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }

let service: KeyedService
let owner: Caller
let other: Caller
beforeAll(async () => {
  service = await startKeyedService()
  const { admin, dataFolder } = service
  await must(admin.send('post', '/v1/namespaces', { name: 'land' }), 201)
  await must(admin.send('post', '/v1/namespaces', { name: 'sea' }), 201)
  owner = await service.newCaller({ '/v1/namespaces/sea': ['own'] })
  other = await service.newCaller()
  await must(owner.send('post', '/v1/tables', { name: 't', namespace: 'sea', schema: SCHEMA }), 201)
  const view = { name: 'v', namespace: 'sea', queries: [{ dialect: 'duckdb', sql: 'SELECT 1' }] }
  await must(owner.send('post', '/v1/views', { ...view, schema: SCHEMA }), 201)
  const path = join(dataFolder, 'a.parquet')
  await writeParquet(path, 'SELECT 1::BIGINT AS id')
  await must(admin.send('post', '/v1/tables/sea.t/files', { files: [{ path }] }))
})
afterAll(() => service.close())

beforeEach(async () => {
  const grant = [{ principal: owner.principal, privilege: 'own' }]
  await must(service.admin.send('post', `${LAND}/permissions`, { grant }))
})

/** As another replica does it. */
async function makeAgain(): Promise<void> {
  const { namespaces } = service.deps.catalog
  expect(await namespaces.drop(['land'])).toBe('dropped')
  const events = { principal: other.principal }
  await namespaces.create({ levels: ['land'], properties: { steward: 'other' } }, { events })
}

type Stores = 'namespaces' | 'tables' | 'views' | 'grants'

/** Does it once, right before the change is made. */
function beforeChange(store: Stores, method: string, act: () => Promise<void>): () => boolean {
  const object = service.deps.catalog[store] as unknown as Record<string, unknown>
  const own = object[method] as (...given: unknown[]) => Promise<unknown>
  let isReached = false
  object[method] = async (...given: unknown[]) => {
    object[method] = own
    isReached = true
    await act()
    return await own.apply(object, given)
  }
  return () => isReached
}

const identifier = (namespace: string, name: string) => ({ namespace: [namespace], name })
const RENAMED = { source: identifier('sea', 't'), destination: identifier('land', 't') }
const VIEW_RENAMED = { source: identifier('sea', 'v'), destination: identifier('land', 'v') }
const TABLE = { name: 'n', namespace: 'land', schema: SCHEMA }
const CLONE = { name: 'c', namespace: 'land' }
const VIEW = {
  ...{ name: 'w', namespace: 'land', schema: SCHEMA },
  queries: [{ dialect: 'duckdb', sql: 'SELECT 1' }],
}
const REVOKED = { revoke: [{ principal: 'anonymous', privilege: 'select' }] }
type Method = 'post' | 'patch' | 'delete'
type Change = [
  what: string,
  store: Stores,
  name: string,
  method: Method,
  path: string,
  json?: object,
]
const CHANGES: readonly Change[] = [
  ['a drop', 'namespaces', 'drop', 'delete', LAND],
  ['another drop', 'namespaces', 'drop', 'delete', `${REST}/land`],
  ['properties', 'namespaces', 'updateProperties', 'patch', LAND, { properties: { a: 'b' } }],
  [
    'other properties',
    ...(['namespaces', 'updateProperties', 'post', `${REST}/land/properties`] as const),
    { updates: { a: 'b' } },
  ],
  ['one within', 'namespaces', 'create', 'post', '/v1/namespaces', { name: 'land.low' }],
  ['another within', 'namespaces', 'create', 'post', REST, { namespace: ['land', 'low'] }],
  ['a table', 'tables', 'create', 'post', '/v1/tables', TABLE],
  [
    'a table further below',
    'tables',
    'create',
    'post',
    '/v1/tables',
    { ...TABLE, namespace: 'land.x' },
  ],
  [
    'another table',
    'tables',
    'create',
    'post',
    `${REST}/land/tables`,
    { name: 'n', schema: ICEBERG },
  ],
  ['a clone', 'tables', 'create', 'post', '/v1/tables/sea.t/clone', CLONE],
  [
    'a renaming',
    'tables',
    'commit',
    'post',
    '/v1/tables/sea.t/rename',
    { name: 't', namespace: 'land' },
  ],
  ['another renaming', 'tables', 'commit', 'post', '/iceberg/v1/tables/rename', RENAMED],
  ['a view', 'views', 'create', 'post', '/v1/views', VIEW],
  ['a view’s renaming', 'views', 'replace', 'post', '/iceberg/v1/views/rename', VIEW_RENAMED],
  ['a grant', 'grants', 'change', 'post', `${LAND}/permissions`, REVOKED],
]

test.each(CHANGES)('%s: who owns the namespace of a name changes no other', async (...asked) => {
  const [, store, name, method, path, json] = asked
  const isReached = beforeChange(store, name, makeAgain)
  const answer = await owner.send(method, path, json)
  expect(isReached()).toBe(true)
  expectNotFound(answer)
  await expectUntouched()
})

/** As each of the two faces says it. */
function expectNotFound({ status, body }: Answer): void {
  const { type = body.type, message = body.detail } = body.error ?? {}
  const name =
    body.error === undefined ? '/problems/namespace-not-found' : 'NoSuchNamespaceException'
  expect([status, type]).toEqual([404, name])
  expect(message).toContain('land')
}

async function expectUntouched(): Promise<void> {
  const { admin } = service
  expect(await must(admin.send('get', LAND))).toMatchObject({ properties: { steward: 'other' } })
  const { tables } = await must(admin.send('get', '/v1/tables?namespace=land'))
  expect(tables).toEqual([])
}

test('nor where the events of another replica have not told of it yet', async () => {
  const keeper = service.deps.access?.keeper
  if (keeper === undefined) throw new Error('nobody is asked')
  await must(owner.send('get', LAND))
  const { catchUp } = keeper
  keeper.catchUp = async () => undefined
  try {
    await makeAgain()
    expect([403, 404]).toContain((await owner.send('delete', LAND)).status)
  } finally {
    keeper.catchUp = catchUp
    await keeper.catchUp()
  }
  await expectUntouched()
})
