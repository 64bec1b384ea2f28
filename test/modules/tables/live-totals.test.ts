import { ask, must, post } from '../../http/client.ts'
import { startTestService } from '../../http/harness.ts'
import { commitDeletes } from '../../lake/commit/commit-deletes.ts'
import type { Workshop } from '../../lake/workshop.ts'
import { writeParquet } from '../../parquet-files.ts'

test('totals tell the rows that live, and beside them those that lie in the files', async () => {
  const service = await startTestService()
  const path = await writeParquet(
    `${service.dataFolder}/a.parquet`,
    'SELECT range AS n FROM range(9)',
  )
  await must(post(service, '/v1/tables', { name: 't', infer_from: path }), 201)
  await must(post(service, '/v1/tables/t/files', { files: [{ path }] }))
  const totals = async () => (await must(ask(service, '/v1/tables/t'))).totals
  expect(await totals()).toMatchObject({ data_files: 1, records: 9, records_in_files: 9 })
  const deleted = await writeParquet(
    `${service.dataFolder}/deletes.parquet`,
    `SELECT 'file://${path}' AS file_path, 4::BIGINT AS pos`,
  )
  await commitDeletes({ deps: service.deps } as unknown as Workshop, 't', [
    {
      ...{ content: 'position-deletes', format: 'parquet', specId: 0, partition: [] },
      ...{ recordCount: 1, fileSizeBytes: 100, path: `file://${deleted}` },
      referencedDataFile: `file://${path}`,
    },
  ])
  expect(await totals()).toMatchObject({ data_files: 1, records: 8, records_in_files: 9 })
  const dump = await ask(service, '/v1/tables/t/dump?format=csv')
  expect(dump.text.trim().split('\n')).toHaveLength(1 + 8)
  await service.close()
})
