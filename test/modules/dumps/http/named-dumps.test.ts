import { writeFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { tableFromIPC } from 'apache-arrow'
import { decompress } from 'fzstd'
import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet'
import { ask, must, post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { addFile, makeTable, rows } from './dump-lab.ts'

let service: TestService
let snapshotId: string
let tableUuid: string

beforeAll(async () => {
  service = await startTestService()
  ;[snapshotId = ''] = await makeTable(service, 'flights', [rows(1_000)])
  tableUuid = (await must(ask(service, '/v1/tables/flights'))).table_id
})
afterAll(() => service.close())

/** Without following a redirect. */
const look = (path: string, init: RequestInit = {}) =>
  fetch(service.url + path, { redirect: 'manual', ...init })
const pinnedOf = async (format: string) =>
  (await must(ask(service, `/v1/tables/${tableUuid}/${snapshotId}/dump/status?format=${format}`)))
    .url

test.each(['csv', 'ndjson', 'parquet', 'arrow', 'tsv', 'json', 'xml'])(
  'flights.%s leads to the permanent address of what the table is now',
  async (format) => {
    const answer = await look(`/v1/tables/flights/flights.${format}`)
    expect(answer.status).toBe(307)
    expect(answer.headers.get('location')).toBe(await pinnedOf(format))
    expect(answer.headers.get('cache-control')).toBe('private, no-cache')
    const followed = await fetch(`${service.url}/v1/tables/flights/flights.${format}`)
    const pinned = await fetch(service.url + (await pinnedOf(format)))
    expect(Buffer.from(await followed.arrayBuffer())).toEqual(
      Buffer.from(await pinned.arrayBuffer()),
    )
  },
)

test.each(['csv', 'tsv', 'ndjson', 'jsonl'])(
  'flights.%s is also served compressed',
  async (kind) => {
    const format = kind === 'jsonl' ? 'ndjson' : kind
    const plain = await fetch(`${service.url}/v1/tables/flights/flights.${kind}`)
    expect(plain.url).toBe(service.url + (await pinnedOf(format)))
    const text = await plain.text()
    for (const [packing, unpack] of [
      ['gz', gunzipSync],
      ['zst', (bytes: Buffer) => Buffer.from(decompress(bytes))],
    ] as const) {
      const packed = await fetch(`${service.url}/v1/tables/flights/flights.${kind}.${packing}`)
      expect(packed.status).toBe(200)
      expect(packed.headers.get('content-disposition')).toContain(`.${format}.${packing}`)
      expect(String(unpack(Buffer.from(await packed.arrayBuffer())))).toBe(text)
    }
  },
)

test('an ending or format that there is not names those that there are', async () => {
  for (const file of ['flights.xlsx', 'default.flights.parquet.gz']) {
    const { status, body } = await ask(service, `/v1/tables/flights/${file}`)
    expect([status, body.type]).toEqual([404, '/problems/snapshot-not-found'])
    expect(body.detail).toContain('files of a table end in .csv, .csv.gz, ')
  }
  const other = await ask(service, '/v1/tables/flights/v1.0')
  expect(other.body.detail).not.toContain('files of a table')
  const format = await ask(service, '/v1/tables/flights/dump?format=xlsx')
  expect([format.status, JSON.stringify(format.body)]).toEqual([
    400,
    expect.stringMatching(/csv.*ndjson.*parquet.*arrow.*tsv/),
  ])
})

test('it moves with the table, and as_at leads back', async () => {
  await makeTable(service, 'moving', [rows(10)])
  const before = new Date().toISOString()
  const { snapshotId: now } = await addFile(service, 'moving', rows(10, 10))
  const location = async (query = '') =>
    (await look(`/v1/tables/moving/moving.csv${query}`)).headers.get('location')
  expect(await location()).toContain(`/${now}/dump?`)
  expect(await location(`?as_at=${before}`)).not.toContain(`/${now}/dump?`)
})

test('HEAD and ranges have a length at once, though nobody asked for the dump before', async () => {
  await makeTable(service, 'asked_first', [rows(5_000)])
  const path = '/v1/tables/asked_first/asked_first.parquet'
  const head = await fetch(service.url + path, { method: 'HEAD' })
  const lengthBytes = Number(head.headers.get('content-length'))
  expect([head.status, lengthBytes > 1_000]).toEqual([200, true])
  const headers = { Range: 'bytes=-4' }
  const tail = await fetch(service.url + path, { headers })
  expect([tail.status, await tail.text()]).toEqual([206, 'PAR1'])
  expect(tail.headers.get('content-range')).toBe(
    `bytes ${lengthBytes - 4}-${lengthBytes - 1}/${lengthBytes}`,
  )
})

test('only the name of the table is a file; a UUID names itself', async () => {
  expect((await look(`/v1/tables/${tableUuid}/${tableUuid}.csv`)).status).toBe(307)
  expect((await look('/v1/tables/default.flights/flights.csv')).status).toBe(307)
  expect((await look('/v1/tables/default.flights/default.flights.csv')).status).toBe(307)
  const other = await ask(service, '/v1/tables/flights/trains.csv')
  expect(other.status).toBe(404)
  expect(other.body).toMatchObject({ type: '/problems/snapshot-not-found', file: 'flights.csv' })
  expect((await ask(service, '/v1/tables/trains/trains.csv')).status).toBe(404)
})

test('a table without a snapshot is its columns, in every format', async () => {
  const columns = [
    { name: 'id', type: 'long' },
    { name: 'name', type: 'string' },
  ]
  await must(post(service, '/v1/tables', { name: 'unborn', schema: { columns } }), 201)
  const file = async (format: string) => {
    const answer = await fetch(`${service.url}/v1/tables/unborn/unborn.${format}`)
    expect([format, answer.status]).toEqual([format, 200])
    return Buffer.from(await answer.arrayBuffer())
  }
  expect(String(await file('csv'))).toBe('id,name\n')
  expect(String(await file('ndjson'))).toBe('')
  expect(tableFromIPC(await file('arrow')).schema.names).toEqual(['id', 'name'])
  const path = `${service.home}/unborn.parquet`
  await writeFile(path, await file('parquet'))
  const metadata = await parquetMetadataAsync(await asyncBufferFromFile(path))
  expect(metadata.num_rows).toBe(0n)
  expect(metadata.schema.slice(1).map(({ name }) => name)).toEqual(['id', 'name'])
})

test('its permanent address holds when there are rows, and other columns', async () => {
  const columns = [{ name: 'id', type: 'long' }]
  await must(post(service, '/v1/tables', { name: 'born', schema: { columns } }), 201)
  const status = await must(ask(service, '/v1/tables/born/dump/status?format=csv'))
  const fileName = `born-empty-schema-0-${status.edition}.csv`
  expect(status).toMatchObject({ snapshot_id: '-1', file_name: fileName })
  const read = async (path: string) => (await fetch(service.url + path)).text()
  expect(await read(status.url)).toBe('id\n')
  const add = { op: 'add', column: { name: 'name', type: 'string' } }
  await must(post(service, '/v1/tables/born/schemas', { changes: [add] }))
  expect(await read('/v1/tables/born/dump?format=csv')).toBe('id,name\n')
  await addFile(service, 'born', "SELECT 7::BIGINT AS id, 'x' AS name")
  expect(await read('/v1/tables/born/dump?format=csv')).toBe('id,name\n7,x\n')
  expect(await read(status.url)).toBe('id\n')
  const digest = await read(status.url.replace('/dump?', '/dump.sha256?'))
  expect(digest).toContain('  born-empty-schema-0-')
})
