import { mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

let base: string
let service: TestService

/** The home is reached through a link, and a folder of files has another link in it. */
beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'moraine-linked-')))
  await mkdir(`${base}/real`)
  await symlink(`${base}/real`, `${base}/home`)
  service = await startTestService({ home: `${base}/home` })
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  for (const name of ['a', 'b']) await must(post(service, '/v1/tables', { name, schema }), 201)
  await mkdir(`${service.dataFolder}/there`)
  await writeParquet(`${service.dataFolder}/there/n.parquet`, 'SELECT 1::BIGINT AS n')
  await symlink(`${service.dataFolder}/there`, `${service.dataFolder}/folder`)
  await symlink(`${service.dataFolder}/there/n.parquet`, `${service.dataFolder}/file.parquet`)
})
afterAll(async () => {
  await service.close()
  await rm(base, { recursive: true, force: true })
})

const add = (table: string, path: string) =>
  post(service, `/v1/tables/${table}/files`, { files: [{ path: `file://${path}` }] })

test('a file is taken by one name, which a refusal of another tells', async () => {
  const own = `${service.dataFolder}/there/n.parquet`
  await must(add('a', own))
  for (const linked of ['folder/n.parquet', 'file.parquet']) {
    const { status, body } = await add('a', `${service.dataFolder}/${linked}`)
    expect([status, body.type]).toEqual([403, '/problems/location-not-allowed'])
    expect(body.detail).toContain(`file://${own}`)
  }
  // By the real name of the home.
  const { status } = await add('a', own.replace(`${base}/home`, `${base}/real`))
  expect(status).toBe(403)
  expect((await must(ask(service, '/v1/tables/a'))).totals.records).toBe(1)
})

test('nor is another name taken into an open transaction', async () => {
  const { transaction_id } = await must(post(service, '/v1/transactions/start', {}), 201)
  const path = `file://${service.dataFolder}/folder/n.parquet`
  const staged = { transaction_id, files: [{ path }] }
  const { status, body } = await post(service, '/v1/tables/b/files', staged)
  expect([status, body.type]).toEqual([403, '/problems/location-not-allowed'])
})

test('a purge of a table leaves no other without its file', async () => {
  const { status } = await post(service, '/v1/tables/b/files', {
    files: [{ path: (await uploaded()).replace(`${base}/home`, `${base}/real`) }],
  })
  expect(status).toBe(403)
  await must(ask(service, '/v1/tables/a?purge=now', { method: 'DELETE' }))
  expect((await must(ask(service, '/v1/tables/b'))).totals.data_files).toBe(0)
})

async function uploaded(): Promise<string> {
  const raw = '{"n": 7}\n'
  const headers = { 'Content-Type': 'application/x-ndjson' }
  await must(ask(service, '/v1/tables/a/files', { method: 'POST', raw, headers }), 201)
  const { data_files } = await must(ask(service, '/v1/tables/a'))
  const paths = data_files.map(({ path }: { path: string }) => path)
  return paths.find((path: string) => path.includes('/warehouse/'))
}
