import { gunzipSync } from 'node:zlib'
import Sqlite from 'better-sqlite3'
import type { ArchiveTableDependencies } from '../../../src/modules/exports/archive-table.ts'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { settle } from '../../../src/modules/exports/settle-run.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'
import { untilAudited } from '../audit/until-audited.ts'
import { changedStore } from './changed-store.ts'
import { writeTask } from './export-harness.ts'
import { exportParts, JOB, runOf, SIGNAL } from './export-runs.ts'
import { sendBytes } from './send-bytes.ts'

class Killed extends Error {}

let service: TestService
let files = 0
beforeEach(async () => {
  service = await startTestService()
  const columns = [
    { name: 'id', type: 'long' },
    { name: 'day', type: 'date' },
    { name: 'note', type: 'string' },
  ]
  await must(post(service, '/v1/tables', { name: 's.t', schema: { columns } }), 201)
})
afterEach(() => service.close())

/** A data file with so many rows from each of these days on. */
async function append(first: number, rows: number, day: string, nullAt = -1): Promise<void> {
  const path = `${service.dataFolder}/${++files}.parquet`
  const select =
    `SELECT CASE WHEN i <> ${nullAt} THEN (${first} + i)::BIGINT END AS id, ` +
    `(DATE '${day}' + i::INT) AS day, 'a,b' AS note FROM range(${rows}) r(i)`
  await writeParquet(path, select)
  await must(post(service, '/v1/tables/s.t/files', { files: [{ path: `file://${path}` }] }))
}

const left = async (): Promise<number> =>
  (await must(ask(service, '/v1/tables/s.t'))).totals.records
const task = (more: object) =>
  writeTask(`${service.home}/exports`, 't', {
    'task.json': { source: 'moraine', table: 's.t', ...more },
  })
const resultOf = async () => (await must(ask(service, '/v1/exports/t/runs'))).runs[0].result

async function archived(): Promise<readonly string[]> {
  const { files: listed } = await must(ask(service, '/v1/exports/t/files'))
  const lines: string[] = []
  for (const { url } of listed) {
    const text = gunzipSync(await sendBytes(`${service.url}${url}`)).toString()
    lines.push(...text.trim().split('\n').slice(1))
  }
  return lines
}

test('rows that are meant are archived and removed, others of their files are kept', async () => {
  await append(0, 100, '2020-01-01')
  await append(100, 100, '2020-06-01')
  await append(200, 100, '2020-12-31')
  await append(300, 100, '2021-06-01')
  await task({ where: "day < '2021-01-01'" })
  const { rows } = await must(post(service, '/v1/exports/t/runs', { dry_run: true }))
  expect(rows).toBe(201)
  expect((await post(service, '/exports/t', {})).status).toBe(200)
  expect(await left()).toBe(199)
  expect(await resultOf()).toMatchObject({ rows: 201, deleted: 201, proof: 'rewritten files' })
  const lines = await archived()
  expect(lines[0]).toBe('0,2020-01-01,"a,b"')
  expect(new Set(lines).size).toBe(201)
  // The snapshot before it still has them.
  const { snapshots } = await must(ask(service, '/v1/tables/s.t/snapshots'))
  expect(snapshots[0].operation).toBe('overwrite')
  expect((await post(service, '/exports/t', {})).status).toBe(200)
  expect(await resultOf()).toEqual({ outcome: 'empty' })
})

test('a row for which the condition is not known stays', async () => {
  await append(0, 10, '2020-01-01', 3)
  await append(10, 10, '2020-01-01')
  await task({ where: 'id < 1000' })
  expect((await post(service, '/exports/t', {})).status).toBe(200)
  expect(await left()).toBe(1)
  expect(await resultOf()).toMatchObject({ rows: 19 })
})

test('whole files are removed by their metadata, without being written anew', async () => {
  await append(0, 10, '2020-01-01')
  await append(10, 10, '2021-01-01')
  await task({ where: "day < '2020-12-31'" })
  const { rows } = await must(post(service, '/v1/exports/t/runs', { dry_run: true }))
  expect(rows).toBe(10)
  expect((await post(service, '/exports/t', {})).status).toBe(200)
  expect(await resultOf()).toMatchObject({ rows: 10, proof: 'whole files' })
  const { snapshots } = await must(ask(service, '/v1/tables/s.t/snapshots'))
  expect(snapshots[0].operation).toBe('delete')
})

test('min_age archives what is old, and archive_to appends it to another table', async () => {
  await append(0, 10, '2020-01-01')
  await append(10, 10, new Date().toISOString().slice(0, 10))
  await task({ min_age: '90 days', age_column: 'day', archive_to: 'archive.t' })
  expect((await post(service, '/exports/t', {})).status).toBe(200)
  expect(await left()).toBe(10)
  expect((await must(ask(service, '/v1/tables/archive.t'))).totals.records).toBe(10)
})

test('rows of too many partitions to be written anew are told with their file', async () => {
  await append(0, 1_100, '2020-01-01')
  const fields = [{ 'source-id': 1, transform: 'identity', name: 'by_id' }]
  const updates = [
    { action: 'add-spec', spec: { 'spec-id': 1, fields } },
    { action: 'set-default-spec', 'spec-id': -1 },
  ]
  const changed = { requirements: [], updates }
  await must(post(service, '/iceberg/v1/namespaces/s/tables/t', changed))
  await task({ where: 'id < 10' })
  const { status, body } = await post(service, '/exports/t', {})
  expect([status, body.type]).toEqual([422, '/problems/file-spans-partitions'])
  expect(body.detail).toMatch(/some rows of file:.*: let an engine rewrite it by partition/)
  expect(await left()).toBe(1_100)
  expect(await archived()).toEqual([])
})

test.each([
  ['s.t', 'S.T'],
  ['t', 'default.t'],
  ['default.t', 't'],
])('the archive of %s is not %s, which it is itself', (table, archive_to) => {
  const parse = (given: object) => () =>
    parseTask('t', { json: JSON.stringify({ table, where: 'true', ...given }), changedAtMs: 0 })
  expect(parse({ source: 'moraine', archive_to })).toThrow('is the table itself')
  expect(parse({ source: 'moraine', archive_to: 'other.t' })).not.toThrow()
  // Of a database it may have the same name.
  expect(parse({ archive_to })).not.toThrow()
})

/** What a run has, on a store that dies. */
function depsOf(objects: ObjectStore) {
  const tables = service.deps as ArchiveTableDependencies
  return exportParts({ objects, warehouse: service.deps.warehouse, tables })
}
const RUN = runOf(JOB)
const parsed = () =>
  parseTask('t', {
    json: JSON.stringify({ source: 'moraine', table: 's.t', where: 'true' }),
    changedAtMs: 0,
  })
/** As a catalog that was rebuilt has none. */
function forgetTransactions(): void {
  const database = new Sqlite(`${service.home}/catalog.db`, { fileMustExist: true })
  database.exec('DELETE FROM transactions')
  database.close()
}
const isNote = (location: string) => location.endsWith('.csv.json')

test.each([
  ['before the commit', false, false],
  ['after it', true, false],
  ['after it, and the catalog was rebuilt since', true, true],
] as const)('killed %s: each row is in the table or archived, once', async (_, after, isNew) => {
  await append(0, 50, '2020-01-01')
  await writeTask(`${service.home}/exports`, 't', { 'task.json': { table: 'x', where: 'true' } })
  const { objects } = service.deps
  const broken = changedStore(objects, {
    putIfAbsent: async (location, bytes) => {
      const outcome = await objects.putIfAbsent(location, bytes)
      if (isNote(location) && !after) throw new Killed()
      return outcome
    },
    moveIfAbsent: async () => {
      throw new Killed()
    },
    delete: async () => {
      throw new Killed()
    },
  })
  await expect(exportOnce(depsOf(broken), parsed(), RUN)).rejects.toThrow(Killed)
  if (isNew) forgetTransactions()
  const deps = depsOf(objects)
  const notes = await deps.files.listNotes('t', JOB)
  expect(notes).toHaveLength(1)
  for (const note of notes) {
    expect((await settle(deps, note, SIGNAL))?.rows).toBe(after ? 50 : undefined)
  }
  expect([await left(), (await archived()).length]).toEqual(after ? [0, 50] : [50, 0])
})

test('an append in between stays, and what was copied before it is removed', async () => {
  await append(0, 50, '2020-01-01')
  await writeTask(`${service.home}/exports`, 't', { 'task.json': { table: 'x', where: 'true' } })
  const { objects } = service.deps
  let isFirst = true
  const racing = changedStore(objects, {
    putIfAbsent: async (location, bytes) => {
      if (isNote(location) && isFirst) {
        isFirst = false
        await append(50, 50, '2020-01-01')
      }
      return objects.putIfAbsent(location, bytes)
    },
  })
  await expect(exportOnce(depsOf(racing), parsed(), RUN)).resolves.toMatchObject({ rows: 50 })
  expect([await left(), (await archived()).length]).toEqual([50, 50])
})

test('who downloads an exported file is in the audit, who lists them is not', async () => {
  await append(0, 10, '2020-01-01')
  await task({ where: 'id < 100' })
  expect((await post(service, '/exports/t', {})).status).toBe(200)
  const { files: listed } = await must(ask(service, '/v1/exports/t/files'))
  await sendBytes(`${service.url}${listed[0].url}`)
  await sendBytes(`${service.url}${listed[0].url}`)
  await untilAudited(service)
  const { audit_logs } = await must(ask(service, '/v1/audit-logs?subject=export:t'))
  const told = audit_logs.map(({ action, status, target }: Json) => [action, status, target.kind])
  expect(told.sort()).toEqual([
    ['export.asked', null, 'export'],
    ['getExportFile', 200, 'export'],
    ['getExportFile', 200, 'export'],
  ])
})

test('NUL in text is archived as it is, and appended', async () => {
  const path = `${service.dataFolder}/nul.parquet`
  const select =
    "SELECT 1::BIGINT AS id, DATE '2020-01-01' AS day, 'a' || chr(0) || 'b' AS note " +
    "UNION ALL SELECT 2, DATE '2020-01-01', chr(0)"
  await writeParquet(path, select)
  await must(post(service, '/v1/tables/s.t/files', { files: [{ path: `file://${path}` }] }))
  await task({ where: 'id < 9', archive_to: 'archive.t' })
  expect((await post(service, '/exports/t', {})).status).toBe(200)
  expect(await left()).toBe(0)
  expect(await archived()).toEqual(['1,2020-01-01,a\0b', '2,2020-01-01,\0'])
  const dump = await fetch(`${service.url}/v1/tables/archive.t/dump?format=ndjson`)
  const notes = (await dump.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).note)
  expect(notes).toEqual(['a\0b', '\0'])
})
