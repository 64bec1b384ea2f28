import { writeFile } from 'node:fs/promises'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { querySql, writeParquet } from '../../parquet-files.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

const ROWS = 300_000

async function rowGroupsOf(path: string): Promise<unknown[]> {
  const groups = await querySql(
    `SELECT DISTINCT row_group_id AS id, row_group_num_rows AS rows
     FROM parquet_metadata('${path}') ORDER BY id`,
  )
  return groups.map(({ rows }) => Number(rows))
}

test('a dump has the row groups of its files, or of 122,880 where it encodes again', async () => {
  const path = `${service.dataFolder}/n.parquet`
  await writeParquet(path, `SELECT range AS n FROM range(${ROWS})`, ', ROW_GROUP_SIZE 20480')
  await must(post(service, '/v1/tables', { name: 't', infer_from: path }), 201)
  await must(post(service, '/v1/tables/t/files', { files: [{ path }] }))
  const dumped = async () => {
    const reply = await fetch(`${service.url}/v1/tables/t/dump?format=parquet`)
    expect(reply.status).toBe(200)
    const copy = `${service.dataFolder}/dump.parquet`
    await writeFile(copy, new Uint8Array(await reply.arrayBuffer()))
    return rowGroupsOf(copy)
  }
  const written = await rowGroupsOf(path)
  expect(written.length).toBeGreaterThan(10)
  expect(await dumped()).toEqual(written)

  const changes = [{ op: 'widen', name: 'n', type: 'double' }]
  await must(post(service, '/v1/tables/t/schemas', { changes }))
  expect(await dumped()).toEqual([122_880, 122_880, ROWS - 2 * 122_880])
  const { data_files: files } = await must(ask(service, '/v1/tables/t'))
  const [file] = files
  expect(await rowGroupsOf(file.path.replace('file://', ''))).toEqual([
    ...[122_880, 122_880, ROWS - 2 * 122_880],
  ])
})
