import { createHash } from 'node:crypto'
import { QueryLimits } from '../../../src/modules/rows/limits/query-limits.ts'
import { type Answer, ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { addFile, makeTable, rows } from '../dumps/http/dump-lab.ts'

const DAY_MS = 86_400_000
const clock = { aheadMs: 0 }
let service: TestService
beforeAll(async () => {
  service = await startTestService({ ambient: { nowMs: () => Date.now() + clock.aheadMs } })
})
afterAll(() => service.close())
beforeEach(() => {
  clock.aheadMs = 0
})

async function make(wish: object, status = 201): Promise<Json> {
  return must(post(service, '/v1/datasets', wish), status)
}

function get(path: string): Promise<Answer> {
  return ask(service, path)
}

const SET = { action: 'set-properties', updates: { a: 'b' } }
const CSV = 'download?format=csv'

test('a dataset has the rows of its snapshot, whatever becomes of the table', async () => {
  const [first] = await makeTable(service, 'sky', [rows(3)])
  const dataset = await make({ name: 'stars', source: { table: 'sky' }, title: 'Stars' })
  expect(dataset).toMatchObject({
    ...{ name: 'stars', version: 1, url: '/v1/datasets/stars/1', state: 'ready', rows: 3 },
    ...{ title: 'Stars', query: null, table: 'moraine$datasets.stars_v1', files: 1 },
    source: { table: 'default.sky', snapshot_id: first },
    columns: [{ name: 'id', type: 'long' }, { name: 'name' }, { name: 'x' }],
  })
  const before = await get(`/v1/datasets/stars/${CSV}`)
  await addFile(service, 'sky', rows(2, 3))
  const purged = await must(ask(service, '/v1/tables/sky?purge=now', { method: 'DELETE' }))
  expect(purged.held_by).toMatchObject([{ name: 'moraine$datasets.stars_v1' }])
  const after = await get(`/v1/datasets/stars/1/${CSV}`)
  expect(after.text).toBe('id,name,x\n0,name 0,0.0\n1,name 1,1.5\n2,name 2,3.0\n')
  expect(after.text).toBe(before.text)
  const digest = createHash('sha256').update(after.text).digest('base64')
  expect((await get(`/v1/datasets/stars/${CSV}`)).headers.get('repr-digest')).toContain(digest)
})

test('asked twice it is one, also by many at once', async () => {
  await makeTable(service, 'twice', [rows(1)])
  const wish = { source: { table: 'twice' } }
  const asked = await Promise.all(
    Array.from({ length: 8 }, () => post(service, '/v1/datasets', wish)),
  )
  expect(asked.map(({ status }) => status).sort()).toEqual([...Array(7).fill(200), 201])
  expect(new Set(asked.map(({ body }) => body.url)).size).toBe(1)
  const named = await make({ ...wish, name: 'two' })
  expect(named.url).toBe('/v1/datasets/two/1')
  expect((await make({ ...wish, name: 'Two' }, 200)).url).toBe('/v1/datasets/two/1')
})

test('a name that is taken gets another version, and the newest is read without one', async () => {
  const [first = '', second = ''] = await makeTable(service, 'growing', [rows(1), rows(1, 1)])
  const of = (snapshot_id: string) => ({ name: 'grown', source: { table: 'growing', snapshot_id } })
  await make(of(first))
  expect((await make(of(second))).version).toBe(2)
  expect((await must(get('/v1/datasets/grown'))).source.snapshot_id).toBe(second)
  const { versions } = await must(get('/v1/datasets/grown/versions'))
  expect(versions.map(({ version }: Json) => version)).toEqual([2, 1])
  expect((await get(`/v1/datasets/grown/1/${CSV}`)).text.split('\n')).toHaveLength(3)
  for (const path of ['/v1/datasets/grown/3', '/v1/datasets/grown/x', '/v1/datasets/none']) {
    expect((await get(path)).body.type).toBe('/problems/dataset-not-found')
  }
})

test('its hidden table is loaded by name on both faces, and is in no list', async () => {
  await makeTable(service, 'seen', [rows(2)])
  await make({ name: 'hidden', source: { table: 'seen' } })
  const hidden = await must(get('/v1/tables/moraine$datasets.hidden_v1'))
  expect(hidden.totals).toMatchObject({ records: 2 })
  const loaded = await must(get('/iceberg/v1/namespaces/moraine$datasets/tables/hidden_v1'))
  expect(loaded.metadata['table-uuid']).toBe(hidden.table_id)
  expect(await must(get('/iceberg/v1/namespaces/moraine$datasets/tables'))).toMatchObject({
    identifiers: [],
  })
  for (const path of ['/v1/tables', '/v1/namespaces', '/iceberg/v1/namespaces', '/metrics']) {
    expect((await get(path)).text).not.toContain('moraine$datasets')
  }
})

describe('what its hidden table has is never changed', () => {
  beforeAll(async () => {
    await makeTable(service, 'firm', [rows(1)])
    await make({ name: 'firm', source: { table: 'firm' } })
  })
  const TABLE = '/v1/tables/moraine$datasets.firm_v1'
  const REST = '/iceberg/v1/namespaces/moraine$datasets'
  const columns = [{ name: 'n', type: 'long' }]
  const rename = { source: { namespace: ['moraine$datasets'], name: 'firm_v1' } }
  const schema = { type: 'struct', fields: [] }

  test.each<[string, string, object | undefined]>([
    ['POST', `${TABLE}/metadata`, { description: 'mine' }],
    ['POST', `${TABLE}/rename`, { name: 'mine', namespace: 'default' }],
    ['POST', `${TABLE}/files/truncate`, {}],
    ['POST', `${TABLE}/schemas`, { changes: [{ op: 'drop', name: 'x' }] }],
    ['PUT', `${TABLE}/refs/mine`, { type: 'tag' }],
    ['DELETE', TABLE, undefined],
    ['DELETE', `${TABLE}?purge=now`, undefined],
    ['POST', '/v1/tables', { name: 'mine', namespace: 'moraine$datasets', schema: { columns } }],
    ['POST', '/v1/tables/firm/clone', { name: 'mine', namespace: 'moraine$datasets' }],
    ['POST', '/v1/tables/firm/rename', { name: 'mine', namespace: 'moraine$datasets' }],
    ['DELETE', '/v1/namespaces/moraine$datasets', undefined],
    ['POST', `${REST}/tables`, { name: 'mine', schema }],
    ['POST', `${REST}/tables/firm_v1`, { requirements: [], updates: [SET] }],
    ['POST', `${REST}/properties`, { updates: { a: 'b' } }],
    ['DELETE', REST, undefined],
    ['DELETE', `${REST}/tables/firm_v1`, undefined],
    ['DELETE', `${REST}/tables/firm_v1?purgeRequested=true`, undefined],
    ['POST', '/iceberg/v1/namespaces', { namespace: ['moraine$datasets', 'below'] }],
    [
      ...(['POST', '/iceberg/v1/tables/rename'] as const),
      { ...rename, destination: { namespace: ['default'], name: 'mine' } },
    ],
  ])('%s %s', async (method, path, json) => {
    const { status, text, body } = await ask(service, path, { method, json })
    expect([status, text]).toEqual([403, text])
    if (!path.startsWith('/iceberg')) expect(body.type).toBe('/problems/dataset-immutable')
    expect((await get(`/v1/datasets/firm/${CSV}`)).text).toBe('id,name,x\n0,name 0,0.0\n')
  })
})

test('after its time it is gone, with its card, and may be asked for again', async () => {
  await makeTable(service, 'short', [rows(1)])
  const wish = { name: 'brief', source: { table: 'short' }, title: 'Brief', ttl_seconds: 60 }
  const { expires_at: expiresAt, created_at: createdAt } = await make(wish)
  expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(60_000)
  clock.aheadMs = 61_000
  for (const path of ['/v1/datasets/brief', '/v1/datasets/brief/1', `/v1/datasets/brief/${CSV}`]) {
    const { status, body } = await get(path)
    expect([status, body.card.title, body.card.state]).toEqual([410, 'Brief', 'expired'])
  }
  expect((await must(get('/v1/datasets/brief/status'))).state).toBe('expired')
  const { datasets } = await must(get('/v1/datasets?page_size=1000'))
  expect(datasets.map(({ name }: Json) => name)).not.toContain('brief')
  expect((await make(wish)).version).toBe(2)
  expect((await must(get('/v1/datasets/brief'))).version).toBe(2)
})

test('a download that began in its time is finished after it', async () => {
  await makeTable(service, 'slow', [rows(200_000)])
  const { url } = await make({ name: 'slow', source: { table: 'slow' }, ttl_seconds: 60 })
  const response = await fetch(`${service.url}${url}/${CSV}`)
  clock.aheadMs = 3_600_000
  await endExpired()
  // Its files, too, are there until nobody can be reading them any more, but nobody begins to.
  const hidden = { namespace: ['moraine$datasets'], name: 'slow_v1' }
  const { tables } = service.deps.catalog
  const [tableUuid] = [(await tables.find(hidden))?.definition.tableUuid]
  expect(tableUuid).toBeDefined()
  const named = '/v1/tables/moraine$datasets.slow_v1'
  const readings = [named, `${named}/rows`, `${named}/dump`, `/v1/tables/${tableUuid}/dump`]
  const loading = '/iceberg/v1/namespaces/moraine$datasets/tables/slow_v1'
  for (const path of [...readings, loading]) expect((await get(path)).status).toBe(404)
  const sql = 'SELECT * FROM "moraine$datasets".slow_v1'
  expect((await post(service, '/v1/query', { sql })).status).toBe(404)
  expect((await response.text()).split('\n')).toHaveLength(200_002)
  expect((await get(`${url}/${CSV}`)).status).toBe(410)
  clock.aheadMs = 2 * DAY_MS
  await endExpired()
  expect(await tables.find(hidden)).toBeUndefined()
})

async function endExpired(): Promise<void> {
  const { datasetsModule } = await import('../../../src/modules/datasets/http/datasets-module.ts')
  const dumpService = () => {
    throw new Error('nothing is downloaded')
  }
  const { tasks = [] } = datasetsModule({
    ...service.deps,
    dumpService,
    limits: new QueryLimits(service.deps),
  })
  for (const task of tasks) await task.run(new AbortController().signal)
}

test('one that is published stays, and may be deleted by its owner; the card is left', async () => {
  await makeTable(service, 'cited', [rows(2)])
  const { url } = await make({ name: 'cited', source: { table: 'cited' }, ttl_seconds: 60 })
  const published = await must(post(service, `${url}/publish`, {}))
  expect(published).toMatchObject({ state: 'ready', expires_at: null })
  expect(published.published_at).not.toBeNull()
  clock.aheadMs = 400 * DAY_MS
  expect(await must(post(service, '/v1/datasets/cited/publish', {}))).toEqual(published)
  await must(ask(service, '/v1/tables/cited?purge=now', { method: 'DELETE' }))
  expect((await get(`${url}/${CSV}`)).text.split('\n')).toHaveLength(4)
  const ended = await must(ask(service, `${url}?confirm=cited`, { method: 'DELETE' }))
  expect(ended.state).toBe('expired')
  expect((await get(url)).body.card).toMatchObject({ name: 'cited', rows: 2, version: 1 })
  expect((await ask(service, url, { method: 'DELETE' })).status).toBe(410)
})

test('a table without a snapshot, or not at that time, has no dataset', async () => {
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  await must(post(service, '/v1/tables', { name: 'empty', schema }), 201)
  const none = await post(service, '/v1/datasets', { source: { table: 'empty' } })
  expect([none.status, none.body.type]).toEqual([404, '/problems/snapshot-not-found'])
  const early = { source: { table: 'empty', as_at: '2001' } }
  expect((await post(service, '/v1/datasets', early)).status).toBe(404)
  const both = { source: { table: 'empty', as_at: '2001', ref: 'main' } }
  expect((await post(service, '/v1/datasets', both)).status).toBe(400)
})

test('nothing is staged in the namespace of datasets, either', async () => {
  const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }
  for (const staged of [{ 'stage-create': true }, {}]) {
    const { status, body } = await post(service, '/iceberg/v1/namespaces/moraine$datasets/tables', {
      ...{ name: 'mine', schema, ...staged },
    })
    expect([status, body.error.type]).toEqual([403, 'ForbiddenException'])
  }
})
