import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { COMMIT_QUEUE_MAX } from '../../src/core/limits.ts'
import { writeParquet } from '../parquet-files.ts'
import { ask, must, post } from './client.ts'
import { startTestService, type TestService } from './harness.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

test('a commit to a full queue is a 503 with Retry-After, and leaves nothing', async () => {
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  const { table_id, location } = await must(
    post(service, '/v1/tables', { name: 'busy', schema }),
    201,
  )
  const path = await writeParquet(join(service.dataFolder, 'a.parquet'), 'SELECT 1::BIGINT AS n')
  let letGo: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const { commits } = service.deps
  const waiting = Array.from({ length: COMMIT_QUEUE_MAX }, () =>
    commits.inTurns([table_id], () => held),
  )
  const files = { files: [{ path }] }
  const refused = await post(service, '/v1/tables/busy/files', files)
  expect([refused.status, refused.body.type]).toEqual([503, '/problems/overloaded'])
  expect(refused.headers.get('retry-after')).toBe('1')
  const started = await must(post(service, '/v1/transactions/start', {}), 201)
  const inSteps = { transaction_id: started.transaction_id }
  await must(post(service, '/v1/tables/busy/files', { ...inSteps, ...files }))
  const again = await post(service, '/v1/transactions/commit', inSteps)
  expect([again.status, again.headers.get('retry-after')]).toEqual([503, '1'])
  letGo()
  await Promise.all(waiting)
  expect((await must(ask(service, '/v1/tables/busy'))).snapshot).toBeNull()
  const written = readdirSync(fileURLToPath(location), { recursive: true }).map(String)
  expect(written.filter((name) => /manifest|snapshot/.test(name))).toEqual([])
  // The transaction is still open, and is committed now.
  const { results } = await must(post(service, '/v1/transactions/commit', inSteps))
  expect(results).toMatchObject([{ added_data_files: 1, sequence_number: '1' }])
})
