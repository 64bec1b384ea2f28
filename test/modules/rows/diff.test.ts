import { once } from 'node:events'
import { readdir, readlink, stat } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { readTable } from '../../../src/modules/tables/tables.ts'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { commitForeign } from '../../lake/commit/commit-deletes.ts'
import type { Workshop } from '../../lake/workshop.ts'
import { writeParquet } from '../../parquet-files.ts'
import { eventually } from '../dumps/http/dump-lab.ts'

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

test('changes of any number are sent, in every form, with their length', async () => {
  await create('large')
  const from = await add('large', await write('large-1.parquet'))
  await add('large', await write('large-2.parquet', { from: 10, to: 50_010, day: 2 }))
  const path = `/v1/tables/large/diff?from=${from}&rows=true`
  const { rows, columns } = await must(ask(service, path))
  expect(columns[0]).toEqual({ name: '_change', type: 'string' })
  // What was appended keeps the order of the table.
  expect(rows.map(({ id }: Json) => id)).toEqual(Array.from({ length: 50_000 }, (_, i) => 10 + i))
  expect(rows.at(-1)).toEqual({ _change: 'insert', id: 50_009, day: 2, tags: ['t50009', null] })
  const lines = await ask(service, `${path}&format=ndjson`)
  expect(
    lines.text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line)),
  ).toEqual(rows)
  const csv = await ask(service, `${path}&format=csv`)
  expect(csv.text.split('\n').length).toBe(50_002)
  expect(csv.text.startsWith('_change,id,day,tags\n')).toBe(true)
  for (const { text, headers } of [lines, csv]) {
    expect(Number(headers.get('content-length'))).toBe(Buffer.byteLength(text))
  }
  const head = await ask(service, path, { method: 'HEAD' })
  expect([head.status, head.text, head.headers.get('etag')]).toEqual([
    ...[200, '', (await ask(service, path)).headers.get('etag')],
  ])
  // The other way, they were deleted.
  const back = await diffOf('large', { from: 'latest', to: from, rows: 'true' })
  expect(back.rows.length).toBe(50_000)
  expect(new Set(back.rows.map((row: Json) => row._change))).toEqual(new Set(['delete']))
})

test('a slow reader holds neither engine nor place, and leaves no file', async () => {
  await create('slow')
  const from = await add('slow', await write('slow-1.parquet'))
  await add('slow', await write('slow-2.parquet', { from: 10, to: 300_000 }))
  const path = `/v1/tables/slow/diff?from=${from}&rows=true`
  const socket = await openSlowly(path)
  for (let i = 0; i < 40; i++) await must(ask(service, '/v1/tables/slow/rows?limit=1'))
  const before = await openFiles()
  expect(before).toBeGreaterThan(0)
  socket.destroy()
  await eventually(async () => (await openFiles()) < before)
})

test('one caller has at most four of these responses', async () => {
  const path = `/v1/tables/slow/diff?from=${await firstOf('slow')}&rows=true`
  const sockets = await Promise.all([1, 2, 3, 4].map(() => openSlowly(path)))
  const { status, body, headers } = await ask(service, path)
  expect([status, body.type]).toEqual([503, '/problems/overloaded'])
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  for (const socket of sockets) socket.destroy()
  await eventually(async () => (await ask(service, path)).status === 200)
})

async function firstOf(table: string): Promise<string> {
  const { snapshots } = await must(ask(service, `/v1/tables/${table}/snapshots`))
  return snapshots.at(-1).snapshot_id
}

/** Files without a name that the process has open. */
async function openFiles(): Promise<number> {
  const names = await readdir('/proc/self/fd')
  const targets = names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => ''))
  return (await Promise.all(targets)).filter((target) => target.endsWith(' (deleted)')).length
}

/** Reads the head of a response, and then nothing. */
async function openSlowly(path: string): Promise<Socket> {
  const { hostname, port } = new URL(service.url)
  const socket = connect(Number(port), hostname)
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`)
  const [head] = await once(socket, 'data')
  expect(String(head)).toContain('200 OK')
  socket.pause()
  return socket
}

test('deletes, other columns and partitions are as rows have them', async () => {
  await create('deleted')
  const kept = await write('deleted-1.parquet', { from: 0, to: 5 })
  const from = await add(
    'deleted',
    kept,
    await write('deleted-2.parquet', { from: 5, to: 9, day: 3 }),
  )
  const changes = [
    { op: 'widen', name: 'day', type: 'long' },
    { op: 'drop', name: 'tags' },
  ]
  await must(post(service, '/v1/tables/deleted/schemas', { changes }))
  await must(post(service, '/v1/tables/deleted/files/remove', { files: [{ path: kept }] }))
  const { rows } = await diffOf('deleted', { from, rows: 'true' })
  expect(rows).toEqual([0, 1, 2, 3, 4].map((id) => ({ _change: 'delete', id, day: 1 })))
  expect(await diffOf('deleted', { from })).toMatchObject({
    schema: { removed: ['tags'] },
    partitions: [{ partition: { day: 1 }, rows_removed: 5 }],
  })
})

test('a file that is committed again, as by a cherry-pick, is no change', async () => {
  await create('picked')
  const [first, path] = [await write('picked-1.parquet'), await write('picked-2.parquet')]
  const from = await add('picked', first, path)
  await must(post(service, '/v1/tables/picked/files/remove', { files: [{ path }] }))
  const without = (await must(ask(service, '/v1/tables/picked'))).snapshot.snapshot_id
  await add('picked', path, await write('picked-3.parquet', { from: 10, to: 13 }))
  const counts = { files_added: 1, files_removed: 0, rows_added: 3, rows_removed: 0 }
  expect(await diffOf('picked', { from })).toMatchObject({ ...counts, partitions: [counts] })
  expect((await diffOf('picked', { from, rows: 'true' })).rows).toHaveLength(3)
  const gone = { files_added: 0, files_removed: 1, rows_added: 0, rows_removed: 10 }
  expect(await diffOf('picked', { from, to: without })).toMatchObject(gone)
  // Listed once more than before, its rows are there once more.
  const { state } = await readTable(service.deps, { table: 'picked' })
  const file = { path: `file://${path}`, fileSizeBytes: (await stat(path)).size, recordCount: 10 }
  const again = { ...file, content: 'data', format: 'parquet', partition: [1] } as const
  const specId = state.definition.defaultSpecId
  const shop = { deps: service.deps } as unknown as Workshop
  await commitForeign(shop, 'picked', { content: 'data', files: [{ ...again, specId }] })
  const twice = { files_added: 2, files_removed: 0, rows_added: 13, rows_removed: 0 }
  expect(await diffOf('picked', { from })).toMatchObject(twice)
  expect((await diffOf('picked', { from, rows: 'true' })).rows).toHaveLength(13)
})

test('a snapshot that is not there is said', async () => {
  await create('empty')
  const answer = await ask(service, '/v1/tables/empty/diff?from=77')
  expect(answer).toMatchObject({ status: 404, body: { type: '/problems/snapshot-not-found' } })
  expect(await diffOf('empty', { from: 'latest' })).toMatchObject({ from: null, to: null })
})
