import { readFile } from 'node:fs/promises'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { querySql } from '../../parquet-files.ts'

/** As pyarrow 26 writes it, for a column `c` in the zone of Berlin. */
const BERLIN =
  '/////5AAAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAEAAAAUAAAA' +
  'EAAUAAgABgAHAAwAAAAQABAAAAAAAAEKEAAAABwAAAAEAAAAAAAAAAEAAABjAAAACAAMAAYACAAIAAAA' +
  'AAACAAQAAAANAAAARXVyb3BlL0JlcmxpbgAAAAAAAAA='

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

let files = 0

async function newFile(): Promise<string> {
  const path = `${service.dataFolder}/notes-${files++}.parquet`
  const query = `SELECT TIMESTAMPTZ '2024-03-17 12:00:00+01' AS c,
    18446744073709551615::UBIGINT AS u`
  await querySql(`COPY (${query}) TO '${path}' (KV_METADATA {'ARROW:schema': '${BERLIN}'})`)
  return path
}

beforeAll(async () => {
  const columns = [
    { name: 'c', type: 'timestamptz' },
    { name: 'u', type: 'decimal(20,0)' },
  ]
  await must(post(service, '/v1/tables', { name: 't', schema: { columns } }), 201)
})

const UNSIGNED =
  'u: UINT_64: DuckDB reads it as a decimal; Iceberg for Java and PyIceberg refuse it'

test('files added by path tell what other engines may not read, staged or committed', async () => {
  const notes = [UNSIGNED, expect.stringMatching(/^c: in the time zone Europe\/Berlin .*PyIceberg/)]
  const committed = await must(
    post(service, '/v1/tables/t/files', { files: [{ path: await newFile() }] }),
  )
  expect(committed.files).toMatchObject([{ record_count: 1, notes }])
  const { transaction_id } = await must(post(service, '/v1/transactions/start', {}), 201)
  const body = { transaction_id, files: [{ path: await newFile() }] }
  const staged = await must(post(service, '/v1/tables/t/files', body))
  expect(staged.staged).toMatchObject([{ record_count: 1, notes }])
})

test('an upload is stored without the schema of Arrow, and says what is left', async () => {
  const bytes = await readFile(await newFile())
  const { status, body } = await ask(service, '/v1/tables/t/files', {
    method: 'POST',
    headers: { 'Content-Type': 'application/vnd.apache.parquet' },
    raw: new Uint8Array(bytes),
  })
  expect(status).toBe(201)
  const [{ path, notes, file_size_bytes }] = body.files
  expect(notes).toEqual([UNSIGNED])
  const stored = await readFile(new URL(path))
  expect(stored.length).toBe(file_size_bytes)
  expect(stored.includes('ARROW:schema')).toBe(false)
  expect(
    await querySql(`SELECT epoch_us(c)::VARCHAR AS c FROM '${new URL(path).pathname}'`),
  ).toEqual([{ c: '1710673200000000' }])
})

test('a file that every engine reads has no notes', async () => {
  const path = `${service.dataFolder}/plain.parquet`
  await querySql(`COPY (SELECT NULL::TIMESTAMPTZ AS c) TO '${path}'`)
  const { files: added } = await must(post(service, '/v1/tables/t/files', { files: [{ path }] }))
  expect(added[0].notes).toBeUndefined()
})
