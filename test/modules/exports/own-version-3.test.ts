import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { ArchiveTableDependencies } from '../../../src/modules/exports/archive-table.ts'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { writeDeletionVector } from '../../formats/deletes/deletion-vector-writer.ts'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { commitDeletes } from '../../lake/commit/commit-deletes.ts'
import { rowLineage } from '../../lake/row-lineage.ts'
import type { Workshop } from '../../lake/workshop.ts'
import { querySql, writeParquet } from '../../parquet-files.ts'
import { changedStore } from './changed-store.ts'
import { upgradeTable, writeTask } from './export-harness.ts'
import { exportParts, runOf } from './export-runs.ts'
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

/** What remains of a row when it moves: its id, and since when it is as it is. */
async function lineage(): Promise<Awaited<ReturnType<typeof rowLineage>>> {
  return await rowLineage(service.deps, 's.t', 'id')
}

test('rows that are kept keep their ids, however often their file is written anew', async () => {
  await makeTable()
  // The first snapshot of version 3 gives ids to all files.
  await addRows(10, 'SELECT 10 + range AS id FROM range(10)')
  const before = await lineage()
  expect(Object.keys(before)).toHaveLength(20)
  expect(new Set(Object.values(before).map(([id]) => id)).size).toBe(20)
  for (const where of ['id < 3', 'id = 5 OR id = 13', 'id = 8', 'id > 17']) {
    await task({ where })
    await must(post(service, '/exports/t', {}))
  }
  const kept = [4, 7, 9, 10, 11, 12, 14, 15, 16, 17].map(String)
  expect(await lineage()).toEqual(Object.fromEntries(kept.map((id) => [id, before[id]])))
  await must(
    post(service, '/v1/tables/s.t/schemas', {
      changes: [{ op: 'type', name: 'id', type: 'double' }],
    }),
  )
  const converted = Object.entries(await lineage()).map(([id, own]) => [String(Number(id)), own])
  expect(Object.fromEntries(converted)).toEqual(
    Object.fromEntries(kept.map((id) => [id, before[id]])),
  )
  // None of our readers shows where they stand.
  const dumped = await sendBytes(`${service.url}/v1/tables/s.t/dump?format=parquet`)
  const path = join(service.dataFolder, 'dumped.parquet')
  await writeFile(path, dumped)
  const columns = await querySql(`SELECT name FROM parquet_schema('${path}') OFFSET 1`)
  expect(columns.map(({ name }) => name)).toEqual(['id', 'note', 'later'])
  const { rows } = await must(ask(service, '/v1/tables/s.t/rows?limit=1'))
  expect(Object.keys(rows[0])).toEqual(['id', 'note', 'later'])
})

async function addRows(first: number, query: string): Promise<void> {
  const path = await writeParquet(join(service.dataFolder, `${first}.parquet`), query)
  await must(post(service, '/v1/tables/s.t/files', { files: [{ path }] }))
}

test('rows keep their ids when their file is split by a newer partition spec', async () => {
  await makeTable()
  await addRows(10, 'SELECT 10 + range AS id FROM range(10)')
  const before = await lineage()
  const fields = [{ 'source-id': 1, transform: 'bucket[3]', name: 'by_id' }]
  const updates = [
    { action: 'add-spec', spec: { 'spec-id': 1, fields } },
    { action: 'set-default-spec', 'spec-id': -1 },
  ]
  await must(post(service, '/iceberg/v1/namespaces/s/tables/t', { requirements: [], updates }))
  await task({ where: 'id IN (0, 19)' })
  await must(post(service, '/exports/t', {}))
  const { [0]: _first, [19]: _last, 1: _1, 3: _3, 6: _6, ...kept } = before
  expect(await lineage()).toEqual(kept)
  const { data_files: files } = await must(ask(service, '/v1/tables/s.t'))
  expect(files.length).toBeGreaterThan(3)
})

test('rows that get their ids while a run copies them keep these', async () => {
  const file = await writeParquet(
    join(service.dataFolder, 't.parquet'),
    'SELECT range AS id FROM range(10)',
  )
  await must(post(service, '/v1/tables', { name: 's.t', infer_from: file }), 201)
  await must(post(service, '/v1/tables/s.t/files', { files: [{ path: file }] }))
  await upgradeTable(service, 's.t', 3)
  const { objects, warehouse } = service.deps
  let before: Json
  // Before the first note of the run, which then knows nothing of ids.
  const racing = changedStore(objects, {
    putIfAbsent: async (location: string, bytes: Uint8Array) => {
      if (location.endsWith('.csv.json') && before === undefined) {
        await addRows(10, 'SELECT 10 + range AS id FROM range(10)')
        before = await lineage()
      }
      return objects.putIfAbsent(location, bytes)
    },
  })
  const tables = { ...(service.deps as ArchiveTableDependencies), objects: racing }
  const json = JSON.stringify({ source: 'moraine', table: 's.t', where: 'id < 4' })
  const parsed = parseTask('t', { json, changedAtMs: 0 })
  const parts = exportParts({ objects: racing, warehouse, tables })
  expect(await exportOnce(parts, parsed, runOf())).toMatchObject({ rows: 4, deleted: 4 })
  const { 0: _0, 1: _1, 2: _2, 3: _3, ...kept } = before
  expect(Object.values(kept).every(([id]: Json) => typeof id === 'number')).toBe(true)
  expect(await lineage()).toEqual(kept)
})

test('where the table has a column of the name, rows that move count as new', async () => {
  const query = 'SELECT range AS id, range + 50 AS _ROW_ID FROM range(6)'
  const file = await writeParquet(join(service.dataFolder, 'own.parquet'), query)
  await must(post(service, '/v1/tables', { name: 's.t', infer_from: file }), 201)
  await upgradeTable(service, 's.t', 3)
  await must(post(service, '/v1/tables/s.t/files', { files: [{ path: file }] }))
  await task({ where: 'id < 4' })
  await must(post(service, '/exports/t', {}))
  const { rows } = await must(ask(service, '/v1/tables/s.t/rows'))
  expect(rows).toEqual([4, 5].map((id) => ({ id, _ROW_ID: id + 50 })))
  expect(await lineage()).toEqual({ 4: [6, 2], 5: [7, 2] })
})

test('a file that says which rows it has is not taken from others', async () => {
  await makeTable()
  const path = await writeParquet(
    join(service.dataFolder, 'other.parquet'),
    'SELECT 1::BIGINT AS id, 7::BIGINT AS _row_id',
    ', FIELD_IDS {id: 1, _row_id: 2147483540}',
  )
  const { status, body } = await post(service, '/v1/tables/s.t/files', { files: [{ path }] })
  expect([status, body.type]).toEqual([422, '/problems/file-schema-mismatch'])
  expect(body.problems[0].column).toBe('_row_id')
})
