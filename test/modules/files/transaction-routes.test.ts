import { readFile } from 'node:fs/promises'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

let service: TestService
let tables = 0
let files = 0

beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

async function newTable(): Promise<string> {
  const name = `t${tables++}`
  const columns = [{ name: 'n', type: 'long' }]
  await must(post(service, '/v1/tables', { name, schema: { columns } }), 201)
  return name
}

/** Ten rows, from `first` on. */
function newFile(first = 0): Promise<string> {
  const path = `${service.dataFolder}/numbers-${files++}.parquet`
  return writeParquet(path, `SELECT (${first} + range)::BIGINT AS n FROM range(10)`)
}

async function start(more: Record<string, unknown> = {}): Promise<string> {
  return (await must(post(service, '/v1/transactions/start', more), 201)).transaction_id
}

const commit = (transaction_id: string) =>
  post(service, '/v1/transactions/commit', { transaction_id })

function stage(table: string, paths: readonly string[], more: Record<string, unknown> = {}) {
  return post(service, `/v1/tables/${table}/files`, {
    files: paths.map((path) => ({ path })),
    ...more,
  })
}

const read = (table: string, query = '') => must(ask(service, `/v1/tables/${table}${query}`))

test('a transaction over two tables becomes visible at once', async () => {
  const [one, two] = [await newTable(), await newTable()]
  const started = await ask(service, '/v1/transactions/start', { method: 'POST' })
  expect(started.status).toBe(201)
  const { transaction_id } = started.body
  expect(started.headers.get('location')).toBe(`/v1/transactions/${transaction_id}`)
  const path = await newFile()
  const staged = await must(stage(one, [path], { transaction_id }))
  expect(staged).toEqual({
    transaction_id,
    committed: false,
    table: `default.${one}`,
    staged: [{ path: `file://${path}`, record_count: 10, file_size_bytes: expect.any(Number) }],
  })
  await must(stage(two, [path, await newFile(10)], { transaction_id }))
  const view = await must(ask(service, `/v1/transactions/${transaction_id}`))
  expect(view).toMatchObject({ state: 'open', results: [] })
  expect(view.staged.map((table: { added_files: number }) => table.added_files)).toEqual([1, 2])
  expect((await read(one)).snapshot).toBeNull()
  const done = await must(commit(transaction_id))
  expect(done.results).toHaveLength(2)
  const table = await read(two)
  expect(table.snapshot).toMatchObject({ operation: 'append', transaction_ids: [transaction_id] })
  expect(table.totals).toMatchObject({ data_files: 2, records: 20 })
  const after = await must(ask(service, `/v1/transactions/${transaction_id}`))
  expect(after).toMatchObject({ state: 'committed', staged: [], results: done.results })
})

test('two commits of one transaction at once get one answer', async () => {
  const table = await newTable()
  const transaction_id = await start()
  await must(stage(table, [await newFile()], { transaction_id }))
  const answers = await Promise.all([commit(transaction_id), commit(transaction_id)])
  const [first, second] = answers.map((answer) => answer.body)
  expect(answers.map((answer) => answer.status)).toEqual([200, 200])
  expect(second).toEqual(first)
  expect(await must(commit(transaction_id))).toEqual(first)
  const log = await must(ask(service, `/v1/tables/${table}/snapshots`))
  expect(log.snapshots).toHaveLength(1)
})

test('without a transaction id a request commits by itself', async () => {
  const table = await newTable()
  const path = await newFile()
  const answer = await must(stage(table, [path], { author: 'ann', message: 'first' }))
  expect(answer).toMatchObject({ committed: true, files: [{ record_count: 10 }] })
  const { snapshot } = await read(table)
  expect(snapshot).toMatchObject({ author: 'ann', message: 'first' })
  expect(answer.results[0]).toMatchObject({ snapshot_id: snapshot.snapshot_id, added_records: 10 })
})

test('an aborted transaction leaves nothing and says so', async () => {
  const table = await newTable()
  const transaction_id = await start()
  await must(stage(table, [await newFile()], { transaction_id }))
  const abort = () => post(service, '/v1/transactions/abort', { transaction_id })
  expect(await must(abort())).toMatchObject({ state: 'aborted', staged: [] })
  expect(await must(abort())).toMatchObject({ state: 'aborted' })
  const refused = await commit(transaction_id)
  expect(refused.body).toMatchObject({
    status: 409,
    type: '/problems/transaction-aborted',
    transaction_id,
  })
  expect((await read(table)).snapshot).toBeNull()
})

test('a committed transaction cannot be aborted or added to', async () => {
  const table = await newTable()
  const transaction_id = await start()
  await must(stage(table, [await newFile()], { transaction_id }))
  await must(commit(transaction_id))
  const aborted = await post(service, '/v1/transactions/abort', { transaction_id })
  expect(aborted.body.type).toBe('/problems/transaction-committed')
  const staged = await stage(table, [await newFile()], { transaction_id })
  expect(staged.body.type).toBe('/problems/transaction-committed')
})

test('an expired transaction is a 409 that says when it expired', async () => {
  const table = await newTable()
  const transaction_id = await start({ expires_in_seconds: 1 })
  const { expires_at } = await must(ask(service, `/v1/transactions/${transaction_id}`))
  await new Promise((resolve) => setTimeout(resolve, Date.parse(expires_at) - Date.now() + 20))
  const refused = await stage(table, [await newFile()], { transaction_id })
  expect(refused.body).toMatchObject({
    status: 409,
    type: '/problems/transaction-expired',
    expires_at,
  })
  expect((await commit(transaction_id)).body.type).toBe('/problems/transaction-expired')
  const view = await must(ask(service, `/v1/transactions/${transaction_id}`))
  expect(view.state).toBe('expired')
  expect((await read(table)).snapshot).toBeNull()
})

test('files are removed by path and by truncation; older snapshots keep them', async () => {
  const table = await newTable()
  const paths = [await newFile(), await newFile(10)]
  const first = await must(stage(table, paths))
  const removal = { files: [{ path: paths[0] }] }
  const removed = await must(post(service, `/v1/tables/${table}/files/remove`, removal))
  expect(removed).toMatchObject({ committed: true, removed_files: 1 })
  expect(removed.results[0]).toMatchObject({ removed_data_files: 1, removed_records: 10 })
  expect((await read(table)).data_files).toHaveLength(1)
  const emptied = await ask(service, `/v1/tables/${table}/files/truncate`, { method: 'POST' })
  expect(emptied.body).toMatchObject({ committed: true, truncated: true })
  expect((await read(table)).totals).toEqual({
    ...{ data_files: 0, records: 0, records_in_files: 0, bytes: 0 },
  })
  const before = await read(table, `/${first.results[0].snapshot_id}`)
  expect(before.data_files).toHaveLength(2)
})

test('a truncation on an old base is a conflict that names both snapshots', async () => {
  const table = await newTable()
  const first = await must(stage(table, [await newFile()]))
  const transaction_id = await start({ tables: [table] })
  const truncated = await post(service, `/v1/tables/${table}/files/truncate`, { transaction_id })
  expect(truncated.body).toMatchObject({ committed: false, truncated: true })
  const second = await must(stage(table, [await newFile()]))
  const refused = await commit(transaction_id)
  expect(refused.body).toMatchObject({
    status: 409,
    type: '/problems/commit-conflict',
    base_snapshot_id: first.results[0].snapshot_id,
    current_snapshot_id: second.results[0].snapshot_id,
  })
  const bold = await start({ tables: [table], isolation: 'overwrite' })
  await must(post(service, `/v1/tables/${table}/files/truncate`, { transaction_id: bold }))
  await must(stage(table, [await newFile()]))
  expect((await must(commit(bold))).results[0].removed_data_files).toBe(3)
})

test('time travel, clone and rollback agree on what the table was', async () => {
  const table = await newTable()
  const one = (await must(stage(table, [await newFile()]))).results[0]
  const two = (await must(stage(table, [await newFile(10)]))).results[0]
  const then = await read(table, `?as_at=${one.timestamp}`)
  expect(then.snapshot.snapshot_id).toBe(one.snapshot_id)
  expect(then.totals.records).toBe(10)
  const before = await ask(service, `/v1/tables/${table}?as_at=1999-12-31`)
  expect(before.body).toMatchObject({
    status: 404,
    type: '/problems/as-at-before-first-snapshot',
    first_snapshot_at: one.timestamp,
  })
  const cloned = await ask(service, `/v1/tables/${table}/clone`, {
    json: { name: `${table}_clone`, snapshot_id: one.snapshot_id },
  })
  expect(cloned.status).toBe(201)
  expect((await read(`${table}_clone`)).data_files).toEqual(then.data_files)
  const back = await must(post(service, `/v1/tables/${table}/rollback`, { as_at: one.timestamp }))
  expect(back.snapshot.snapshot_id).toBe(one.snapshot_id)
  const log = await must(ask(service, `/v1/tables/${table}/snapshots`))
  const ids = log.snapshots.map((entry: { snapshot_id: string }) => entry.snapshot_id)
  expect(ids).toEqual([one.snapshot_id, two.snapshot_id, one.snapshot_id])
  expect((await read(table, '/latest')).totals.records).toBe(10)
  expect((await ask(service, `/v1/tables/${table}/404`)).body.type).toBe(
    '/problems/snapshot-not-found',
  )
})

test('the snapshot log comes in pages, newest first, between two moments', async () => {
  const table = await newTable()
  const results = []
  for (let i = 0; i < 5; i++) results.push((await must(stage(table, [await newFile()]))).results[0])
  const ids: string[] = []
  let query = 'page_size=2'
  for (;;) {
    const page = await must(ask(service, `/v1/tables/${table}/snapshots?${query}`))
    ids.push(...page.snapshots.map((entry: { snapshot_id: string }) => entry.snapshot_id))
    if (page.next_page_token === null) break
    query = `page_size=2&page_token=${page.next_page_token}`
  }
  expect(ids).toEqual(results.map((result) => result.snapshot_id).reverse())
  const [, one, , three] = results
  const between = `after=${one.timestamp}&before=${three.timestamp}`
  const page = await must(ask(service, `/v1/tables/${table}/snapshots?${between}`))
  expect(page.snapshots).toHaveLength(1)
  expect(page.snapshots[0]).toMatchObject({
    snapshot_id: results[2].snapshot_id,
    is_current: false,
  })
})

test('an uploaded file is streamed to the table’s own folder and committed', async () => {
  const table = await newTable()
  const path = await newFile()
  const bytes = new Uint8Array(await readFile(path))
  const answer = await ask(service, `/v1/tables/${table}/files?author=ann`, {
    raw: bytes,
    headers: { 'Content-Type': 'application/vnd.apache.parquet' },
  })
  expect(answer.status).toBe(201)
  expect(answer.body).toMatchObject({ committed: true, files: [{ record_count: 10 }] })
  const { location, data_files, snapshot } = await read(table)
  expect(snapshot.author).toBe('ann')
  expect(data_files[0].path.startsWith(`${location}/data/as_at_`)).toBe(true)
  const transaction_id = await start()
  const staged = await ask(service, `/v1/tables/${table}/files?transaction_id=${transaction_id}`, {
    raw: bytes,
    headers: { 'Content-Type': 'application/octet-stream' },
  })
  expect(staged.body).toMatchObject({ committed: false, staged: [{ record_count: 10 }] })
  await must(commit(transaction_id))
  expect((await read(table)).totals.data_files).toBe(2)
})

test('bounds and partition values are exact and in Iceberg’s JSON form', async () => {
  const columns = [
    { name: 'n', type: 'long' },
    { name: 'day', type: 'date' },
    { name: 'at', type: 'timestamptz' },
    { name: 'price', type: 'decimal(9,2)' },
    { name: 'raw', type: 'binary' },
  ]
  const partitioning = [
    { column: 'at', transform: 'month' },
    { column: 'day', transform: 'identity' },
  ]
  const body = { name: 'exact_values', schema: { columns }, partitioning }
  await must(post(service, '/v1/tables', body), 201)
  const path = await writeParquet(
    `${service.dataFolder}/exact.parquet`,
    `SELECT 9007199254740993::BIGINT AS n, DATE '2024-03-17' AS day,
       TIMESTAMPTZ '2024-03-17 23:59:59.000001+00' AS at, 12.30::DECIMAL(9,2) AS price,
       '\\xAA\\x01'::BLOB AS raw`,
  )
  await must(stage('exact_values', [path]))
  const { text, body: table } = await ask(service, '/v1/tables/exact_values')
  expect(text).toContain('"n":{"lower":9007199254740993,"upper":9007199254740993}')
  const at = '2024-03-17T23:59:59.000001+00:00'
  const [file] = table.data_files
  expect(file.bounds).toMatchObject({
    day: { lower: '2024-03-17', upper: '2024-03-17' },
    at: { lower: at, upper: at },
    price: { lower: '12.30', upper: '12.30' },
    raw: { lower: 'aa01', upper: 'aa01' },
  })
  expect(file.partition).toEqual({ at_month: 650, day: '2024-03-17' })
  expect(file.null_counts).toMatchObject({ n: 0, day: 0 })
  const filtered = (filter: string) => read('exact_values', `?filter=${encodeURIComponent(filter)}`)
  expect((await filtered('n = 9007199254740993')).data_files).toHaveLength(1)
  expect((await filtered('n = 9007199254740992')).data_files).toHaveLength(0)
  expect((await filtered("at >= '2024-04-01T00:00:00Z'")).planning.manifests.kept).toBe(0)
})
