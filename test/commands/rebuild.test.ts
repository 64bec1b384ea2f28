import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deleteCatalog } from '../catalog/deleted-catalog.ts'
import { buildService, endServices, KillableService, runToEnd } from '../crash/killable-service.ts'

let home: string
let services: KillableService[] = []
beforeAll(buildService)
afterAll(endServices)
beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'moraine-rebuild-')))
})
afterEach(async () => {
  for (const service of services) await service.kill()
  services = []
  await rm(home, { recursive: true, force: true })
})

async function serve(): Promise<string> {
  const service = await KillableService.start({ MORAINE_HOME: home })
  services.push(service)
  return service.url
}

async function stopAll(): Promise<void> {
  for (const service of services) await service.kill('SIGTERM')
  services = []
}

const rebuild = () => runToEnd(['rebuild'], { MORAINE_HOME: home })

async function loseCatalog(): Promise<void> {
  await stopAll()
  await deleteCatalog(home)
}

async function call(url: string, method = 'GET', body?: unknown): Promise<unknown> {
  const headers = { 'Content-Type': 'application/json' }
  const reply = await fetch(url, {
    method,
    ...(body !== undefined && { headers, body: JSON.stringify(body) }),
  })
  const said = await reply.text()
  expect([method, url, reply.status < 300, said]).toEqual([method, url, true, said])
  return said === '' ? undefined : JSON.parse(said)
}

const columns = [{ name: 'n', type: 'long' }]
const queries = [{ dialect: 'duckdb', sql: 'SELECT 1' }]

/** Tables, views, nested namespaces, a tag, a branch, an open transaction, and dropped ones. */
async function fill(url: string): Promise<void> {
  const namespaces = `${url}/iceberg/v1/namespaces`
  const properties = { owner: 'me', 'a key': 'ü' }
  await call(namespaces, 'POST', { namespace: ['Sky'], properties })
  await call(namespaces, 'POST', { namespace: ['Sky', 'air'], properties: { deep: 'yes' } })
  await call(namespaces, 'POST', { namespace: ['empty'] })
  await call(namespaces, 'POST', { namespace: ['gone'], properties })
  await call(`${namespaces}/gone`, 'DELETE')
  const change = { updates: { owner: 'you' }, removals: ['a key'] }
  await call(`${namespaces}/Sky/properties`, 'POST', change)

  await call(`${url}/v1/tables`, 'POST', { name: 'a', namespace: 'Sky.air', schema: { columns } })
  const csv = { method: 'POST', headers: { 'Content-Type': 'text/csv' }, body: 'n\n1\n' }
  expect((await fetch(`${url}/v1/tables/Sky.air.a/files`, csv)).status).toBe(201)
  await call(`${url}/v1/tables/Sky.air.a/refs/first`, 'PUT', { type: 'tag' })
  await call(`${url}/v1/tables/Sky.air.a/refs/dev`, 'PUT', { type: 'branch' })
  await call(`${url}/v1/views`, 'POST', { name: 'late', namespace: 'Sky', queries })
  const again = [{ dialect: 'duckdb', sql: 'SELECT 2' }]
  await call(`${url}/v1/views/Sky.late`, 'PUT', { queries: again })
  await call(`${url}/v1/views`, 'POST', { name: 'old', namespace: 'Sky', queries })
  const [source, destination] = [
    { namespace: ['Sky'], name: 'old' },
    { namespace: ['Sky', 'air'], name: 'new' },
  ]
  await call(`${url}/iceberg/v1/views/rename`, 'POST', { source, destination })
  await call(`${url}/v1/views`, 'POST', { name: 'dropped', namespace: 'Sky', queries })
  await call(`${url}/v1/views/Sky.dropped`, 'DELETE')
  await call(`${url}/v1/transactions/start`, 'POST', {})
}

/** Without the two times that rebuild says it does not bring back. */
async function view(url: string): Promise<unknown> {
  const found = (await call(url)) as Record<string, unknown>
  const { created_at: _created, updated_at: _updated, ...rest } = found
  return rest
}

async function seen(url: string): Promise<unknown> {
  const namespaces = `${url}/iceberg/v1/namespaces`
  const table = (await call(`${namespaces}/Sky%1Fair/tables/a`)) as { metadata: object }
  const { 'metadata-log': _log, ...metadata } = table.metadata as Record<string, unknown>
  return {
    roots: await call(namespaces),
    below: await call(`${namespaces}?parent=Sky`),
    sky: await call(`${namespaces}/Sky`),
    air: await call(`${namespaces}/Sky%1Fair`),
    empty: await call(`${namespaces}/empty`),
    table: metadata,
    tags: await call(`${url}/v1/tables/Sky.air.a/refs`),
    views: [await call(`${url}/v1/views?namespace=Sky`), await view(`${url}/v1/views/Sky.late`)],
    renamed: await view(`${url}/v1/views/Sky.air.new`),
  }
}

test('tables, views and namespaces come back as they were, and the rest is told', async () => {
  const url = await serve()
  await fill(url)
  const before = await seen(url)
  await loseCatalog()

  const refused = await runToEnd([], { MORAINE_HOME: home })
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringMatching(/"node \S+main.js rebuild"/),
  ])
  const { code, stdout, stderr } = await rebuild()
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  for (const line of [
    /^registered {2}namespace Sky {2}/m,
    /^registered {2}namespace Sky\.air {2}/m,
    /^registered {2}Sky\.air\.a {2}/m,
    /^registered {2}Sky\.late {2}/m,
    /^registered {2}Sky\.air\.new {2}/m,
    /^not brought back: keys, .* policies .* closed.*; datasets, .* audit .* views/m,
  ]) {
    expect(stdout).toMatch(line)
  }
  expect(stdout).not.toMatch(/gone|^next/m)
  expect(await seen(await serve())).toEqual(before)
  await stopAll()
  const twice = await rebuild()
  expect(twice).toMatchObject({ code: 0, stdout: expect.not.stringContaining('registered') })
}, 60_000)

test('a namespace that cannot be brought back is named, and the exit code is 2', async () => {
  await fill(await serve())
  await loseCatalog()
  const notes = join(home, 'warehouse', '.namespaces')
  for (const name of await readdir(notes)) {
    const path = join(notes, name)
    if ((await readFile(path, 'utf8')).includes('"empty"')) await writeFile(path, '{"levels":')
  }
  const { code, stdout } = await rebuild()
  expect(code).toBe(2)
  expect(stdout).toMatch(/^unreadable {2}namespace {3}.*the note is not JSON$/m)
  expect(stdout).toMatch(/^registered {2}namespace Sky\.air {2}/m)
  expect(stdout).toMatch(/^registered {2}Sky\.air\.a {2}/m)
}, 60_000)

test('a warehouse with nothing but a namespace is not taken for an empty one', async () => {
  const url = await serve()
  const body = { namespace: ['only'], properties: { owner: 'me' } }
  await call(`${url}/iceberg/v1/namespaces`, 'POST', body)
  await loseCatalog()
  const refused = await runToEnd([], { MORAINE_HOME: home })
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringMatching(/"node \S+main.js rebuild"/),
  ])
  expect(await rebuild()).toMatchObject({ code: 0 })
  expect(await call(`${await serve()}/iceberg/v1/namespaces/only`)).toEqual(body)
}, 60_000)

const POLICY = { row_filter: 'n > 1', columns: [{ column: 'n', action: 'mask-to-fixed-value' }] }

/** A service that asks for keys, and how its administrator calls it. */
async function serveKeyed(environment: Record<string, string>) {
  const { stdout } = await runToEnd(['create-admin-key'], environment)
  const headers = { Authorization: `Bearer ${stdout.trim()}` }
  const service = await KillableService.start(environment)
  services.push(service)
  const send = async (path: string, method = 'GET', json?: object) => {
    const type = { 'Content-Type': 'application/json' }
    const said = json && { headers: { ...headers, ...type }, body: JSON.stringify(json) }
    const reply = await fetch(`${service.url}${path}`, { method, headers, ...said })
    return { status: reply.status, text: await reply.text() }
  }
  return { url: service.url, headers, send }
}

/** A table of two rows, and a caller who may read it. */
async function fillKeyed({ url, headers, send }: Awaited<ReturnType<typeof serveKeyed>>) {
  const made = await send('/v1/tables', 'POST', { name: 'a', schema: { columns } })
  expect(made.status).toBe(201)
  const csv = { method: 'POST', headers: { ...headers, 'Content-Type': 'text/csv' } }
  const added = await fetch(`${url}/v1/tables/a/files`, { ...csv, body: 'n\n1\n2\n' })
  expect(added.status).toBe(201)
}

/** A new key that may read everything in the namespace, and what it gets of a table. */
async function newReader({ url, send }: Awaited<ReturnType<typeof serveKeyed>>) {
  const { key, key_id } = JSON.parse((await send('/v1/keys', 'POST', {})).text)
  const grant = [{ principal: `key:${key_id}`, privilege: 'select' }]
  expect((await send('/v1/namespaces/default/permissions', 'POST', { grant })).status).toBe(200)
  return async (path: string) => {
    const reply = await fetch(`${url}${path}`, { headers: { Authorization: `Bearer ${key}` } })
    return { status: reply.status, text: await reply.text() }
  }
}

const READS = ['rows', 'dump?format=csv', 'columns/n/statistics', ''].map((path) => `/${path}`)

test('a table that had a policy comes back closed to everybody until one is set', async () => {
  const environment = { MORAINE_HOME: home, MORAINE_AUTH: 'keys' }
  const first = await serveKeyed(environment)
  await fillKeyed(first)
  expect((await first.send('/v1/tables/a/policy', 'PUT', POLICY)).status).toBe(200)
  const cloned = await first.send('/v1/tables/a/clone', 'POST', { name: 'b' })
  expect(cloned.status).toBe(403)
  const me = JSON.parse((await first.send('/v1/me')).text).principal
  const excepting = { ...POLICY, except: [me] }
  expect((await first.send('/v1/tables/a/policy', 'PUT', excepting)).status).toBe(200)
  for (const name of ['b', 'lifted']) {
    expect((await first.send('/v1/tables/a/clone', 'POST', { name })).status).toBe(201)
  }
  expect((await first.send('/v1/tables/lifted/policy', 'DELETE')).status).toBe(200)
  await loseCatalog()

  const { code, stdout, stderr } = await runToEnd(['rebuild'], environment)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  for (const table of ['a', 'b']) {
    const told = `closed  default.${table}  `
    const [line = ''] = stdout.split('\n').filter((each) => each.startsWith(told))
    expect(JSON.parse(line.slice(line.indexOf('{')))).toEqual({ ...excepting, trusted_engines: [] })
  }
  expect(stdout).not.toContain('closed  default.lifted')
  expect(stdout).toMatch(/\nnext {2}.*create-admin-key.*nobody reads rows of what is closed.*\n$/)
  const again = await serveKeyed(environment)
  const read = await newReader(again)
  for (const table of ['a', 'b']) {
    for (const path of READS) {
      const asked = `/v1/tables/${table}${path}`.replace(/\/$/, '')
      expect([asked, (await read(asked)).status]).toEqual([asked, 403])
      expect([asked, (await again.send(asked)).status]).toEqual([asked, 403])
    }
  }
  expect(await read('/v1/tables/lifted/dump?format=csv')).toEqual({
    status: 200,
    text: 'n\n1\n2\n',
  })
  // It names the columns as before: nothing is to be done but to set it.
  expect((await again.send('/v1/tables/a/policy', 'PUT', POLICY)).status).toBe(200)
  expect(await read('/v1/tables/a/dump?format=csv')).toEqual({ status: 200, text: 'n\n0\n' })
  expect((await again.send('/v1/tables/b/policy', 'DELETE')).status).toBe(200)
  expect(await read('/v1/tables/b/dump?format=csv')).toEqual({ status: 200, text: 'n\n1\n2\n' })
  // What it was is told again when the next catalog is lost, and no more of the other.
  await loseCatalog()
  const third = await runToEnd(['rebuild'], environment)
  expect(third.stdout.match(/^closed {2}\S+/gm)).toEqual(['closed  default.a'])
}, 120_000)

test('what a rebuild closed stays so in the next one, with the policy that it had', async () => {
  const environment = { MORAINE_HOME: home, MORAINE_AUTH: 'keys' }
  const first = await serveKeyed(environment)
  await fillKeyed(first)
  expect((await first.send('/v1/tables/a/policy', 'PUT', POLICY)).status).toBe(200)
  for (let round = 0; round < 2; round++) {
    await loseCatalog()
    const { stdout } = await runToEnd(['rebuild'], environment)
    expect(stdout).toMatch(/^closed {2}default\.a .*"row_filter":"n > 1"/m)
    const { send } = await serveKeyed(environment)
    expect((await send('/v1/tables/a/rows')).status).toBe(403)
  }
}, 120_000)

test('with CKAN, whose users read what comes back at once, they read nothing of it', async () => {
  const environment = { MORAINE_HOME: home, MORAINE_AUTH: 'keys' }
  const first = await serveKeyed(environment)
  await fillKeyed(first)
  await first.send('/v1/tables/a/policy', 'PUT', POLICY)
  await loseCatalog()
  const ckan = { MORAINE_AUTH: 'ckan', MORAINE_CKAN_URL: 'https://data.example.org' }
  const { code, stdout } = await runToEnd(['rebuild'], { ...environment, ...ckan })
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/\nnext {2}CKAN lets .*create-admin-key; nobody reads rows/),
  ])
  const { send } = await serveKeyed(environment)
  expect((await send('/v1/tables/a/rows')).status).toBe(403)
}, 60_000)
