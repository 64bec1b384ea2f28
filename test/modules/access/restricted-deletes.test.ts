import { rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DataFile } from '../../../src/core/file/data-file.ts'
import { writeDeletionVector } from '../../formats/deletes/deletion-vector-writer.ts'
import { must } from '../../http/client.ts'
import { commitDeletes } from '../../lake/commit/commit-deletes.ts'
import type { Workshop } from '../../lake/workshop.ts'
import { writeParquet } from '../../parquet-files.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

let service: KeyedService

beforeAll(async () => {
  service = await startKeyedService()
})
afterAll(() => service.close())

/** Shows the rows of kinds 1 and 2, of 0 to 3, without what is secret. */
const POLICY = {
  row_filter: 'kind IN (1, 2)',
  columns: [
    { column: 'secret', action: 'mask-to-fixed-value' },
    { column: 'kind', action: 'replace-with-null' },
  ],
}

async function openTable(
  name: string,
): Promise<{ readonly reader: Caller; readonly file: string }> {
  const { admin, dataFolder } = service
  const select = `SELECT i AS id, (i % 4)::INTEGER AS kind, 's' || i AS secret FROM range(20) t(i)`
  const file = await writeParquet(join(dataFolder, `${name}.parquet`), select)
  const created = { name, namespace: 'sky', infer_from: file }
  await must(admin.send('post', '/v1/tables', created), 201)
  await must(admin.send('post', `/v1/tables/sky.${name}/files`, { files: [{ path: file }] }))
  const reader = await service.newCaller({ [`/v1/tables/sky.${name}`]: ['select'] })
  return { reader, file }
}

/** The rows that are shown, by the dump, by pages of rows, by a query and by SQL. */
async function expectShown(reader: Caller, name: string, ids: readonly number[]): Promise<void> {
  const path = `/v1/tables/sky.${name}`
  const shown = ids.map((id) => `{"id":${id},"kind":null,"secret":"XXXXXXXX"}\n`).join('')
  const dump = await reader.send('get', `${path}/dump?format=ndjson`)
  const rows = await reader.send('get', `${path}/rows?format=ndjson&limit=1000`)
  const source = { table: `sky.${name}` }
  const query = await reader.send('post', '/v1/query?format=ndjson', { source })
  const sql = { sql: `SELECT * FROM sky.${name}` }
  const ofSql = await reader.send('post', '/v1/query?format=ndjson', sql)
  expect([dump.text, rows.text, query.text, ofSql.text]).toEqual([shown, shown, shown, shown])
}

const SHOWN = Array.from({ length: 20 }, (_, id) => id).filter((id) => [1, 2].includes(id % 4))

async function addDeletes(name: string, file: string, rest: Partial<DataFile>): Promise<void> {
  await commitDeletes({ deps: service.deps } as unknown as Workshop, `sky.${name}`, [
    {
      ...{ content: 'position-deletes', format: 'parquet', specId: 0, partition: [] },
      ...{ recordCount: 1, fileSizeBytes: (await stat(file)).size, path: `file://${file}` },
      ...rest,
    },
  ])
}

test.each([
  ['positions', [1, 3, 6]],
  ['vectors', [1, 3, 6]],
  // By values of columns that the policy masks, or shows no row of.
  ['equality', [5, 6, 7]],
] as const)('a policy holds for what %s of deletes leave', async (name, deleted) => {
  const { reader, file } = await openTable(name)
  await must(service.admin.send('put', `/v1/tables/sky.${name}/policy`, POLICY))
  await expectShown(reader, name, SHOWN)
  const path = join(service.dataFolder, `${name}-deletes`)
  if (name === 'positions') {
    const query = `SELECT 'file://${file}' AS file_path, unnest([${deleted}])::BIGINT AS pos`
    await addDeletes(name, await writeParquet(`${path}.parquet`, query), {
      ...{ referencedDataFile: `file://${file}`, recordCount: deleted.length },
    })
  } else if (name === 'equality') {
    const query = `SELECT unnest(['s5', 's6', 's7']) AS secret`
    const ids = ', FIELD_IDS {secret: 3}'
    const made = await writeParquet(`${path}.parquet`, query, ids)
    await addDeletes(name, made, { content: 'equality-deletes', equalityIds: [3], recordCount: 3 })
  } else {
    const containers = [{ high: 0, lows: deleted }]
    const blob = writeDeletionVector([{ key: 0, containers, withRuns: false }])
    await writeFile(`${path}.puffin`, Buffer.concat([Buffer.from('PFA1'), blob]))
    await addDeletes(name, `${path}.puffin`, {
      ...{ format: 'puffin', referencedDataFile: `file://${file}`, recordCount: deleted.length },
      ...{ contentOffset: 4, contentSizeBytes: blob.length },
    })
  }
  const left = SHOWN.filter((id) => !(deleted as readonly number[]).includes(id))
  await expectShown(reader, name, left)
})

test.each([
  ['missing', async (file: string) => rm(file)],
  ['other', async (file: string) => void (await writeParquet(file, 'SELECT 1::BIGINT AS id'))],
])('a file that is %s is not named to who is restricted', async (name, spoil) => {
  const { reader, file } = await openTable(name)
  const { admin } = service
  const path = `/v1/tables/sky.${name}`
  await must(admin.send('put', `${path}/policy`, { ...POLICY, except: [admin.principal] }))
  await spoil(file)
  const source = { table: `sky.${name}` }
  const asked = [
    ['get', `${path}/dump?format=ndjson`],
    ['get', `${path}/rows`],
    ['get', `${path}/columns/id/statistics`],
    ['post', '/v1/query', { source }],
    ['post', '/v1/query', { sql: `SELECT * FROM sky.${name}` }],
  ] as const
  for (const [method, at, body] of asked) {
    const whole = await admin.send(method, at, body)
    const { status, text } = await reader.send(method, at, body)
    expect([at, status]).toEqual([at, whole.status])
    expect(status).toBeGreaterThanOrEqual(400)
    expect(whole.text).toContain(file)
    expect(text).not.toContain(file)
    expect(text).not.toMatch(/\d+ rows|recordCount|record_count/)
  }
})

test('nor is one outside of the folders that may be read', async () => {
  const { reader, file } = await openTable('outside')
  const { admin } = service
  const path = '/v1/tables/sky.outside'
  await must(admin.send('put', `${path}/policy`, { ...POLICY, except: [admin.principal] }))
  const { snapshots } = await must(admin.send('get', `${path}/snapshots`))
  await addDeletes('outside', file, { path: 'file:///elsewhere/secret=s3/deletes.parquet' })
  const source = { table: 'sky.outside' }
  const sql = { sql: 'SELECT * FROM sky.outside' }
  const asked = [
    ['get', `${path}/dump?format=ndjson`],
    ['get', `${path}/rows`],
    ['get', `${path}/columns/id/statistics`],
    ['get', `${path}/diff?from=${snapshots[0].snapshot_id}&rows=true`],
    ['post', '/v1/query', { source }],
    ['post', '/v1/query', sql],
    ['post', '/v1/query/estimate', { source }],
    ['post', '/v1/query/estimate', sql],
  ] as const
  for (const [method, at, body] of asked) {
    const whole = await admin.send(method, at, body)
    expect([at, whole.body.type]).toEqual([at, '/problems/location-not-allowed'])
    expect(whole.text).toContain('secret=s3')
    const { status, text } = await reader.send(method, at, body)
    expect([at, status]).toEqual([at, whole.status])
    expect(text).not.toContain('elsewhere')
  }
})
