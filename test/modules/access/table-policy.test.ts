import type { Route } from '../../../src/http/route.ts'
import { documentedDialects } from '../../../src/modules.ts'
import { ask, must } from '../../http/client.ts'
import { type Expected, ids } from '../asked-permissions.ts'
import { ALL_EXPECTED } from '../asked-permissions-all.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const TABLE = '/v1/tables/sky.planets'
const POLICY = `${TABLE}/policy`
/** Dumps have what is left, and so have queries. */
const FILTERED = ['ckanDump', 'query', 'estimateQuery']
/** What shows or changes rows, files or statistics asks for one of these. */
const WITHHELD = /^(?:select|modify|own) table (?:sky\.planets|[\da-f-]{36})$/
const ROUTES: readonly (readonly [string, Route])[] = documentedDialects()
  .flatMap(({ routes }) => routes.map((route) => [route.operationId, route] as const))
  .filter(([id, { permission }]) => {
    const isFiltered = typeof permission === 'object' && permission.rows === 'filtered'
    if (isFiltered || FILTERED.includes(id)) return false
    const { asks } = ALL_EXPECTED[id] as Expected
    return (typeof asks === 'function' ? asks() : asks).some((asked) => WITHHELD.test(asked))
  })

let service: KeyedService
let owner: Caller

beforeAll(async () => {
  service = await startKeyedService()
  const { admin } = service
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  await must(admin.send('post', '/v1/tables', { name: 'planets', namespace: 'sky', schema }), 201)
  ids.tableUuid = (await must(admin.send('get', TABLE))).table_id
  owner = await service.newCaller({ '/v1/namespaces/sky': ['own'] })
})
afterAll(() => service.close())

function restrict(except: readonly string[] = []) {
  return must(service.admin.send('put', POLICY, { row_filter: 'id > 1', except }))
}

describe('a policy on a table', () => {
  test.each(ROUTES)('withholds it from its owner: %s', async (id, { method }) => {
    await restrict()
    for (const name of ['open', 'staged', 'aborted'] as const) {
      ids[name] = (await must(owner.send('post', '/v1/transactions/start', {}), 201)).transaction_id
    }
    const { path, json } = ALL_EXPECTED[id] as Expected
    const filled = path.replace(/\{(\w+)\}/, (_, name) => ids[name as keyof typeof ids])
    const sent = typeof json === 'function' ? json() : json
    const { status, text } = await owner.send(method, filled, sent)
    expect([status, text]).toEqual([403, text])
    if (method !== 'head') expect(text).toMatch(/table-restricted|policy withholds/)
  })

  test('does not hold for whom it excepts, also by a role, from the next request on', async () => {
    const { admin } = service
    await restrict([owner.principal])
    const authorization = { Authorization: `Bearer ${owner.key}` }
    const first = await ask(service, TABLE, { headers: authorization })
    const held = { ...authorization, 'If-None-Match': first.headers.get('etag') ?? '*' }
    await restrict()
    expect([first.status, (await ask(service, TABLE, { headers: held })).status]).toEqual([
      200, 403,
    ])
    expect((await admin.send('get', TABLE)).status).toBe(403)
    await must(admin.send('post', '/v1/roles/staff/members', { add: [owner.principal] }))
    await restrict(['role:staff'])
    await must(owner.send('get', TABLE))
    expect((await owner.send('get', POLICY)).body).toEqual({
      row_filter: 'id > 1',
      columns: [],
      except: ['role:staff'],
      trusted_engines: [],
    })
    await must(admin.send('delete', POLICY))
    await must(admin.send('get', TABLE))
    expect((await admin.send('get', POLICY)).body).toEqual({
      ...{ row_filter: null, columns: [], except: [], trusted_engines: [] },
    })
  })

  test('holds after a renaming, and cannot be got round by a path of a file', async () => {
    const { admin } = service
    await restrict([owner.principal])
    await must(owner.send('post', `${TABLE}/rename`, { name: 'worlds' }))
    expect((await admin.send('get', '/v1/tables/sky.worlds')).status).toBe(403)
    const { location } = await must(owner.send('get', '/v1/tables/sky.worlds'))
    const inferring = { name: 'copy', namespace: 'sky', infer_from: `${location}/data/x.parquet` }
    const refused = await admin.send('post', '/v1/tables', inferring)
    expect([refused.status, refused.body.type]).toEqual([403, '/problems/path-not-readable'])
    await must(admin.send('delete', '/v1/tables/sky.worlds/policy'))
    await must(owner.send('post', '/v1/tables/sky.worlds/rename', { name: 'planets' }))
  })

  test('is refused unless its filter holds for the schema', async () => {
    for (const filter of ['nothing = 1', 'id >', "id = 'x'"]) {
      const { status, body } = await service.admin.send('put', POLICY, { row_filter: filter })
      expect([filter, status, body.type]).toEqual([filter, 400, '/problems/filter-invalid'])
    }
  })
})
