import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

const SCHEMA = { columns: [{ name: 'n', type: 'long' }] }

let service: TestService
let warehouse: string
beforeEach(async () => {
  service = await startTestService()
  warehouse = join(service.home, 'warehouse')
  await must(post(service, '/v1/tables', { name: 'a', schema: SCHEMA }), 201)
  await writeParquet(join(service.dataFolder, 'a.parquet'), 'SELECT 1::BIGINT AS n')
})
afterEach(() => service.close())

function append(table: string) {
  const files = [{ path: join(service.dataFolder, 'a.parquet') }]
  return post(service, `/v1/tables/${table}/files`, { files })
}

test.each<[string, () => Promise<void>]>([
  ['the folder was moved away', async () => undefined],
  ['an empty folder is there, as where a disk is not mounted', () => mkdir(warehouse).then()],
])('%s: not ready, and nothing is created or changed', async (_, leave) => {
  await rename(warehouse, `${warehouse}.away`)
  await leave()
  const ready = await must(ask(service, '/ready'), 503)
  expect(ready.reason).toMatch(/the warehouse file:.* is not there: .*mounted/)
  const refused = [
    await post(service, '/v1/tables', { name: 'b', schema: SCHEMA }),
    await append('a'),
    await post(service, '/v1/tables/a/metadata', { description: 'x' }),
    await ask(service, '/v1/tables/a', { method: 'DELETE' }),
    await post(service, '/v1/tables/a/clone', { name: 'c' }),
  ]
  for (const { status, body } of refused) {
    expect({ status, type: body.type }).toEqual({
      status: 503,
      type: '/problems/warehouse-unavailable',
    })
  }
  const rest = await post(service, '/iceberg/v1/namespaces/default/tables', {
    name: 'd',
    schema: { type: 'struct', fields: [] },
  })
  expect(rest.status).toBe(507)
  expect(await readdir(warehouse).catch(() => [])).toEqual([])

  await rm(warehouse, { recursive: true, force: true })
  await rename(`${warehouse}.away`, warehouse)
  await must(ask(service, '/ready'))
  expect((await must(ask(service, '/v1/tables'))).tables).toHaveLength(1)
  await must(append('a'))
})
