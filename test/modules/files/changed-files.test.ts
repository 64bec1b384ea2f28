import { copyFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

let tables = 0

/** A table, and a transaction that has staged a file of one row for it. */
async function stageOne() {
  const table = `changing_${++tables}`
  const path = await writeParquet(
    `${service.dataFolder}/${table}.parquet`,
    'SELECT 1::BIGINT AS id',
  )
  await must(post(service, '/v1/tables', { name: table, infer_from: path }), 201)
  const started = await must(post(service, '/v1/transactions/start', {}), 201)
  const { transaction_id } = started
  await must(post(service, `/v1/tables/${table}/files`, { transaction_id, files: [{ path }] }))
  return { table, path, commit: () => post(service, '/v1/transactions/commit', { transaction_id }) }
}

test.each([
  ['replaced by other rows', "SELECT 22::BIGINT AS id, 'long' AS more"],
  ['replaced by other rows in as many bytes', 'SELECT 2::BIGINT AS id'],
])('a staged file that is %s is refused at the commit, and nothing changes', async (_how, sql) => {
  const { table, path, commit } = await stageOne()
  await rename(await writeParquet(`${path}.new`, sql), path)
  await utimes(path, new Date(), new Date(Date.now() + 5_000))
  const { status, body } = await commit()
  expect(status).toBe(409)
  expect(body).toMatchObject({ type: '/problems/file-changed', path: `file://${path}` })
  expect(await must(ask(service, `/v1/tables/${table}`))).toMatchObject({ snapshot: null })
})

test('another file with the same size and time is a change, too', async () => {
  const { path, commit } = await stageOne()
  const { mtime, size } = await stat(path)
  const other = await writeParquet(`${path}.new`, 'SELECT 2::BIGINT AS id')
  await rename(other, path)
  await utimes(path, mtime, mtime)
  expect((await stat(path)).size).toBe(size)
  expect((await commit()).body).toMatchObject({ type: '/problems/file-changed' })
})

test('one that is deleted is refused, too', async () => {
  const { path, commit } = await stageOne()
  await rm(path)
  expect((await commit()).body).toMatchObject({ type: '/problems/file-changed' })
})

test('a copy of the same bytes is no change; a repeated commit looks at nothing', async () => {
  const { path, commit } = await stageOne()
  await copyFile(path, `${path}.copy`)
  await rename(`${path}.copy`, path)
  await utimes(path, new Date(), new Date(Date.now() + 5_000))
  const first = await must(commit())
  await rm(path)
  expect(await must(commit())).toEqual(first)
})
