import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Json, must } from '../../http/client.ts'
import { type Caller, type KeyedService, startKeyedService } from '../access/keyed-service.ts'

const REST = '/iceberg/v1/namespaces'
const TABLE = '/v1/tables/sky.planets'
const DATASET = '/v1/datasets/planets/1'
const FIELDS = [{ id: 1, name: 'id', required: false, type: 'long' }]
const SCHEMA = { type: 'struct', 'schema-id': 0, fields: FIELDS }

let folder: string
let warehouse: string
let service: KeyedService
let owner: Caller
let mallory: Caller
let uuid: string
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'moraine-taken-'))
  service = await startKeyedService({ MORAINE_ALLOWED_LOCATIONS: folder })
  const { admin } = service
  await must(admin.send('post', '/v1/namespaces', { name: 'sky' }), 201)
  await must(admin.send('post', '/v1/namespaces', { name: 'sand' }), 201)
  owner = await service.newCaller({ '/v1/namespaces/sky': ['create'] })
  mallory = await service.newCaller({ '/v1/namespaces/sand': ['own'] })
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  const table = { name: 'planets', namespace: 'sky', schema }
  const made = await must(owner.send('post', '/v1/tables', table), 201)
  uuid = made.table_id
  warehouse = made.location.replace(/\/[^/]+\/[^/]+$/, '')
  const headers = { 'Content-Type': 'text/csv', Authorization: `Bearer ${owner.key}` }
  const added = await fetch(`${service.url}${TABLE}/files`, {
    ...{ method: 'POST', headers, body: 'id\n1\n2\n' },
  })
  expect(added.status).toBe(201)
  const wish = { name: 'planets', source: { table: 'sky.planets' } }
  await must(owner.send('post', '/v1/datasets', wish), 201)
  await must(owner.send('delete', `${TABLE}?purge=now`))
})
afterEach(async () => {
  await service.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A metadata file, outside the warehouse, of an empty table with the UUID of the dropped one. */
async function register(caller: Caller, more: Json = {}, name = 'mine') {
  const { body } = await service.admin.send('get', `${TABLE}`)
  expect(body.type).toBe('/problems/table-not-found')
  const metadata = {
    ...{ 'format-version': 2, 'table-uuid': uuid, 'last-sequence-number': 0 },
    location: `${warehouse}/sand/${name}`,
    ...{ 'last-updated-ms': 1_700_000_000_000, 'last-column-id': 1, 'current-schema-id': 0 },
    ...{ schemas: [SCHEMA], 'default-spec-id': 0, 'last-partition-id': 999 },
    ...{ 'partition-specs': [{ 'spec-id': 0, fields: [] }], 'default-sort-order-id': 0 },
    ...{ 'sort-orders': [{ 'order-id': 0, fields: [] }], properties: {} },
  }
  const file = join(folder, '00009-a.metadata.json')
  writeFileSync(file, JSON.stringify(metadata))
  const asked = { name, 'metadata-location': `file://${file}`, ...more }
  return caller.send('post', `${REST}/sand/register`, asked)
}

async function expectUntouched(): Promise<void> {
  for (const path of [DATASET, `${DATASET}/download`, '/v1/tables/moraine$datasets.planets_v1']) {
    expect((await mallory.send('get', path)).status).toBe(404)
    expect((await service.admin.send('get', path)).status).toBe(200)
  }
  expect((await mallory.send('delete', DATASET)).status).toBe(404)
}

test('who registers the UUID of a dropped table takes over none of its datasets', async () => {
  const answer = await register(mallory)
  expect(answer.status).toBe(400)
  expect(answer.body.error.message).toContain('of which there are datasets')
  await expectUntouched()
})

test('nor does who replaces a table of theirs by it', async () => {
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  const table = { name: 'mine', namespace: 'sand', schema }
  await must(mallory.send('post', '/v1/tables', table), 201)
  const answer = await register(mallory, { overwrite: true })
  expect(answer.status).toBe(400)
  expect(answer.body.error.message).toContain('of which there are datasets')
  await expectUntouched()
})

test('nor does a view with it', async () => {
  const representations = [{ type: 'sql', sql: 'select 1', dialect: 'spark' }]
  const version = {
    ...{ 'version-id': 1, 'timestamp-ms': 1, 'schema-id': 0, summary: {} },
    ...{ 'default-namespace': ['sand'], representations },
  }
  const metadata = {
    ...{ 'view-uuid': uuid, 'format-version': 1, properties: {} },
    location: `${warehouse}/sand/view`,
    ...{ schemas: [SCHEMA], 'current-version-id': 1, versions: [version], 'version-log': [] },
  }
  const file = join(folder, '00009-v.metadata.json')
  writeFileSync(file, JSON.stringify(metadata))
  const asked = { name: 'v', 'metadata-location': `file://${file}` }
  const answer = await mallory.send('post', `${REST}/sand/register-view`, asked)
  expect(answer.status).toBe(400)
  await expectUntouched()
})

test('nor reads who takes it the card of one that has ended', async () => {
  await must(owner.send('delete', DATASET))
  expect((await register(mallory)).status).toBe(400)
  expect((await mallory.send('get', DATASET)).status).toBe(404)
  expect((await service.admin.send('get', DATASET)).status).toBe(410)
})

test('who owned it brings it back, and an administrator does', async () => {
  await must(
    service.admin.send('post', '/v1/namespaces/sand/permissions', {
      grant: [{ principal: owner.principal, privilege: 'create' }],
    }),
  )
  expect((await register(owner)).status).toBe(200)
  expect((await owner.send('get', DATASET)).status).toBe(200)
  await must(owner.send('delete', '/v1/tables/sand.mine'))
})
