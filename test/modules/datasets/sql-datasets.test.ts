import { type Answer, ask, type Json, must } from '../../http/client.ts'
import { type Caller, type KeyedService, startKeyedService } from '../access/keyed-service.ts'

let service: KeyedService
let owner: Caller
let reader: Caller
beforeEach(async () => {
  service = await startKeyedService()
  for (const namespace of ['sky', 'sea']) {
    await must(service.admin.send('post', '/v1/namespaces', { name: namespace }), 201)
  }
  owner = await service.newCaller({
    ...{ '/v1/namespaces/sky': ['own'], '/v1/namespaces/sea': ['own'] },
  })
  reader = await service.newCaller({ '/v1/namespaces/sky': ['select'] })
  await fill('sky.stars', 'id,name\n1,Vega\n2,Deneb\n3,Altair\n')
  await fill('sea.boats', 'id,name\n1,Argo\n3,Vasa\n')
})
afterEach(() => service.close())

async function fill(table: string, body: string): Promise<void> {
  const [namespace, name] = table.split('.')
  const columns = [
    { name: 'id', type: 'long' },
    { name: 'name', type: 'string' },
  ]
  await must(owner.send('post', '/v1/tables', { name, namespace, schema: { columns } }), 201)
  await add(table, body)
}

async function add(table: string, body: string): Promise<void> {
  const headers = { 'Content-Type': 'text/csv', Authorization: `Bearer ${owner.key}` }
  const path = `${service.url}/v1/tables/${table}/files`
  expect((await fetch(path, { method: 'POST', headers, body })).status).toBe(201)
}

const STARS = 'SELECT name, id * 2 AS twice FROM sky.stars WHERE id > 1 ORDER BY id'
const BOTH =
  'SELECT s.name, b.name AS boat FROM sky.stars s JOIN sea.boats b USING (id) ORDER BY id'

function make(caller: Caller, sql: string, more: object = {}): Promise<Answer> {
  return caller.send('post', '/v1/datasets', { sql, ...more })
}

async function csv(caller: Caller, { url }: Json): Promise<string> {
  return (await caller.send('get', `${url}/download?format=csv`)).text
}

test('a text over pinned snapshots is frozen, verified, one with other spellings', async () => {
  const made = await must(make(owner, STARS, { name: 'far' }), 201)
  expect(made).toMatchObject({
    ...{ state: 'ready', rows: 2, query: { sql: STARS, sources: [{ table: 'sky.stars' }] } },
    columns: [
      { name: 'name', type: 'string' },
      { name: 'twice', type: 'long' },
    ],
  })
  expect(await csv(owner, made)).toBe('name,twice\nDeneb,4\nAltair,6\n')
  const other = 'select name, id*2 twice -- as before\n from SKY.stars where (id > 1) order by id'
  expect((await must(make(owner, other, { name: 'far' }), 200)).url).toBe(made.url)
  expect((await must(owner.send('post', `${made.url}/verify`))).reproduced).toBe(true)
  await add('sky.stars', 'id,name\n9,Rigel\n')
  expect(await csv(owner, made)).toBe('name,twice\nDeneb,4\nAltair,6\n')
  expect((await must(owner.send('post', `${made.url}/verify`))).reproduced).toBe(true)
  expect((await must(make(owner, STARS, { name: 'far' }), 201)).version).toBe(2)
  await must(owner.send('delete', '/v1/tables/sky.stars?purge=now'))
  expect(await csv(owner, made)).toBe('name,twice\nDeneb,4\nAltair,6\n')
  expect((await must(owner.send('post', `${made.url}/verify`))).reproduced).toBeNull()
})

test('one of several tables is read by who reads all of them, at each moment', async () => {
  expect((await make(reader, BOTH)).status).toBe(404)
  const made = await must(make(owner, BOTH, { name: 'both' }), 201)
  expect(await csv(owner, made)).toBe('name,boat\nVega,Argo\nAltair,Vasa\n')
  const hidden = '/v1/tables/moraine$datasets.both_v1'
  const paths = [made.url, `${made.url}/download`, hidden, `${hidden}/rows`]
  const statuses = async (caller: Caller) => {
    const answers = []
    for (const path of paths) answers.push((await caller.send('get', path)).status)
    const { datasets } = await must(caller.send('get', '/v1/datasets'))
    return [...answers, datasets.length]
  }
  expect(await statuses(reader)).toEqual([404, 404, 404, 404, 0])
  const grant = [{ principal: reader.principal, privilege: 'select' }]
  await must(service.admin.send('post', '/v1/tables/sea.boats/permissions', { grant }))
  expect(await statuses(reader)).toEqual([200, 200, 200, 200, 1])
  const again = { name: 'again', source: { table: 'moraine$datasets.both_v1' } }
  await must(owner.send('post', '/v1/datasets', again), 201)
  paths.push('/v1/datasets/again', '/v1/tables/moraine$datasets.again_v1/dump')
  expect(await statuses(reader)).toEqual([200, 200, 200, 200, 200, 200, 2])
  const revoked = { revoke: grant }
  await must(service.admin.send('post', '/v1/tables/sea.boats/permissions', revoked))
  expect(await statuses(reader)).toEqual([404, 404, 404, 404, 404, 404, 0])
  await must(service.admin.send('post', '/v1/tables/sea.boats/permissions', { grant }))
  await must(owner.send('delete', '/v1/tables/sea.boats'))
  expect(await statuses(reader)).toEqual([200, 200, 200, 200, 200, 200, 2])
  const policy = { row_filter: 'id > 1', except: [] }
  await must(service.admin.send('put', '/v1/tables/sky.stars/policy', policy))
  expect((await statuses(reader)).slice(0, 6)).toEqual([403, 403, 403, 403, 403, 403])
})

test('a text that does not fit, or that nobody waits for, becomes a dataset', async () => {
  const sql = 'SELECT a.id FROM sky.stars a'
  const headers = { Authorization: `Bearer ${reader.key}`, Prefer: 'respond-async' }
  const asked = await ask(service, '/v1/query', { method: 'POST', json: { sql }, headers })
  expect([asked.status, asked.headers.get('preference-applied')]).toEqual([202, 'respond-async'])
  const at = asked.headers.get('content-location') ?? ''
  expect(asked.headers.get('location')).toBe(`${at}/status`)
  const made = await must(make(reader, sql), 200)
  expect([made.url, made.state, await csv(reader, made)]).toEqual([at, 'ready', 'id\n1\n2\n3\n'])
  const estimate = await must(reader.send('post', '/v1/query/estimate', { sql }))
  expect(estimate.would).toBe('dataset')
  const required = '/v1/query?inline=require'
  expect((await reader.send('post', required, { sql })).status).toBe(200)
})

test('a text that has no result has failed, and one that is none is refused', async () => {
  const sql = 'SELECT CAST(name AS INTEGER) AS n FROM sky.stars'
  const failed = await make(owner, sql, { name: 'bad' })
  expect([failed.status, failed.body.type]).toEqual([400, '/problems/query-invalid'])
  expect((await must(owner.send('get', '/v1/datasets/bad/status'))).state).toBe('failed')
  for (const bad of ['DROP TABLE sky.stars', 'SELECT 1', "SELECT * FROM read_csv('/etc/passwd')"]) {
    expect((await make(owner, bad, { name: 'none' })).body.type).toBe('/problems/query-invalid')
  }
  expect((await make(owner, STARS, { source: { table: 'sky.stars' } })).status).toBe(400)
  const columns = [{ name: 'id', type: 'long' }]
  const empty = { name: 'empty', namespace: 'sky', schema: { columns } }
  await must(owner.send('post', '/v1/tables', empty), 201)
  const none = await make(owner, 'SELECT * FROM sky.empty')
  expect([none.status, none.body.type]).toEqual([404, '/problems/snapshot-not-found'])
})

test('publishing one needs all of its tables', async () => {
  const made = await must(make(owner, BOTH, { name: 'both' }), 201)
  const half = await service.newCaller({
    ...{ '/v1/tables/sky.stars': ['own'], '/v1/tables/sea.boats': ['select'] },
  })
  expect((await half.send('post', `${made.url}/publish`)).status).toBe(403)
  await must(owner.send('post', `${made.url}/publish`))
  expect((await half.send('get', made.url)).status).toBe(404)
  expect(await csv(owner, made)).toContain('Argo')
})

test('who reads only the first table of a published one names none of its files', async () => {
  const made = await must(make(owner, BOTH, { name: 'both' }), 201)
  const hidden = await must(owner.send('get', '/v1/tables/moraine$datasets.both_v1'))
  await must(owner.send('post', `${made.url}/publish`))
  const columns = ['name', 'boat'].map((name) => ({ name, type: 'string' }))
  const mine = { name: 'mine', namespace: 'port', schema: { columns } }
  await must(service.admin.send('post', '/v1/tables', mine), 201)
  const name = async (grants: Readonly<Record<string, readonly string[]>>) => {
    const caller = await service.newCaller({ '/v1/namespaces/port': ['own'], ...grants })
    const wish = { files: [{ path: hidden.data_files[0].path }] }
    return (await caller.send('post', '/v1/tables/port.mine/files', wish)).status
  }
  const first = { '/v1/namespaces/sky': ['select'] }
  expect(await name(first)).toBe(403)
  expect(await name({ ...first, '/v1/namespaces/sea': ['select'] })).toBe(200)
})
