import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

let service: TestService
let path: string
beforeAll(async () => {
  service = await startTestService()
  path = await writeParquet(
    `${service.dataFolder}/variant.parquet`,
    "SELECT 1::BIGINT AS n, {'a': 1}::VARIANT AS v",
  )
})
afterAll(() => service.close())

test('a file with a variant is refused by that name, whatever is asked of it', async () => {
  const inferred = await post(service, '/v1/tables', { name: 'i', infer_from: path })
  const columns = [
    { name: 'n', type: 'long' },
    { name: 'v', type: 'string' },
  ]
  await must(post(service, '/v1/tables', { name: 't', schema: { columns } }), 201)
  const added = await post(service, '/v1/tables/t/files', { files: [{ path }] })
  for (const { status, body } of [inferred, added]) {
    expect(status).toBe(422)
    expect(body.detail).toMatch(/v\b.*VARIANT/)
  }
  const typed = [{ name: 'v', type: 'variant' }]
  const made = await post(service, '/v1/tables', { name: 'u', schema: { columns: typed } })
  expect([made.status, made.body.detail]).toEqual([...[422, expect.stringContaining('variant')]])
  expect((await ask(service, '/v1/tables/i')).status).toBe(404)
})
