import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { must } from '../../http/client.ts'
import { writeParquet } from '../../parquet-files.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const ROWS = 2_000_000
const TABLE = '/v1/tables/long.t'
const DUMP = `${TABLE}/dump?format=ndjson`

let service: KeyedService
beforeAll(async () => {
  service = await startKeyedService()
  const { admin, dataFolder } = service
  const path = join(dataFolder, 'long.parquet')
  await writeParquet(path, `SELECT i AS id, 'row ' || i AS text FROM range(${ROWS}) t(i)`)
  const table = { name: 't', namespace: 'long', infer_from: path }
  await must(admin.send('post', '/v1/tables', table), 201)
  await must(admin.send('post', `${TABLE}/files`, { files: [{ path }] }))
  // Once made, its digest is known before its bytes are sent.
  await (await get(admin, DUMP)).arrayBuffer()
})
afterAll(() => service.close())

const get = ({ key }: Caller, path: string, headers: Readonly<Record<string, string>> = {}) =>
  fetch(`${service.url}${path}`, { headers: { Authorization: `Bearer ${key}`, ...headers } })

const change = (path: string, how: 'grant' | 'revoke', principal: string, privilege: string) =>
  must(service.admin.send('post', `${path}/permissions`, { [how]: [{ principal, privilege }] }))

/** The dump of a caller, of whose bytes the most are not yet on their way. */
async function begunDump(caller: Caller) {
  const response = await get(caller, DUMP)
  const etag = response.headers.get('etag') ?? ''
  const body = response.body?.getReader()
  if (response.status !== 200 || body === undefined) throw new Error(await response.text())
  const digest = createHash('sha256')
  const first = await body.read()
  digest.update(first.value ?? '')
  const rest = async () => {
    let bytes = first.value?.length ?? 0
    for (let next = await body.read(); !next.done; next = await body.read()) {
      digest.update(next.value)
      bytes += next.value.length
    }
    return { bytes, digest: `sha-256=:${digest.digest('base64')}:` }
  }
  return { etag, told: response.headers.get('repr-digest'), rest }
}

test('who loses a right has what was begun, whole, and nothing that is asked after', async () => {
  const bob = await service.newCaller({ [TABLE]: ['select'] })
  const { etag, told, rest } = await begunDump(bob)
  await change(TABLE, 'revoke', bob.principal, 'select')
  for (const headers of [{}, { Range: 'bytes=1000-', 'If-Range': etag }, { 'If-Match': etag }]) {
    const again = await get(bob, DUMP, headers)
    expect([again.status, again.headers.get('etag')]).toEqual([404, null])
    await again.arrayBuffer()
  }
  const { bytes, digest } = await rest()
  expect(bytes).toBeGreaterThan(20_000_000)
  expect(digest).toBe(told)
})

test('what a policy takes away is in no part of a download that is resumed', async () => {
  const bob = await service.newCaller({ [TABLE]: ['select'] })
  const { etag, told, rest } = await begunDump(bob)
  await must(service.admin.send('put', `${TABLE}/policy`, { row_filter: 'id < 3' }))
  try {
    const beyond = { Range: 'bytes=100000-', 'If-Range': etag }
    const resumed = await get(bob, DUMP, beyond)
    // Whole, of the new representation: three rows.
    expect([resumed.status, (await resumed.text()).split('\n').length]).toEqual([200, 4])
    expect((await get(bob, DUMP, { 'If-Match': etag })).status).toBe(412)
  } finally {
    await must(service.admin.send('delete', `${TABLE}/policy`))
  }
  expect((await rest()).digest).toBe(told)
})

test('a grant to a role that was dropped gives its former members nothing', async () => {
  const { admin } = service
  const [bob, eve] = [await service.newCaller(), await service.newCaller()]
  const members = (add: readonly Caller[]) =>
    must(
      admin.send('post', '/v1/roles/gone/members', { add: add.map(({ principal }) => principal) }),
    )
  await members([bob])
  await change('/v1/namespaces/long', 'grant', 'role:gone', 'own')
  await must(bob.send('get', TABLE))
  await must(admin.send('delete', '/v1/roles/gone'))
  const grant = [{ principal: 'role:gone', privilege: 'select' }]
  const refused = await admin.send('post', `${TABLE}/permissions`, { grant })
  expect([refused.status, refused.body.type]).toEqual([404, '/problems/role-not-found'])
  expect((await bob.send('get', TABLE)).status).toBe(404)
  await members([eve])
  await change(TABLE, 'grant', 'role:gone', 'select')
  expect((await bob.send('get', TABLE)).status).toBe(404)
  // Of the new role of that name: what it was granted since.
  await must(eve.send('get', TABLE))
  expect((await eve.send('delete', TABLE)).status).toBe(403)
})

test('a table whose owner is gone stays for those who have rights on it', async () => {
  const { admin } = service
  const owner = await service.newCaller({ '/v1': ['create'] })
  const columns = [{ name: 'n', type: 'long' }]
  await must(
    owner.send('post', '/v1/tables', { name: 'left', namespace: 'long', schema: { columns } }),
    201,
  )
  const reader = await service.newCaller({ '/v1/tables/long.left': ['select'] })
  await must(admin.send('delete', `/v1/keys/${owner.principal.slice('key:'.length)}`))
  expect((await owner.send('get', '/v1/tables/long.left')).status).toBe(401)
  await must(reader.send('get', '/v1/tables/long.left'))
  // Nobody inherits: neither a new key nor who reads.
  const next = await service.newCaller({ '/v1': ['create'] })
  expect((await next.send('get', '/v1/tables/long.left')).status).toBe(404)
  expect((await reader.send('delete', '/v1/tables/long.left')).status).toBe(403)
  await change('/v1/tables/long.left', 'grant', next.principal, 'own')
  await must(next.send('delete', '/v1/tables/long.left'))
})
