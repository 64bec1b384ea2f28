import { type Json, must } from '../../http/client.ts'
import { type Caller, type KeyedService, startKeyedService } from '../access/keyed-service.ts'

const DAY_MS = 86_400_000
const clock = { aheadMs: 0 }
let service: KeyedService
let owner: Caller
let stranger: Caller
let reader: Caller

beforeEach(async () => {
  clock.aheadMs = 0
  const ambient = { nowMs: () => Date.now() + clock.aheadMs }
  service = await startKeyedService({}, undefined, ambient)
  await must(service.admin.send('post', '/v1/namespaces', { name: 'sky' }), 201)
  await must(service.admin.send('post', '/v1/namespaces', { name: 'sand' }), 201)
  owner = await service.newCaller({ '/v1/namespaces/sky': ['own'] })
  stranger = await service.newCaller({ '/v1/namespaces/sand': ['own'] })
  reader = await service.newCaller({ '/v1/namespaces/sky': ['select'] })
  await fill(owner, 'sky')
  await fill(stranger, 'sand')
})
afterEach(() => service.close())

async function fill(caller: Caller, namespace: string): Promise<void> {
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  await must(caller.send('post', '/v1/tables', { name: 'planets', namespace, schema }), 201)
  await add(caller, namespace)
}

async function add(caller: Caller, namespace: string): Promise<void> {
  const headers = { 'Content-Type': 'text/csv', Authorization: `Bearer ${caller.key}` }
  const path = `${service.url}/v1/tables/${namespace}.planets/files`
  const added = await fetch(path, { method: 'POST', headers, body: 'id\n1\n2\n' })
  expect(added.status).toBe(201)
}

function make(caller: Caller, namespace: string, more: object = {}) {
  const wish = { name: 'planets', source: { table: `${namespace}.planets` }, ...more }
  return caller.send('post', '/v1/datasets', wish)
}

async function expectTaken(asked: Promise<{ status: number; body: Json }>): Promise<void> {
  const { status, body } = await asked
  expect([status, body.type]).toEqual([409, '/problems/dataset-name-taken'])
}

async function newest(caller: Caller): Promise<string> {
  return (await must(caller.send('get', '/v1/datasets/planets'))).url
}

test('nobody else makes the next version of a published name, and its owner does', async () => {
  await must(make(owner, 'sky'), 201)
  await must(owner.send('post', '/v1/datasets/planets/1/publish'))
  await expectTaken(make(stranger, 'sand'))
  await expectTaken(make(stranger, 'sand', { name: 'PLANETS' }))
  await add(owner, 'sky')
  await expectTaken(make(reader, 'sky'))
  expect(await newest(owner)).toBe('/v1/datasets/planets/1')
  await must(make(owner, 'sky'), 201)
  expect(await newest(owner)).toBe('/v1/datasets/planets/2')
  await must(make(service.admin, 'sand'), 201)
})

test('a published name stays its owner’s when it is deleted', async () => {
  await must(make(owner, 'sky'), 201)
  await must(owner.send('post', '/v1/datasets/planets/1/publish'))
  await must(owner.send('delete', '/v1/datasets/planets/1?confirm=planets'))
  await expectTaken(make(stranger, 'sand'))
  await expectTaken(make(reader, 'sky'))
  expect((await must(make(owner, 'sky'), 201)).version).toBe(2)
})

test('one that is not published is its maker’s, and is free once it has expired', async () => {
  await must(make(reader, 'sky', { ttl_seconds: 3_600 }), 201)
  await expectTaken(make(stranger, 'sand'))
  await add(owner, 'sky')
  expect((await must(make(reader, 'sky', { ttl_seconds: 3_600 }), 201)).version).toBe(2)
  await add(owner, 'sky')
  expect((await must(make(owner, 'sky', { ttl_seconds: 3_600 }), 201)).version).toBe(3)
  clock.aheadMs = DAY_MS
  expect((await must(make(stranger, 'sand'), 201)).version).toBe(4)
  await must(stranger.send('post', '/v1/datasets/planets/4/publish'))
  await expectTaken(make(owner, 'sky'))
})

test('nobody publishes a version of a name of which somebody else has published one', async () => {
  await must(make(reader, 'sky'), 201)
  await must(make(service.admin, 'sand'), 201)
  await must(owner.send('post', '/v1/datasets/planets/1/publish'))
  await expectTaken(stranger.send('post', '/v1/datasets/planets/2/publish'))
  await must(owner.send('post', '/v1/datasets/planets/1/publish'))
})

test('nobody gives a name as the service does', async () => {
  const { name } = await must(
    owner.send('post', '/v1/datasets', { source: { table: 'sky.planets' } }),
    201,
  )
  const { status, body } = await make(stranger, 'sand', { name })
  expect([status, body.type]).toEqual([400, '/problems/request-invalid'])
})

test('asking for the same again is no new version, whoever asks', async () => {
  await must(make(owner, 'sky'), 201)
  await must(owner.send('post', '/v1/datasets/planets/1/publish'))
  expect((await make(owner, 'sky')).status).toBe(200)
  // From then on it has readers of its own.
  await expectTaken(make(reader, 'sky'))
  const grant = [{ principal: reader.principal, privilege: 'select' }]
  await must(owner.send('post', '/v1/tables/moraine$datasets.planets_v1/permissions', { grant }))
  expect((await make(reader, 'sky')).status).toBe(200)
})

/** A table with so many columns that responses are longer than what is kept word for word. */
async function widen(): Promise<void> {
  const wide = Array.from({ length: 700 }, (_, i) => ({ name: 'c'.repeat(90) + i, type: 'int' }))
  const changes = wide.map((column) => ({ op: 'add', column }))
  await must(owner.send('post', '/v1/tables/sky.planets/schemas', { changes }))
  await add(owner, 'sky')
}

function once(): Promise<Response> {
  const headers = {
    ...{ Authorization: `Bearer ${owner.key}`, 'Content-Type': 'application/json' },
    'Idempotency-Key': 'once',
  }
  const body = JSON.stringify({ name: 'planets', source: { table: 'sky.planets' } })
  return fetch(`${service.url}/v1/datasets`, { method: 'POST', headers, body })
}

test('a request that is sent again is answered with the version that it made', async () => {
  await widen()
  const first = await once()
  const text = await first.text()
  expect([first.status, text.length > 65_536]).toEqual([201, true])
  await add(owner, 'sky')
  expect((await must(make(owner, 'sky'), 201)).version).toBe(2)
  const again = await once()
  expect([again.status, JSON.parse(await again.text()).version]).toEqual([201, 1])
})

test('or with the one that it found, and with no other that was made since', async () => {
  await widen()
  await must(make(owner, 'sky'), 201)
  const first = await once()
  expect([first.status, JSON.parse(await first.text()).version]).toEqual([200, 1])
  await must(owner.send('delete', '/v1/datasets/planets/1'))
  expect((await must(make(owner, 'sky'), 201)).version).toBe(2)
  const again = await once()
  expect(JSON.parse(await again.text())).toMatchObject({ version: 1, state: 'expired' })
})

test('one that came upon another at the last moment is told when that is gone', async () => {
  await widen()
  const { datasets } = service.deps.catalog
  const find = datasets.find.bind(datasets)
  datasets.find = async (key) => {
    const found = await find(key)
    if (!('identity' in key)) return found
    datasets.find = find
    await must(make(owner, 'sky'), 201)
    return found
  }
  const first = await once()
  expect([first.status, JSON.parse(await first.text()).version]).toEqual([200, 1])
  await must(owner.send('delete', '/v1/datasets/planets/1'))
  await add(owner, 'sky')
  expect((await must(make(owner, 'sky'), 201)).version).toBe(2)
  const again = await once()
  const { type } = JSON.parse(await again.text())
  expect([again.status, type]).toEqual([410, '/problems/dataset-gone'])
})

test('its owner corrects the texts, which its documents then have, and nobody else', async () => {
  await must(make(owner, 'sky', { title: 'Plants', license: 'MIT' }), 201)
  const at = '/v1/datasets/planets/1'
  const texts = { title: 'Planets', license: null, keywords: ['sky'] }
  expect((await reader.send('patch', at, texts)).status).toBe(403)
  expect((await stranger.send('patch', at, texts)).status).toBe(404)
  const corrected = await must(owner.send('patch', at, texts))
  expect(corrected).toMatchObject({ ...texts, name: 'planets', version: 1, rows: 2 })
  const { text } = await owner.send('get', `${at}/citation?style=text`)
  expect([text.includes('Planets'), text.includes('Plants')]).toEqual([true, false])
  const data = await must(owner.send('get', `${at}/datacite.json`))
  expect(JSON.stringify(data)).toContain('Planets')
  for (const bad of [{}, { rows: 1 }, { title: '' }, { creators: null }]) {
    expect((await owner.send('patch', at, bad)).status).toBe(400)
  }
  let rows: Json = []
  while (rows.length === 0) {
    const audit = await service.admin.send('get', '/v1/audit-logs?action=dataset.changed')
    rows = audit.body.audit_logs
  }
  expect(rows[0]).toMatchObject({
    ...{ principal: owner.principal, before: { title: 'Plants' }, after: { title: 'Planets' } },
  })
  await must(owner.send('delete', at))
  expect((await owner.send('patch', at, texts)).status).toBe(410)
})
