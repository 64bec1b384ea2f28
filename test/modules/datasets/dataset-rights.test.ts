import { randomUUID } from 'node:crypto'
import { type Json, must } from '../../http/client.ts'
import { type Caller, type KeyedService, startKeyedService } from '../access/keyed-service.ts'
import { untilAudited } from '../audit/until-audited.ts'

const TABLE = '/v1/tables/sky.planets'
const HIDDEN = '/v1/tables/moraine$datasets.planets_v1'
const REST = '/iceberg/v1/namespaces/moraine$datasets/tables/planets_v1'
const DATASET = '/v1/datasets/planets/1'
const READING = [
  ...[DATASET, `${DATASET}/status`, `${DATASET}/download`, '/v1/datasets/planets'],
  ...[HIDDEN, `${HIDDEN}/dump`, REST],
]

let service: KeyedService
let owner: Caller
let reader: Caller
let stranger: Caller
beforeEach(async () => {
  service = await startKeyedService()
  const { admin } = service
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  await must(admin.send('post', '/v1/tables', { name: 'planets', namespace: 'sky', schema }), 201)
  owner = await service.newCaller({ '/v1/namespaces/sky': ['own'] })
  reader = await service.newCaller({ [TABLE]: ['select'] })
  stranger = await service.newCaller()
  const headers = { 'Content-Type': 'text/csv', Authorization: `Bearer ${owner.key}` }
  const body = 'id\n1\n2\n'
  const added = await fetch(`${service.url}${TABLE}/files`, { method: 'POST', headers, body })
  expect(added.status).toBe(201)
})
afterEach(() => service.close())

async function make(caller: Caller): Promise<Json> {
  return must(
    caller.send('post', '/v1/datasets', { name: 'planets', source: { table: 'sky.planets' } }),
    201,
  )
}

async function statuses(caller: Caller, paths = READING): Promise<readonly number[]> {
  const found: number[] = []
  for (const path of paths) found.push((await caller.send('get', path)).status)
  return found
}

const all = (status: number) => READING.map(() => status)

test('whoever reads the source makes and reads a dataset, and nobody else', async () => {
  const { table_id: id } = await make(reader)
  expect(await statuses(reader)).toEqual(all(200))
  expect(await statuses(owner)).toEqual(all(200))
  expect(await statuses(stranger)).toEqual(all(404))
  const unseen = await stranger.send('get', DATASET)
  expect(unseen.body.type).toBe('/problems/dataset-not-found')
  expect(await statuses(service.nobody)).toEqual(all(401))
  expect((await reader.send('get', `/v1/tables/${id}/dump`)).status).toBe(200)
  expect((await stranger.send('get', `/v1/tables/${id}/dump`)).status).toBe(404)
  const wish = { source: { table: 'sky.planets' } }
  expect((await stranger.send('post', '/v1/datasets', wish)).status).toBe(404)
  const namesFor = async (caller: Caller) => {
    const { datasets } = await must(caller.send('get', '/v1/datasets'))
    return datasets.map(({ name }: Json) => name)
  }
  expect(await namesFor(reader)).toEqual(['planets'])
  expect(await namesFor(stranger)).toEqual([])
})

test('who may not read one that was published is not shown it by asking for the same', async () => {
  const all = { source: { table: 'sky.planets' } }
  const query = { query: { ...all, filter: 'id > 1' } }
  const sql = { sql: 'SELECT id FROM sky.planets' }
  for (const wish of [all, query, sql]) {
    const card = { ...wish, title: 'Not for all' }
    const { name } = await must(owner.send('post', '/v1/datasets', card), 201)
    await must(owner.send('post', `/v1/datasets/${name}/1/publish`))
    const mine = await must(reader.send('post', '/v1/datasets', wish), 201)
    expect([mine.name === name, mine.title]).toEqual([false, null])
    await must(reader.send('get', `/v1/datasets/${mine.name}`))
    // The same again, and for its owner, too.
    expect((await must(reader.send('post', '/v1/datasets', wish))).name).toBe(mine.name)
    expect((await must(owner.send('post', '/v1/datasets', wish))).name).toBe(name)
    const grant = [{ principal: reader.principal, privilege: 'select' }]
    const hidden = `/v1/tables/moraine$datasets.${name}_v1/permissions`
    await must(owner.send('post', hidden, { grant }))
    expect((await must(reader.send('post', '/v1/datasets', wish))).name).toBe(name)
  }
})

test('a published name is not shown to who asks for the same by it', async () => {
  await make(owner)
  await must(owner.send('post', `${DATASET}/publish`))
  const wish = { name: 'planets', source: { table: 'sky.planets' } }
  const { status, body } = await reader.send('post', '/v1/datasets', wish)
  expect([status, body.type]).toEqual([409, '/problems/dataset-name-taken'])
})

test('whose right is taken away reads it no more, from the next download on', async () => {
  await make(reader)
  const revoke = [{ principal: reader.principal, privilege: 'select' }]
  await must(service.admin.send('post', `${TABLE}/permissions`, { revoke }))
  expect(await statuses(reader)).toEqual(all(404))
})

test('a policy on the source withholds it from all who are not excepted', async () => {
  await make(reader)
  const policy = { row_filter: 'id > 1', except: [owner.principal] }
  await must(service.admin.send('put', `${TABLE}/policy`, policy))
  expect(await statuses(reader)).toEqual(all(403))
  expect(await statuses(owner)).toEqual(all(200))
  const wish = { name: 'more', source: { table: 'sky.planets' } }
  const refused = await reader.send('post', '/v1/datasets', wish)
  expect(refused.body.type).toBe('/problems/table-restricted')
  // By name, which they may see.
  const { body } = await reader.send('get', DATASET)
  expect(body).toMatchObject({ type: '/problems/table-restricted', table: 'sky.planets' })
  expect(body.detail).toContain('/v1/tables/sky.planets/dump')
})

test('its reader neither publishes, deletes, shares nor changes it; its owner does', async () => {
  await make(reader)
  const grant = [{ principal: stranger.principal, privilege: 'select' }]
  for (const caller of [reader, owner]) {
    expect((await caller.send('post', `${HIDDEN}/permissions`, { grant })).status).toBe(403)
  }
  expect((await reader.send('post', `${DATASET}/publish`)).body).toMatchObject({
    ...{ status: 403, table: 'sky.planets' },
    detail: 'You lack the privilege own on the table sky.planets',
  })
  expect((await reader.send('delete', DATASET)).status).toBe(403)
  expect((await owner.send('post', `${HIDDEN}/metadata`, { steward: 'me' })).body.type).toBe(
    '/problems/dataset-immutable',
  )
  await must(owner.send('delete', DATASET))
  expect((await reader.send('get', DATASET)).status).toBe(410)
})

test('a published one has rights of its own, which its publisher gives', async () => {
  await make(reader)
  await must(owner.send('post', `${DATASET}/publish`))
  expect(await statuses(reader)).toEqual(all(404))
  expect(await statuses(owner)).toEqual(all(200))
  const grant = [{ principal: stranger.principal, privilege: 'select' }]
  await must(owner.send('post', `${HIDDEN}/permissions`, { grant }))
  expect(await statuses(stranger)).toEqual(all(200))
  await must(owner.send('delete', `${TABLE}?purge=now`))
  expect(await statuses(stranger)).toEqual(all(200))
  const policy = { row_filter: 'id > 1', except: [] }
  const refused = await owner.send('put', `${HIDDEN}/policy`, policy)
  expect(refused.body.type).toBe('/problems/dataset-immutable')
  await must(owner.send('delete', `${DATASET}?confirm=planets`))
})

test.each([DATASET, '/v1/datasets/planets'])(
  'a published one is deleted by who says its name: %s',
  async (path) => {
    await make(reader)
    await must(owner.send('post', `${DATASET}/publish`))
    for (const asked of [path, `${path}?confirm=other`]) {
      const { status, body } = await owner.send('delete', asked)
      expect([status, body.type]).toEqual([409, '/problems/dataset-published'])
      expect(body).toMatchObject({ dataset: 'planets', confirm: 'planets' })
      await must(owner.send('get', path))
    }
    expect((await stranger.send('delete', `${path}?confirm=planets`)).status).toBe(404)
    await must(owner.send('delete', `${path}?confirm=planets`))
    const { status, body } = await owner.send('get', path)
    expect([status, body.card.name]).toEqual([410, 'planets'])
  },
)

test('the card of a published one that ended is for those who read its source', async () => {
  await make(reader)
  await must(owner.send('post', `${DATASET}/publish`))
  await must(owner.send('delete', `${DATASET}?confirm=planets`))
  expect((await reader.send('get', DATASET)).status).toBe(410)
  expect((await stranger.send('get', DATASET)).status).toBe(404)
})

test('a dataset keeps nobody from naming the files of its source', async () => {
  await make(owner)
  const { data_files: files } = await must(reader.send('get', TABLE))
  await must(service.admin.send('post', '/v1/namespaces', { name: 'mine' }), 201)
  const grant = [{ principal: reader.principal, privilege: 'own' }]
  await must(service.admin.send('post', '/v1/namespaces/mine/permissions', { grant }))
  const table = { name: 'mine', namespace: 'mine', infer_from: files[0].path }
  await must(reader.send('post', '/v1/tables', table), 201)
})

test('a dataset of a dataset is as readable as the table that both come from', async () => {
  await make(owner)
  const source = { table: 'moraine$datasets.planets_v1' }
  await must(owner.send('post', '/v1/datasets', { name: 'again', source }), 201)
  const hidden = '/v1/tables/moraine$datasets.again_v1'
  const paths = ['/v1/datasets/again/1', `${hidden}/rows`, `${hidden}/dump`]
  expect(await statuses(owner, paths)).toEqual([200, 200, 200])
  expect(await statuses(reader, paths)).toEqual([200, 200, 200])
  const policy = { row_filter: 'id > 1', except: [owner.principal] }
  await must(service.admin.send('put', `${TABLE}/policy`, policy))
  expect(await statuses(service.admin, paths)).toEqual([403, 403, 403])
  expect(await statuses(reader, paths)).toEqual([403, 403, 403])
  expect(await statuses(owner, paths)).toEqual([200, 200, 200])
})

test('a source that is dropped leaves its datasets to those who read it', async () => {
  await make(reader)
  const query = { source: { table: 'sky.planets' }, filter: 'id = 1' }
  await must(owner.send('post', '/v1/datasets', { name: 'few', query }), 201)
  await must(owner.send('delete', `${TABLE}?purge=now`))
  for (const caller of [reader, owner, service.admin]) {
    expect(await statuses(caller)).toEqual(all(200))
    expect((await caller.send('get', '/v1/datasets')).body.datasets).toHaveLength(2)
  }
  expect(await statuses(stranger)).toEqual(all(404))
  expect((await stranger.send('get', '/v1/datasets')).body.datasets).toEqual([])
  // Others have its name now, and nothing else of it.
  const { admin } = service
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  await must(admin.send('post', '/v1/tables', { name: 'planets', namespace: 'sky', schema }), 201)
  const grant = [{ principal: stranger.principal, privilege: 'own' }]
  await must(admin.send('post', `${TABLE}/permissions`, { grant }))
  expect(await statuses(stranger)).toEqual(all(404))
  expect((await reader.send('delete', DATASET)).status).toBe(403)
  await must(owner.send('delete', DATASET))
  expect((await reader.send('get', DATASET)).status).toBe(410)
  expect((await stranger.send('get', DATASET)).status).toBe(404)
})

test('a policy on the source outlives it, as long as there are datasets', async () => {
  await make(reader)
  const policy = { row_filter: 'id > 1', except: [owner.principal] }
  await must(service.admin.send('put', `${TABLE}/policy`, policy))
  await must(owner.send('delete', TABLE))
  expect(await statuses(reader)).toEqual(all(403))
  expect(await statuses(owner)).toEqual(all(200))
})

test('a dataset that another one was made of can be published', async () => {
  const made = await make(owner)
  const again = { name: 'again', source: { table: 'moraine$datasets.planets_v1' } }
  await must(reader.send('post', '/v1/datasets', again), 201)
  await must(owner.send('post', `${made.url}/publish`))
})

test('of versions, everybody is shown those that are shared with everybody', async () => {
  await make(owner)
  await must(owner.send('post', `${DATASET}/publish`))
  const query = { name: 'planets', query: { source: { table: 'sky.planets' }, limit: 1 } }
  await must(owner.send('post', '/v1/datasets', query), 201)
  const versions = '/v1/datasets/planets/versions'
  expect((await stranger.send('get', versions)).status).toBe(404)
  expect((await service.nobody.send('get', versions)).status).toBe(401)
  const grant = [{ principal: 'anonymous', privilege: 'select' }]
  await must(owner.send('post', `${HIDDEN}/permissions`, { grant }))
  const shared = await must(service.nobody.send('get', versions))
  expect(shared.versions.map(({ version }: Json) => version)).toEqual([1])
  await untilAudited(service)
  const action = 'listDatasetVersions'
  const rows = await service.deps.catalog.audit.list({ action, decisions: ['allowed'], limit: 9 })
  // Nothing is told as read that was refused.
  expect(rows.map(({ subject }) => subject)).toEqual([shared.versions[0].table_id])
})

test('a next version that failed is not published as the one before it', async () => {
  await make(owner)
  const { catalog } = service.deps
  const [first] = await catalog.datasets.listVersions('planets', 1)
  if (first === undefined) throw new Error('none')
  const { table: _, ...next } = { ...first, table: undefined, otherSources: [] }
  const queued = { ...next, tableUuid: randomUUID(), identity: 'next', createdAtMs: Date.now() }
  await catalog.datasets.create({ ...queued, expiresAtMs: Date.now() + 60_000 })
  for (const what of ['publish', 'verify']) {
    const { status, body } = await owner.send('post', `/v1/datasets/planets/${what}`)
    expect([what, status, body.type]).toEqual([what, 409, '/problems/dataset-not-ready'])
  }
  expect((await catalog.datasets.listVersions('planets', 2))[1]?.publishedAtMs).toBeUndefined()
})

test('a next version that is not shared hides none that is', async () => {
  await make(owner)
  await must(owner.send('post', `${DATASET}/publish`))
  const grant = [{ principal: stranger.principal, privilege: 'select' }]
  await must(owner.send('post', `${HIDDEN}/permissions`, { grant }))
  const headers = { 'Content-Type': 'text/csv', Authorization: `Bearer ${owner.key}` }
  const more = { method: 'POST', headers, body: 'id\n3\n' }
  expect((await fetch(`${service.url}${TABLE}/files`, more)).status).toBe(201)
  expect((await make(owner)).version).toBe(2)
  const at = async (caller: Caller) =>
    (await must(caller.send('get', '/v1/datasets/planets'))).version
  expect([await at(owner), await at(stranger)]).toEqual([2, 1])
  const download = '/v1/datasets/planets/download?format=csv'
  expect((await stranger.send('get', download)).text).toBe('id\n1\n2\n')
  expect((await stranger.send('get', '/v1/datasets/planets/2')).status).toBe(404)
  expect((await stranger.send('delete', '/v1/datasets/planets')).status).not.toBe(200)
})

test('a deleted published version hides none before it, nor gives its name away', async () => {
  const makeNext = async () => {
    const headers = { 'Content-Type': 'text/csv', Authorization: `Bearer ${owner.key}` }
    const more = { method: 'POST', headers, body: 'id\n3\n' }
    expect((await fetch(`${service.url}${TABLE}/files`, more)).status).toBe(201)
    return (await make(service.admin)).version
  }
  await make(service.admin)
  await must(service.admin.send('post', `${DATASET}/publish`))
  const grant = [{ principal: stranger.principal, privilege: 'select' }]
  await must(service.admin.send('post', `${HIDDEN}/permissions`, { grant }))
  expect(await makeNext()).toBe(2)
  await must(service.admin.send('post', '/v1/datasets/planets/2/publish'))
  await must(service.admin.send('delete', '/v1/datasets/planets/2?confirm=planets'))
  expect(await makeNext()).toBe(3)
  expect((await must(stranger.send('get', '/v1/datasets/planets'))).version).toBe(1)
  // Whose the source is, the first version is not.
  const { status, body } = await owner.send('post', '/v1/datasets/planets/3/publish')
  expect([status, body.type]).toEqual([409, '/problems/dataset-name-taken'])
})

test('a name belongs to nobody in particular for whoever does not sign in', async () => {
  const grant = [{ principal: 'anonymous', privilege: 'select' }]
  await must(service.admin.send('post', `${TABLE}/permissions`, { grant }))
  const source = { table: 'sky.planets' }
  const wish = { name: 'planets', source }
  await must(service.nobody.send('post', '/v1/datasets', wish), 201)
  await must(service.nobody.send('post', '/v1/datasets', wish))
  const other = { name: 'planets', query: { source, limit: 1 } }
  const { status, body } = await service.nobody.send('post', '/v1/datasets', other)
  expect([status, body.type]).toEqual([409, '/problems/dataset-name-taken'])
})

test('who asks what may be done with a dataset is told what is decided on it', async () => {
  await make(owner)
  const name = HIDDEN.slice('/v1/tables/'.length)
  const checked = async (caller: Caller, privilege: string) => {
    const checks = [{ privilege, on: 'table', name }]
    const told = await must(caller.send('post', '/v1/permissions/check', { checks }))
    return told.checks[0].allowed
  }
  expect(await checked(reader, 'select')).toBe(true)
  expect(await checked(reader, 'modify')).toBe(false)
  expect(await checked(owner, 'manage_grants')).toBe(false)
  expect(await checked(stranger, 'select')).toBe(false)
})
