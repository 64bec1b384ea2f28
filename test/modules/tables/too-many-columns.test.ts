import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

let folder: string
let service: TestService
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'moraine-columns-'))
  service = await startTestService({ allowedLocations: [folder] })
})
afterAll(async () => {
  await service.close()
  rmSync(folder, { recursive: true })
})

async function infer(count: number, first = '1 AS first') {
  const columns = Array.from({ length: count - 1 }, (_, i) => `1 AS c${i}`).join(', ')
  const path = join(folder, `${count}-${first.length}.parquet`)
  await writeParquet(path, `SELECT ${first}, ${columns}`)
  return post(service, '/v1/tables', { name: `t${count}`, infer_from: path })
}

test('a file makes a table of up to 2,000 columns', async () => {
  expect((await infer(2_000)).status).toBe(201)
  const refused = await infer(2_001)
  expect(refused.status).toBe(422)
  expect(refused.body).toMatchObject({ type: '/problems/schema-invalid' })
})

test('of more columns the types are not looked at, even if one is none of Iceberg’s', async () => {
  const first = 'INTERVAL 1 DAY AS first'
  const types = [(await infer(2, first)).body, (await infer(2_001, first)).body]
  expect(types).toMatchObject([
    { type: '/problems/column-type-unknown' },
    { type: '/problems/schema-invalid' },
  ])
})
