import { join } from 'node:path'
import { ask, type Json, must } from '../../http/client.ts'
import { writeParquet } from '../../parquet-files.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const TABLE = '/v1/tables/air.flights'
const POLICY = `${TABLE}/policy`
const LOAD = '/iceberg/v1/namespaces/air/tables/flights'

let service: KeyedService
let engine: Caller
let reader: Caller
let owner: Caller

beforeAll(async () => {
  service = await startKeyedService()
  const { admin, dataFolder } = service
  const path = join(dataFolder, 'flights.parquet')
  await writeParquet(
    path,
    "SELECT i AS id, 'LAX' AS origin, 'N1' AS tail, 1.5::DOUBLE AS weight FROM range(5) t(i)",
  )
  const named = { name: 'flights', namespace: 'air', infer_from: path }
  await must(admin.send('post', '/v1/tables', named), 201)
  await must(admin.send('post', `${TABLE}/files`, { files: [{ path }] }))
  engine = await service.newCaller({ [TABLE]: ['select'] })
  reader = await service.newCaller({ [TABLE]: ['select'] })
  owner = await service.newCaller({ [TABLE]: ['own'] })
  await must(admin.send('post', '/v1/roles/engines/members', { add: [engine.principal] }))
})
afterAll(() => service.close())

function restrict(policy: object) {
  const trusted = { trusted_engines: ['role:engines'] }
  return must(service.admin.send('put', POLICY, { ...trusted, ...policy }))
}

async function told(): Promise<Json> {
  return (await must(engine.send('get', LOAD)))['read-restrictions']
}

test('a trusted engine is told what to apply, and everybody else is refused', async () => {
  await restrict({
    row_filter: "origin <> 'SFO' AND id < 4",
    columns: [{ column: 'tail', action: 'show-last-4' }],
  })
  const known = { left: { type: 'not-null', term: 'origin' }, type: 'and' }
  expect(await told()).toEqual({
    'required-column-projections': [{ action: 'show-last-4', 'field-id': 3 }],
    'required-row-filter': {
      type: 'and',
      left: { ...known, right: { type: 'not-eq', term: 'origin', value: 'SFO' } },
      right: {
        type: 'and',
        left: { type: 'not-null', term: 'id' },
        right: { type: 'lt', term: 'id', value: 4 },
      },
    },
  })
  for (const caller of [reader, owner, service.admin]) {
    const { status, text } = await caller.send('get', LOAD)
    expect([status, text]).toEqual([403, expect.stringContaining('trusted_engines')])
  }
})

test('the response is kept by nobody, and a tag of before does not stand for it', async () => {
  await must(service.admin.send('delete', POLICY))
  const headers = { Authorization: `Bearer ${engine.key}` }
  const free = await ask(service, LOAD, { headers })
  expect(free.body).not.toHaveProperty('read-restrictions')
  await restrict({ row_filter: 'id < 4' })
  const held = { ...headers, 'If-None-Match': free.headers.get('etag') ?? '' }
  const after = await ask(service, LOAD, { headers: held })
  expect([after.status, after.headers.get('etag'), after.headers.get('cache-control')]).toEqual([
    ...[200, null, 'no-store'],
  ])
  expect(after.body['read-restrictions']).toBeDefined()
})

test('it gets credentials to read, and may change or plan no more than others', async () => {
  await must(service.admin.send('delete', POLICY))
  await must(service.admin.send('post', `${TABLE}/permissions`, grantOwn(engine)))
  await restrict({ row_filter: 'id < 4' })
  await must(engine.send('get', `${LOAD}/credentials`))
  const refused: readonly (readonly ['get' | 'post' | 'delete', string, object?])[] = [
    ['post', LOAD, { requirements: [], updates: [] }],
    ['delete', LOAD],
    ['post', `${LOAD}/plan`, {}],
    ['get', `${TABLE}/plan`],
    ['get', TABLE],
    ['post', `${TABLE}/clone`, { name: 'copy', namespace: 'air' }],
  ]
  for (const [method, path, body] of refused) {
    const { status, text } = await engine.send(method, path, body)
    expect([path, status, text]).toEqual([path, 403, expect.stringMatching(/withholds/)])
  }
  const dump = await engine.send('get', `${TABLE}/dump?format=csv`)
  expect(dump.text.trim().split('\n')).toHaveLength(5)
})

function grantOwn({ principal }: Caller) {
  return { grant: [{ principal, privilege: 'own' }] }
}

test('what Iceberg cannot say is withheld from engines, too', async () => {
  await restrict({ row_filter: "origin LIKE '%A%'" })
  const { status, text } = await engine.send('get', LOAD)
  expect([status, text]).toEqual([403, expect.stringContaining('LIKE')])
})

test('comparisons that engines make of -0.0 in two ways are withheld', async () => {
  for (const filter of ['weight < 0', 'weight <> 0', 'weight NOT IN (0, 1)']) {
    await restrict({ row_filter: filter })
    const { status, text } = await engine.send('get', LOAD)
    expect([filter, status, text]).toEqual([filter, 403, expect.stringContaining('zero')])
  }
  await restrict({ row_filter: 'weight > 0 OR weight <> 1' })
  expect(await told()).toMatchObject({ 'required-row-filter': { type: 'or' } })
})

test('columns are told by their names of now, unless an older schema says otherwise', async () => {
  const { admin } = service
  const change = async (each: object) => {
    await must(admin.send('delete', POLICY))
    await must(admin.send('post', `${TABLE}/schemas`, { changes: [each] }))
  }
  await change({ op: 'rename', name: 'id', to: 'number' })
  await restrict({ row_filter: 'number < 4' })
  expect(await told()).toMatchObject({ 'required-row-filter': { left: { term: 'number' } } })
  await restrict({ row_filter: "origin = 'LAX'" })
  expect(await told()).toMatchObject({ 'required-row-filter': { type: 'and' } })
  await change({ op: 'drop', name: 'tail' })
  await restrict({ row_filter: "origin = 'LAX'" })
  expect((await engine.send('get', LOAD)).status).toBe(403)
})
