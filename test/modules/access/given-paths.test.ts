import { copyFile } from 'node:fs/promises'
import { documentedDialects } from '../../../src/modules.ts'
import { type Answer, ask, must } from '../../http/client.ts'
import { writeParquet } from '../../parquet-files.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const REST = '/iceberg/v1/namespaces'
const SCHEMA = { columns: [{ name: 'n', type: 'long' }] }
const QUERIES = [{ dialect: 'duckdb', sql: 'SELECT 42 AS n' }]
const PARQUET = 'warehouse/somebody/a.parquet'

/** Requests that name a file by path: one for each way, by operation. */
const WAYS: Readonly<Record<string, (path: string) => readonly (readonly [string, object])[]>> = {
  createTable: (path) => [['/v1/tables', { name: 'own.i', infer_from: path }]],
  stageFiles: (path) => [
    ['/v1/tables/own.t/files', { files: [{ path }] }],
    ['/v1/tables/own.t/files', { files: [{ path }], transaction_id: open }],
  ],
  icebergRegisterTable: (path) => [
    [`${REST}/own/register`, { name: 'r', 'metadata-location': path }],
    [`${REST}/own/register`, { name: 't', overwrite: true, 'metadata-location': path }],
  ],
  icebergRegisterView: (path) => [
    [`${REST}/own/register-view`, { name: 'r', 'metadata-location': path }],
  ],
  icebergCommitTable: (path) =>
    updatesThatName(path).map((updates) => [`${REST}/own/tables/t`, { requirements: [], updates }]),
  icebergCommitTransaction: (path) =>
    updatesThatName(path).map((updates) => {
      const identifier = { namespace: ['own'], name: 't' }
      return [
        '/iceberg/v1/transactions/commit',
        { 'table-changes': [{ identifier, requirements: [], updates }] },
      ]
    }),
}

/** The others whose bodies name no file, or none but those that their own table has already. */
const NAME_NONE = [
  ...['describeTable', 'cloneTable', 'renameTable', 'rollbackTable', 'evolveSchema'],
  ...['evolveViewSchema', 'setRef', 'createView', 'replaceView', 'renameView'],
  ...['createNamespace', 'changeNamespace', 'removeFiles', 'truncateTable', 'startTransaction'],
  ...['commitTransaction', 'abortTransaction', 'createKey', 'changeCatalogPermissions'],
  ...['checkPermissions', 'changeNamespacePermissions', 'changeTablePermissions'],
  ...['changeViewPermissions', 'setTablePolicy', 'changeMembers', 'icebergCreateNamespace'],
  ...['icebergUpdateNamespace', 'icebergCreateTable', 'icebergRenameTable'],
  ...['icebergReportMetrics', 'icebergSignRequest', 'icebergPlanScan', 'icebergFetchTasks'],
  ...['icebergCreateView', 'icebergReplaceView', 'icebergRenameView', 'query', 'estimateQuery'],
  ...[
    'changeExportPermissions',
    'makeDataset',
    'describeDatasetVersion',
    'runExport',
    'runExports',
    'pauseExports',
    'resumeExports',
  ],
]

function updatesThatName(path: string): readonly (readonly object[])[] {
  const snapshot = {
    ...{ 'snapshot-id': 31, 'sequence-number': 9, 'timestamp-ms': Date.now() },
    ...{ 'manifest-list': path, summary: { operation: 'append' } },
  }
  const file = {
    ...{ 'snapshot-id': current, 'statistics-path': path, 'file-size-in-bytes': 1 },
    ...{ 'file-footer-size-in-bytes': 1, 'blob-metadata': [] },
  }
  return [
    [{ action: 'add-snapshot', snapshot }],
    [{ action: 'set-statistics', 'snapshot-id': current, statistics: file }],
  ]
}

let service: KeyedService
/** Owns the namespace `own`, and knows of nothing else. */
let mallory: Caller
let open: string
/** The snapshot of the table in it. */
let current: number
/** Files of things that are hidden from it, and one that is not there. */
let hidden: readonly string[]
beforeAll(async () => {
  service = await startKeyedService()
  const { admin, deps } = service
  for (const namespace of ['own', 'secret']) {
    await must(admin.send('post', '/v1/tables', { name: 't', namespace, schema: SCHEMA }), 201)
    const view = { name: 'v', namespace, queries: QUERIES, schema: SCHEMA }
    await must(admin.send('post', '/v1/views', view), 201)
  }
  mallory = await service.newCaller({ '/v1/namespaces/own': ['own'] })
  open = (await must(mallory.send('post', '/v1/transactions/start', {}), 201)).transaction_id
  const raw = await fetch(`${service.url}/v1/tables/own.t/files`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${mallory.key}`, 'Content-Type': 'text/csv' },
    body: 'n\n1\n',
  })
  expect(raw.status).toBe(201)
  const { metadata } = await must(mallory.send('get', `${REST}/own/tables/t`))
  current = metadata['current-snapshot-id']
  const table = await must(admin.send('get', `${REST}/secret/tables/t`))
  const view = await must(admin.send('get', `${REST}/secret/views/v`))
  const missing = `${deps.warehouse}/${PARQUET}`
  hidden = [table['metadata-location'], view['metadata-location'], missing]
})
afterAll(() => service.close())

test('every route with a body names files by path here, or none', () => {
  const ids = documentedDialects().flatMap(({ routes }) =>
    routes.filter(({ body }) => body !== undefined).map(({ operationId }) => operationId),
  )
  expect([...Object.keys(WAYS), ...NAME_NONE].sort()).toEqual([...ids].sort())
})

test.each(Object.entries(WAYS))('%s refuses each path before it looks at it', async (_, ways) => {
  for (const path of hidden) {
    for (const [address, json] of ways(path)) {
      const refused: Answer = await mallory.send('post', address, json)
      expect([refused.status, refused.text]).toEqual([403, expect.stringContaining(path)])
      expect(refused.text).toMatch(/You may not read/)
    }
  }
})

test('who may change a view may name its file, administrators that of a dropped one', async () => {
  const { admin } = service
  const own = (await must(mallory.send('get', `${REST}/own/views/v`)))['metadata-location']
  const taken = await mallory.send('post', `${REST}/own/register-view`, {
    ...{ name: 'again', 'metadata-location': own },
  })
  expect([taken.status, taken.body.error.type]).toEqual([409, 'AlreadyExistsException'])
  await must(admin.send('delete', '/v1/views/secret.v'))
  const given = { name: 'w', 'metadata-location': hidden[1] }
  await must(admin.send('post', `${REST}/secret/register-view`, given))
})

test('a long answer is not made again of footers that are forbidden by now', async () => {
  const { admin, dataFolder } = service
  const reader = await service.newCaller({
    ...{ '/v1/namespaces/own': ['own'], '/v1/tables/secret.t': ['select'] },
  })
  const first = await writeParquet(`${dataFolder}/0.parquet`, 'SELECT 7::BIGINT AS n')
  const paths = Array.from({ length: 800 }, (_, i) => first.replace('0.parquet', `${i}.parquet`))
  for (const path of paths.slice(1)) await copyFile(first, path)
  const files = paths.map((path) => ({ path }))
  await must(admin.send('post', '/v1/tables/secret.t/files', { files }))
  const headers = { Authorization: `Bearer ${reader.key}`, 'Idempotency-Key': 'staged once' }
  const stage = () => ask(service, '/v1/tables/own.t/files', { json: { files }, headers })
  const staged = await must(stage())
  expect(await must(stage())).toEqual(staged)
  const grant = [{ principal: reader.principal, privilege: 'select' }]
  await must(admin.send('post', '/v1/tables/secret.t/permissions', { revoke: grant }))
  expect((await stage()).body.type).toBe('/problems/path-not-readable')
})
