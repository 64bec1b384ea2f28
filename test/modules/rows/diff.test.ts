import { join } from 'node:path'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

const COLUMNS = [
  { name: 'id', type: 'long' },
  { name: 'day', type: 'int' },
  { name: 'tags', type: 'ARRAY<VARCHAR>' },
]

async function create(name: string): Promise<void> {
  const partitioning = [{ column: 'day', transform: 'identity' }]
  await must(post(service, '/v1/tables', { name, schema: { columns: COLUMNS }, partitioning }), 201)
}

async function write(file: string, { from = 0, to = 10, day = 1 } = {}): Promise<string> {
  const select = `SELECT i AS id, ${day}::INTEGER AS day, ['t' || i, NULL] AS tags`
  return writeParquet(join(service.dataFolder, file), `${select} FROM range(${from}, ${to}) t(i)`)
}

async function add(table: string, ...paths: readonly string[]): Promise<string> {
  const files = paths.map((path) => ({ path }))
  await must(post(service, `/v1/tables/${table}/files`, { files }))
  return (await must(ask(service, `/v1/tables/${table}`))).snapshot.snapshot_id
}

function diffOf(table: string, parameters: Record<string, string>): Promise<Json> {
  return must(ask(service, `/v1/tables/${table}/diff?${new URLSearchParams(parameters)}`))
}

test('files and rows are counted by partition, and columns by their ids', async () => {
  await create('grown')
  const from = await add('grown', await write('grown-1.parquet'))
  await add('grown', await write('grown-2.parquet', { from: 10, to: 13, day: 2 }))
  const changes = [
    { op: 'rename', name: 'tags', to: 'labels' },
    { op: 'add', column: { name: 'size', type: 'double' } },
  ]
  await must(post(service, '/v1/tables/grown/schemas', { changes }))
  const counts = { files_added: 1, files_removed: 0, rows_added: 3, rows_removed: 0 }
  expect(await diffOf('grown', { from })).toMatchObject({
    from,
    schema: {
      added: ['size'],
      removed: [],
      renamed: [{ from: 'tags', to: 'labels' }],
      retyped: [],
    },
    ...counts,
    partitions: [{ partition: { day: 2 }, ...counts }],
    partitions_cut: false,
  })
  const changed = await diffOf('grown', { from, rows: 'true' })
  expect(changed.rows).toEqual(
    [10, 11, 12].map((id) => {
      return { _change: 'insert', id, day: 2, labels: [`t${id}`, null], size: null }
    }),
  )
  expect((await diffOf('grown', { from: 'latest', rows: 'true' })).rows).toEqual([])
})

test('rows that were only written again are no changes', async () => {
  await create('rewritten')
  const first = await write('rewritten-1.parquet')
  const from = await add('rewritten', first)
  const start = await must(post(service, '/v1/transactions/start', {}), 201)
  const { transaction_id } = start
  await must(
    post(service, '/v1/tables/rewritten/files/remove', {
      transaction_id,
      files: [{ path: first }],
    }),
  )
  const again = await write('rewritten-2.parquet', { from: 1, to: 12 })
  await must(
    post(service, '/v1/tables/rewritten/files', { transaction_id, files: [{ path: again }] }),
  )
  await must(post(service, '/v1/transactions/commit', { transaction_id }))
  expect(await diffOf('rewritten', { from })).toMatchObject({
    files_added: 1,
    files_removed: 1,
    rows_added: 11,
    rows_removed: 10,
  })
  const changes = (parameters: Record<string, string>) =>
    diffOf('rewritten', { ...parameters, rows: 'true' }).then(({ rows }) =>
      rows.map(({ _change: change, id }: Json) => `${change} ${id}`).sort(),
    )
  expect(await changes({ from })).toEqual(['delete 0', 'insert 10', 'insert 11'])
  expect(await changes({ from: 'latest', to: from })).toEqual([
    'delete 10',
    'delete 11',
    'insert 0',
  ])
})

test('more changes than come in a response are refused with their number', async () => {
  await create('large')
  const from = await add('large', await write('large-1.parquet'))
  await add('large', await write('large-2.parquet', { from: 0, to: 10_001 }))
  const answer = await ask(service, `/v1/tables/large/diff?from=${from}&rows=true`)
  expect(answer.status).toBe(413)
  expect(answer.body).toMatchObject({ rows_added: 10_001, type: '/problems/result-too-large' })
})

test('a snapshot that is not there is said', async () => {
  await create('empty')
  const answer = await ask(service, '/v1/tables/empty/diff?from=77')
  expect(answer).toMatchObject({ status: 404, body: { type: '/problems/snapshot-not-found' } })
  expect(await diffOf('empty', { from: 'latest' })).toMatchObject({ from: null, to: null })
})
