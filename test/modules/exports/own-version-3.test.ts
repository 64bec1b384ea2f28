import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { writeDeletionVector } from '../../formats/deletes/deletion-vector-writer.ts'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { commitDeletes } from '../../lake/commit/commit-deletes.ts'
import type { Workshop } from '../../lake/workshop.ts'
import { writeParquet } from '../../parquet-files.ts'
import { writeTask } from './export-harness.ts'
import { sendBytes } from './send-bytes.ts'

let service: TestService
beforeEach(async () => {
  service = await startTestService()
})
afterEach(() => service.close())

/** Ten rows of a table of version 3, of which a deletion vector has left seven. */
async function makeTable(): Promise<void> {
  const file = await writeParquet(
    join(service.dataFolder, 't.parquet'),
    "SELECT range AS id, 'n' || range AS note FROM range(10)",
  )
  await must(post(service, '/v1/tables', { name: 's.t', infer_from: file }), 201)
  await must(post(service, '/v1/tables/s.t/files', { files: [{ path: file }] }))
  const deleted = [1, 3, 6]
  const containers = [{ high: 0, lows: deleted }]
  const blob = writeDeletionVector([{ key: 0, containers, withRuns: false }])
  const puffin = join(service.dataFolder, 'vectors.puffin')
  await writeFile(puffin, Buffer.concat([Buffer.from('PFA1'), blob]))
  await commitDeletes(service as unknown as Workshop, 's.t', [
    {
      ...{ content: 'position-deletes', format: 'puffin', specId: 0, partition: [] },
      ...{ path: `file://${puffin}`, fileSizeBytes: 4 + blob.length, recordCount: 3 },
      ...{ referencedDataFile: `file://${file}`, contentOffset: 4, contentSizeBytes: blob.length },
    },
  ])
  const address = '/iceberg/v1/namespaces/s/tables/t'
  const { metadata } = await must(ask(service, address))
  const [schema] = metadata.schemas
  const later = { id: 10, name: 'later', required: false, type: 'timestamp_ns' }
  const updates = [
    { action: 'upgrade-format-version', 'format-version': 3 },
    { action: 'add-schema', schema: { ...schema, fields: [...schema.fields, later] } },
    { action: 'set-current-schema', 'schema-id': -1 },
  ]
  await must(post(service, address, { requirements: [], updates }))
}
const task = (more: object) =>
  writeTask(join(service.home, 'exports'), 't', {
    'task.json': { source: 'moraine', table: 's.t', ...more },
  })

test('of a table of version 3 the rows that are left are copied, and stay', async () => {
  await makeTable()
  await task({ where: 'id < 8', mode: 'keep', archive_to: 'archive.t' })
  const { rows } = await must(post(service, '/v1/exports/t/runs', { dry_run: true }))
  expect(rows).toBe(5)
  expect((await post(service, '/exports/t', {})).status).toBe(200)
  const { files } = await must(ask(service, '/v1/exports/t/files'))
  expect(files).toMatchObject([{ rows: 5, deleted: 0, proof: 'none deleted' }])
  const text = gunzipSync(await sendBytes(`${service.url}${files[0].url}`)).toString()
  expect(text).toBe('id,note,later\n0,n0,\n2,n2,\n4,n4,\n5,n5,\n7,n7,\n')
  const { columns } = (await must(ask(service, '/v1/tables/archive.t'))).schema
  expect(columns.map(({ type }: { type: string }) => type)).toEqual(['long', 'string', 'string'])
  expect((await must(ask(service, '/v1/tables/archive.t'))).totals.records).toBe(5)
})

test('rows of a table of version 3 are removed, and the deletion vector', async () => {
  await makeTable()
  await task({ where: 'id < 8' })
  await must(post(service, '/exports/t', {}))
  const { files } = await must(ask(service, '/v1/exports/t/files'))
  expect(files).toMatchObject([{ rows: 5, deleted: 5, proof: 'rewritten files' }])
  const text = gunzipSync(await sendBytes(`${service.url}${files[0].url}`)).toString()
  expect(text).toBe('id,note,later\n0,n0,\n2,n2,\n4,n4,\n5,n5,\n7,n7,\n')
  const left = await must(ask(service, '/v1/tables/s.t/rows'))
  expect(left.rows).toEqual([8, 9].map((id) => ({ id, note: `n${id}`, later: null })))
  const { data_files: now, totals } = await must(ask(service, '/v1/tables/s.t'))
  expect([totals.records, now.map((file: Json) => file.delete_files)]).toEqual([2, [[]]])
  const { summary } = (await must(ask(service, '/v1/tables/s.t'))).snapshot
  expect(summary).toMatchObject({ 'removed-delete-files': '1', 'total-delete-files': '0' })
})

test('a whole file of a table of version 3 goes with its deletion vector', async () => {
  await makeTable()
  await task({ where: 'id < 10' })
  await must(post(service, '/exports/t', {}))
  const { files } = await must(ask(service, '/v1/exports/t/files'))
  expect(files).toMatchObject([{ rows: 7, deleted: 7, proof: 'whole files' }])
  const { data_files: now, snapshot } = await must(ask(service, '/v1/tables/s.t'))
  expect([now, snapshot.summary['total-delete-files']]).toEqual([[], '0'])
})
