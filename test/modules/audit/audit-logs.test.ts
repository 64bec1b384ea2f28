import { ask, type Json, must } from '../../http/client.ts'
import { startTestService } from '../../http/harness.ts'
import { type Caller, type KeyedService, startKeyedService } from '../access/keyed-service.ts'
import { untilAudited } from './until-audited.ts'

const SCHEMA = { columns: [{ name: 'id', type: 'long' }] }
const TABLE = '/v1/tables/sky.planets'
const ICEBERG = '/iceberg/v1/namespaces/sky/tables/planets'

let service: KeyedService
let owner: Caller
let stranger: Caller
let tableId: string

beforeAll(async () => {
  service = await startKeyedService({ MORAINE_TRUST_PROXY: '127.0.0.0/8' })
  const { admin } = service
  const table = { name: 'planets', namespace: 'sky', schema: SCHEMA }
  tableId = (await must(admin.send('post', '/v1/tables', table), 201)).table_id
  owner = await service.newCaller({ '/v1/namespaces/sky': ['create'], [TABLE]: ['own'] })
  stranger = await service.newCaller()
})
afterAll(() => service.close())

async function logs(path: string, caller = service.admin): Promise<readonly Json[]> {
  await untilAudited(service)
  return (await must(caller.send('get', path))).audit_logs
}

const told = ({ principal, action, decision, status, target }: Json) =>
  [principal, action, decision, status, target.kind, target.id, target.name].join(' ')

describe('the audit of a table', () => {
  test('has its changes, from where they came, before and after', async () => {
    const headers = {
      ...{ Authorization: `Bearer ${owner.key}`, 'X-Request-Id': 'rename-1' },
      ...{ 'X-Forwarded-For': '198.51.100.9, 203.0.113.7', 'X-Forwarded-Proto': 'https' },
    }
    const renamed = { method: 'POST', json: { name: 'worlds' }, headers }
    await must(ask(service, `${TABLE}/rename`, renamed))
    await must(owner.send('post', '/v1/tables/sky.worlds/rename', { name: 'planets' }))
    const grant = [{ principal: stranger.principal, privilege: 'describe' }]
    await must(owner.send('post', `${TABLE}/permissions`, { grant }))
    const found = await logs(`${TABLE}/audit-logs`, owner)
    expect(found.map(told)).toEqual([
      `${owner.principal} permissions.changed allowed  permissions ${tableId} sky.planets`,
      `${owner.principal} table.renamed allowed  table ${tableId} sky.planets`,
      `${owner.principal} table.renamed allowed  table ${tableId} sky.worlds`,
      `${service.admin.principal} permissions.changed allowed  permissions ${tableId} sky.planets`,
      `${service.admin.principal} table.created allowed  table ${tableId} sky.planets`,
    ])
    const [granted, , rename, , created] = found
    expect(rename).toMatchObject({
      ...{ request_id: 'rename-1', address: '203.0.113.7', count: 1, status: null },
      before: { version: 0, namespace: ['sky'], name: 'planets' },
      after: { version: 1, namespace: ['sky'], name: 'worlds' },
    })
    expect(granted.after.granted).toEqual(grant)
    expect(created).toMatchObject({ before: null, after: { name: 'planets' } })
    expect(created.address).toMatch(/127\.0\.0\.1$/)
  })

  test('has a read by SQL, in whichever place the text names the table, once', async () => {
    const moons = { name: 'moons', namespace: 'sky', schema: SCHEMA }
    await must(owner.send('post', '/v1/tables', moons), 201)
    const sql =
      'SELECT count(*) AS n FROM sky.planets p, sky.moons m, sky.planets q ' +
      'WHERE p.id = m.id AND q.id = m.id'
    await must(owner.send('post', '/v1/query', { sql }))
    for (const path of [TABLE, '/v1/tables/sky.moons']) {
      const found = await logs(`${path}/audit-logs?action=query`)
      expect(found.map(({ principal }) => principal)).toEqual([owner.principal])
    }
  })

  test('has reads of what is in it, and refusals by each of their statuses', async () => {
    const unknown = await service.newCaller()
    await must(owner.send('get', TABLE))
    await must(owner.send('get', ICEBERG))
    expect((await stranger.send('get', TABLE)).status).toBe(403)
    expect((await unknown.send('get', TABLE)).status).toBe(404)
    expect((await service.nobody.send('get', ICEBERG)).status).toBe(401)
    const forged = { Authorization: `Bearer mor_${'a'.repeat(12)}_${'b'.repeat(49)}` }
    expect((await ask(service, `/v1/tables/${tableId}`, { headers: forged })).status).toBe(401)
    // What only tells that it exists is no read.
    await must(owner.send('get', `${TABLE}/snapshots`))
    const all = await logs('/v1/audit-logs?page_size=1000')
    const found = all.map(told).slice(0, 5).reverse()
    expect(found).toEqual([
      `${owner.principal} icebergLoadTable allowed 200 table ${tableId} sky.planets`,
      `${stranger.principal} readTable denied 403 table ${tableId} sky.planets`,
      `${unknown.principal} readTable hidden 404 table ${tableId} sky.planets`,
      `anonymous icebergLoadTable unauthenticated 401 table ${tableId} sky.planets`,
      'anonymous readTable unauthenticated 401 catalog  ',
    ])
    const ofTable = await logs(`/v1/tables/${tableId}/audit-logs?principal=${stranger.principal}`)
    expect(ofTable.map(told)).toEqual([found[1]])
    expect(ofTable[0].path).toBe(TABLE)
  })

  test('has the path of what was read, and no query', async () => {
    await must(owner.send('get', `${TABLE}/dump?format=csv&bom=true`))
    const [read] = await logs(`${TABLE}/audit-logs?action=dumpTable`)
    expect(read.path).toBe(`${TABLE}/dump`)
    expect(JSON.stringify(read)).not.toContain('bom')
    const paths = [`${TABLE}/rows`, `${TABLE}/rows?limit=1`]
    for (const path of paths) await must(owner.send('get', path))
    const rows = await logs(`${TABLE}/audit-logs?action=readRows`)
    expect(rows.map(({ path }) => path)).toEqual([`${TABLE}/rows`, `${TABLE}/rows`])
  })

  test('is for its owner, and that of everything for an administrator', async () => {
    expect((await stranger.send('get', `${TABLE}/audit-logs`)).status).toBe(403)
    expect((await owner.send('get', '/v1/audit-logs')).status).toBe(403)
    expect((await owner.send('get', '/v1/usage')).status).toBe(403)
    const refused = await logs('/v1/audit-logs?action=listAuditLogs')
    expect(refused.map(told)).toEqual([
      `${owner.principal} listAuditLogs denied 403 catalog catalog `,
    ])
  })

  test('is asked for by whatever action a row may have', async () => {
    for (const action of ['audit.lost', 'trace', 'propfind', 'm-search', 'get']) {
      const found = await service.admin.send('get', `/v1/audit-logs?action=${action}`)
      expect([action, found.status]).toEqual([action, 200])
    }
    for (const action of ['audit.lots', 'TRACE', 'tracer']) {
      const found = await service.admin.send('get', `/v1/audit-logs?action=${action}`)
      expect([action, found.status]).toEqual([action, 400])
    }
  })

  test('comes in pages, as JSON and as NDJSON, and by time', async () => {
    const whole = await logs('/v1/audit-logs?page_size=1000')
    const paged: Json[] = []
    const lines: Json[] = []
    let token = ''
    do {
      const path = `/v1/audit-logs?page_size=3${token === '' ? '' : `&page_token=${token}`}`
      const headers = { Authorization: `Bearer ${service.admin.key}` }
      const asLines = await ask(service, path, {
        headers: { ...headers, Accept: 'application/x-ndjson' },
      })
      const body = await must(service.admin.send('get', path))
      paged.push(...body.audit_logs)
      lines.push(
        ...asLines.text
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line)),
      )
      token = body.next_page_token ?? ''
      expect(asLines.headers.get('next-page-token') ?? '').toBe(token)
    } while (token !== '')
    expect(paged).toEqual(whole)
    expect(lines).toEqual(whole)
    expect(whole.length).toBeGreaterThan(10)
    const { time } = whole[3]
    const later = await logs(`/v1/audit-logs?page_size=1000&from=${time}`)
    expect(later.map(told)).toEqual(whole.filter((log) => log.time >= time).map(told))
    const earlier = await logs(`/v1/audit-logs?page_size=1000&to=${time}`)
    expect(earlier).toEqual(whole.filter((log) => log.time < time))
    const bad = await service.admin.send('get', '/v1/audit-logs?page_token=nonsense')
    expect(bad.body.type).toBe('/problems/page-token-invalid')
  })
})

test('without authentication, callers are anonymous, and views have their audit, too', async () => {
  const open = await startTestService()
  const view = {
    ...{ name: 'bright', namespace: 'sky' },
    queries: [{ dialect: 'duckdb', sql: 'SELECT 1 AS one' }],
    schema: { columns: [{ name: 'one', type: 'long' }] },
  }
  await must(ask(open, '/v1/views', { method: 'POST', json: view }), 201)
  await must(ask(open, '/v1/views/sky.bright'))
  const elsewhere = { method: 'DELETE', headers: { Origin: 'https://evil.example' } }
  expect((await ask(open, '/v1/views/sky.bright', elsewhere)).status).toBe(403)
  await untilAudited(open)
  const ofView = (await must(ask(open, '/v1/views/sky.bright/audit-logs'))).audit_logs
  const short = ofView.map(({ principal, action }: Json) => `${principal} ${action}`)
  expect(short).toEqual(['anonymous getView', 'anonymous view.created'])
  const { audit_logs: all } = await must(ask(open, '/v1/audit-logs?page_size=1'))
  expect(told(all[0])).toBe('anonymous delete denied 403 catalog  ')
  expect((await ask(open, '/v1/views/sky.none/audit-logs')).status).toBe(404)
  await must(ask(open, '/v1/namespaces', { method: 'POST', json: { name: 'sea' } }), 201)
  await must(ask(open, '/v1/namespaces/sea', { method: 'DELETE' }))
  await untilAudited(open)
  const dropped = '/v1/audit-logs?action=namespace.dropped'
  const [drop] = (await must(ask(open, dropped))).audit_logs
  expect(drop.before).not.toHaveProperty('version')
  await open.close()
})
