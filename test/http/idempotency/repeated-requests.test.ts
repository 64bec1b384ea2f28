import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { changes } from '../../../src/http/idempotency/keyed-request.ts'
import { documentedDialects } from '../../../src/modules.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../../catalog/postgres-server.ts'
import { writeTask } from '../../modules/exports/export-harness.ts'
import { writeParquet } from '../../parquet-files.ts'
import { ask, type Json, must, post, type RequestOptions } from '../client.ts'
import { startTestService, type TestService } from '../harness.ts'
import { send } from '../send.ts'
import { databaseState } from './database-state.ts'
import { datasetCases } from './dataset-cases.ts'
import { exportCases } from './export-cases.ts'

let service: TestService
let other: TestService
let count = 0
/** Rows to export, where there can be a server. */
let source: PostgresServer | undefined
const canExport = whyNoPostgres() === undefined
beforeAll(async () => {
  source = canExport ? await startPostgres() : undefined
  const url = await source?.newDatabase()
  const environment = { ...(url !== undefined && { MORAINE_EXPORT_SOURCES: `default=${url}` }) }
  service = await startTestService({ environment })
  other = await startTestService({ home: service.home, environment })
  await rest('/namespaces', { namespace: ['sky'] })
})
afterAll(async () => {
  await other.stop()
  await service.close()
  await source?.stop()
})

interface Case extends RequestOptions {
  readonly path: string
}

const COLUMNS = { columns: [{ name: 'n', type: 'long' }] }
const SCHEMA = { type: 'struct', fields: [{ id: 1, name: 'n', required: false, type: 'long' }] }
const QUERIES = [{ dialect: 'duckdb', sql: 'SELECT 1' }]
const newName = () => `t${++count}`

async function newTable(): Promise<string> {
  const name = newName()
  await must(post(service, '/v1/tables', { name, namespace: 'sky', schema: COLUMNS }), 201)
  return name
}

async function datasetWish() {
  const { name } = await tableWithFile()
  return { name, source: { table: `sky.${name}` } }
}

async function newDataset(): Promise<string> {
  const { name } = await must(post(service, '/v1/datasets', await datasetWish()), 201)
  return `/v1/datasets/${name}`
}

async function newView(): Promise<string> {
  const name = newName()
  const view = { name, namespace: 'sky', queries: QUERIES, schema: COLUMNS }
  await must(post(service, '/v1/views', view), 201)
  return name
}

async function newFile(): Promise<string> {
  const path = `${service.dataFolder}/${newName()}.parquet`
  await writeParquet(path, `SELECT ${count}::BIGINT AS n`)
  return `file://${path}`
}

async function tableWithFile(): Promise<{ readonly name: string; readonly path: string }> {
  const [name, path] = [await newTable(), await newFile()]
  await must(post(service, `/v1/tables/sky.${name}/files`, { files: [{ path }] }))
  return { name, path }
}

async function newExport(): Promise<string> {
  const name = newName()
  const task = { 'select.sql': 'select 1 as one', 'task.json': { mode: 'keep' } }
  await writeTask(join(service.home, 'exports'), name, task)
  return name
}

async function newTransaction(): Promise<string> {
  return (await must(post(service, '/v1/transactions/start', {}), 201)).transaction_id
}

async function rest(path: string, json: unknown, method = 'POST'): Promise<Json> {
  const { status, text } = await send(`${service.url}/iceberg/v1${path}`, {
    ...{ method, headers: { 'Content-Type': 'application/json' } },
    body: JSON.stringify(json),
  })
  if (status >= 300) throw new Error(`${path}: ${status} ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

const SPACE = '/iceberg/v1/namespaces'
const TABLES = `${SPACE}/sky/tables`
const identifier = (name: string) => ({ namespace: ['sky'], name })

/** A request for each route that changes something, fit to be done once. */
const CASES: Readonly<Record<string, () => Promise<Case>>> = {
  createTable: async () => ({ path: '/v1/tables', json: { name: newName(), schema: COLUMNS } }),
  setRef: async () => {
    const { name } = await tableWithFile()
    return { path: `/v1/tables/sky.${name}/refs/first`, method: 'PUT' }
  },
  dropRef: async () => {
    const { name } = await tableWithFile()
    const path = `/v1/tables/sky.${name}/refs/first`
    await must(ask(service, path, { method: 'PUT' }))
    return { path, method: 'DELETE' }
  },
  createNamespace: async () => ({ path: '/v1/namespaces', json: { name: newName() } }),
  changeNamespace: async () => ({
    ...{ path: '/v1/namespaces/sky', method: 'PATCH' },
    json: { properties: { [newName()]: 'set' } },
  }),
  dropNamespace: async () => {
    const name = newName()
    await must(post(service, '/v1/namespaces', { name }), 201)
    return { path: `/v1/namespaces/${name}`, method: 'DELETE' }
  },
  dropTable: async () => ({ path: `/v1/tables/sky.${await newTable()}`, method: 'DELETE' }),
  describeTable: async () => ({
    ...{ path: `/v1/tables/sky.${await newTable()}/metadata`, json: { steward: 'ops' } },
  }),
  cloneTable: async () => ({
    ...{ path: `/v1/tables/sky.${await newTable()}/clone`, json: { name: newName() } },
  }),
  renameTable: async () => ({
    ...{ path: `/v1/tables/sky.${await newTable()}/rename`, json: { name: newName() } },
  }),
  rollbackTable: async () => {
    const { name } = await tableWithFile()
    const { snapshots } = await must(ask(service, `/v1/tables/sky.${name}/snapshots`))
    const files = [{ path: await newFile() }]
    await must(post(service, `/v1/tables/sky.${name}/files`, { files }))
    const snapshot_id = snapshots[0].snapshot_id
    return { path: `/v1/tables/sky.${name}/rollback`, json: { snapshot_id } }
  },
  evolveSchema: async () => ({
    path: `/v1/tables/sky.${await newTable()}/schemas`,
    json: { changes: [{ op: 'add', column: { name: 'm', type: 'long' } }] },
  }),
  evolveViewSchema: async () => ({
    path: `/v1/views/sky.${await newTable()}/schemas`,
    json: { changes: [{ op: 'add', column: { name: 'm', type: 'long' } }] },
  }),
  createView: async () => ({ path: '/v1/views', json: { name: newName(), queries: QUERIES } }),
  replaceView: async () => ({
    ...{ path: `/v1/views/sky.${await newView()}`, method: 'PUT' },
    json: { queries: [{ dialect: 'duckdb', sql: 'SELECT 2' }] },
  }),
  renameView: async () => ({
    ...{ path: `/v1/views/sky.${await newView()}/rename`, json: { name: newName() } },
  }),
  dropView: async () => ({ path: `/v1/views/sky.${await newView()}`, method: 'DELETE' }),
  stageFiles: async () => ({
    path: `/v1/tables/sky.${await newTable()}/files`,
    json: { files: [{ path: await newFile() }] },
  }),
  removeFiles: async () => {
    const { name, path } = await tableWithFile()
    return { path: `/v1/tables/sky.${name}/files/remove`, json: { files: [{ path }] } }
  },
  truncateTable: async () => {
    const { name } = await tableWithFile()
    return { path: `/v1/tables/sky.${name}/files/truncate`, method: 'POST' }
  },
  startTransaction: async () => ({
    path: '/v1/transactions/start',
    json: { tables: [`sky.${await newTable()}`] },
  }),
  commitTransaction: async () => {
    const [name, transaction_id] = [await newTable(), await newTransaction()]
    const files = [{ path: await newFile() }]
    await must(post(service, `/v1/tables/sky.${name}/files`, { files, transaction_id }))
    return { path: '/v1/transactions/commit', json: { transaction_id } }
  },
  abortTransaction: async () => ({
    path: '/v1/transactions/abort',
    json: { transaction_id: await newTransaction() },
  }),
  cancelJob: async () => {
    // Of a kind that nobody runs.
    const jobId = randomUUID()
    const job = { jobId, kind: 'nobody', key: jobId, input: {}, nowMs: Date.now() }
    await service.deps.catalog.jobs.submit(job)
    return { path: `/v1/jobs/${jobId}`, method: 'DELETE' }
  },
  makeDataset: async () => ({ path: '/v1/datasets', json: await datasetWish() }),
  materialiseRecords: async () => {
    const { source } = await datasetWish()
    return { path: `/data/${source.table}/records?materialise=true`, method: 'POST' }
  },
  ...datasetCases(newDataset),
  ...exportCases(
    newExport,
    (task) => must(post(service, `/v1/exports/${task}/pause`, {})),
    (job) => service.deps.catalog.jobs.submit(job),
  ),
  icebergCreateNamespace: async () => ({ path: SPACE, json: { namespace: [newName()] } }),
  icebergDropNamespace: async () => {
    const name = newName()
    await rest('/namespaces', { namespace: [name] })
    return { path: `${SPACE}/${name}`, method: 'DELETE' }
  },
  icebergUpdateNamespace: async () => ({
    path: `${SPACE}/sky/properties`,
    json: { updates: { step: newName() }, removals: [] },
  }),
  icebergCreateTable: async () => ({ path: TABLES, json: { name: newName(), schema: SCHEMA } }),
  icebergCommitTable: async () => ({
    path: `${TABLES}/${await newTable()}`,
    json: { requirements: [], updates: [{ action: 'set-properties', updates: { a: 'b' } }] },
  }),
  icebergDropTable: async () => ({ path: `${TABLES}/${await newTable()}`, method: 'DELETE' }),
  icebergCommitTransaction: async () => {
    const change = {
      identifier: identifier(await newTable()),
      ...{ requirements: [], updates: [{ action: 'set-properties', updates: { a: 'b' } }] },
    }
    return { path: '/iceberg/v1/transactions/commit', json: { 'table-changes': [change] } }
  },
  icebergRenameTable: async () => ({
    path: '/iceberg/v1/tables/rename',
    json: { source: identifier(await newTable()), destination: identifier(newName()) },
  }),
  icebergRegisterTable: async () => {
    const name = await newTable()
    const unregistered = await rest(`/namespaces/sky/tables/${name}/unregister`, {})
    const location = unregistered['metadata-location']
    return { path: `${SPACE}/sky/register`, json: { name, 'metadata-location': location } }
  },
  icebergUnregisterTable: async () => ({
    ...{ path: `${TABLES}/${await newTable()}/unregister`, method: 'POST' },
  }),
  icebergCreateView: async () => ({
    path: `${SPACE}/sky/views`,
    json: {
      name: newName(),
      schema: { ...SCHEMA, 'schema-id': 0 },
      'view-version': {
        ...{ 'version-id': 1, 'timestamp-ms': 1, 'schema-id': 0, summary: {} },
        representations: [{ type: 'sql', sql: 'SELECT 1', dialect: 'spark' }],
        'default-namespace': ['sky'],
      },
      properties: {},
    },
  }),
  icebergReplaceView: async () => ({
    path: `${SPACE}/sky/views/${await newView()}`,
    json: { updates: [{ action: 'set-properties', updates: { a: 'b' } }] },
  }),
  icebergDropView: async () => ({
    ...{ path: `${SPACE}/sky/views/${await newView()}`, method: 'DELETE' },
  }),
  icebergRenameView: async () => ({
    path: '/iceberg/v1/views/rename',
    json: { source: identifier(await newView()), destination: identifier(newName()) },
  }),
  icebergRegisterView: async () => {
    const name = await newView()
    const path = `${SPACE}/sky/views/${name}`
    const loaded = JSON.parse((await send(service.url + path, {})).text)
    await send(service.url + path, { method: 'DELETE' })
    const location = loaded['metadata-location']
    return { path: `${SPACE}/sky/register-view`, json: { name, 'metadata-location': location } }
  },
}

const ROUTES = documentedDialects()
  .flatMap(({ routes }) => routes)
  .filter(changes)
  .map(({ operationId }) => operationId)

/** Status, type and body; where it is, if it says so. */
async function sent(to: TestService, { path, json, raw, method, headers }: Case, key: string) {
  const {
    status,
    headers: given,
    text,
  } = await send(to.url + path, {
    method: method ?? 'POST',
    headers: {
      ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
      'Idempotency-Key': key,
    },
    body: json === undefined ? (raw as string | undefined) : JSON.stringify(json),
  })
  return [status, given.get('content-type'), given.get('location'), text] as const
}

/** All that requests change: the database, and which exports are paused. */
async function state() {
  const { exports } = await must(ask(service, '/v1/exports'))
  const paused = exports.filter(({ is_paused }: { is_paused: boolean }) => is_paused)
  return {
    ...databaseState(service.home),
    paused: paused.map(({ task }: { task: string }) => task),
  }
}

test('each route that changes something has a request here', () => {
  expect(Object.keys(CASES).sort()).toEqual([...ROUTES].sort())
})

/** They answer when rows of a real source were exported. */
const NEEDS_SOURCE: ReadonlySet<string> = new Set(['runSeedExport', 'runSeedExports'])
const SENT = ROUTES.filter((operationId) => canExport || !NEEDS_SOURCE.has(operationId))

describe.each(SENT)('%s', (operationId) => {
  const newCase = CASES[operationId] as () => Promise<Case>

  test('repeated with its key, has its effect once and the same answer', async () => {
    const [request, key] = [await newCase(), randomUUID()]
    const before = await state()
    const first = await sent(service, request, key)
    expect([first[0] < 300, first]).toEqual([true, first])
    const after = await state()
    expect(after).not.toEqual(before)
    expect(await sent(service, request, key)).toEqual(first)
    expect(await sent(other, request, key)).toEqual(first)
    expect(await state()).toEqual(after)
  })

  test('sent twice at once to two processes, has one effect and one answer', async () => {
    const [request, key] = [await newCase(), randomUUID()]
    const twins = await Promise.all([service, other].map((to) => settled(to, request, key)))
    expect(twins[1]).toEqual(twins[0])
    const [status = 0] = twins[0] ?? []
    expect([status < 300, twins[0]]).toEqual([true, twins[0]])
    const after = await state()
    expect(await sent(service, request, key)).toEqual(twins[0])
    expect(await state()).toEqual(after)
  })

  test('with a key of another request is 422', async () => {
    const key = randomUUID()
    await sent(service, { path: '/v1/tables', json: { name: newName(), schema: COLUMNS } }, key)
    const request = await newCase()
    const ready = await state()
    expect((await sent(service, request, key))[0]).toBe(422)
    expect(await state()).toEqual(ready)
  })
})

/** Tries again, as a client does that gets Retry-After. */
async function settled(to: TestService, request: Case, key: string) {
  for (;;) {
    const answer = await sent(to, request, key)
    const isBeingWorkedOn = answer[3].includes('/problems/idempotency-key-in-use')
    if (!isBeingWorkedOn && answer[0] !== 503 && answer[0] !== 429) return answer
    await sleep(20)
  }
}

test('a final refusal is given again, even when the request would now be right', async () => {
  const [name, key] = [newName(), randomUUID()]
  const request = { path: `/v1/tables/${name}/files/truncate`, method: 'POST' }
  const first = await sent(service, request, key)
  expect(first[0]).toBe(404)
  await must(post(service, '/v1/tables', { name, schema: COLUMNS }), 201)
  expect(await sent(service, request, key)).toEqual(first)
})

test('a key has 1 to 255 characters, and is a UUID for Iceberg', async () => {
  const create = () => ({ path: '/v1/tables', json: { name: newName(), schema: COLUMNS } })
  expect((await sent(service, create(), 'k'.repeat(255)))[0]).toBe(201)
  const [status, , , text] = await sent(service, create(), 'k'.repeat(256))
  expect([status, JSON.parse(text).errors]).toEqual([
    400,
    [{ path: 'headers.idempotency-key', message: 'has 1 to 255 characters' }],
  ])
  const space = { path: SPACE, json: { namespace: [newName()] } }
  expect((await sent(service, space, 'not a UUID'))[0]).toBe(400)
})

test('a key outlives the process that answered it', async () => {
  const [request, key] = [await CASES['describeTable']?.(), randomUUID()]
  if (request === undefined) throw new Error('no such case')
  const first = await sent(service, request, key)
  const later = await startTestService({ home: service.home })
  expect(await sent(later, request, key)).toEqual(first)
  await later.stop()
})
