import { jest } from '@jest/globals'
import { CatalogError } from '../../../src/core/errors.ts'
import type { DataFile } from '../../../src/core/file/data-file.ts'
import type { ArchiveTableDependencies } from '../../../src/modules/exports/archive-table.ts'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { settle } from '../../../src/modules/exports/settle-run.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import { readTable } from '../../../src/modules/tables/tables.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { commitDeletes } from '../../lake/commit/commit-deletes.ts'
import { append, Lake } from '../../lake/lake.ts'
import type { Workshop } from '../../lake/workshop.ts'
import { refusal } from '../../refusal.ts'
import { changedStore } from './changed-store.ts'
import { upgradeTable, writeTask } from './export-harness.ts'
import { archivedIds, archivedTexts, exportParts, JOB, runOf, SIGNAL } from './export-runs.ts'
import { sendBytes } from './send-bytes.ts'

/** Engines start as processes of their own. */
jest.setTimeout(300_000)

class Killed extends Error {}
let lake: Lake
let service: TestService
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  service = await startTestService()
  shop = service as unknown as Workshop
})
afterEach(() => service.close())

const path = (name: string) => `${service.dataFolder}/${name}.parquet`
const COLUMNS = [
  { name: 'id', type: 'long' },
  { name: 'day', type: 'date' },
  { name: 'note', type: 'string' },
  { name: 'x', type: 'double' },
]
const IDS = ', FIELD_IDS {id: 1, day: 2, note: 3, x: 4}'

/** Days of three months, notes `a0` to `a4`; every seventh value is null, some are NaN. */
function rowsFrom(first: number, rows: number): string {
  const unlessNull = (value: string, every: number) =>
    `CASE WHEN i % ${every} <> 0 THEN ${value} END`
  return (
    `SELECT (${first} + i)::BIGINT AS id, ${unlessNull("DATE '2020-01-01' + (i % 90)::INT", 7)} ` +
    `AS day, ${unlessNull("'a' || i % 5", 11)} AS note, CASE WHEN i % 13 = 0 THEN NULL ` +
    `WHEN i % 17 = 0 THEN 'NaN'::DOUBLE ELSE i % 9 - 4 END AS x FROM range(${rows}) r(i)`
  )
}

async function newTable(name: string, more: object = {}): Promise<void> {
  await must(post(service, '/v1/tables', { name, schema: { columns: COLUMNS }, ...more }), 201)
}

async function addRows(table: string, first: number, rows: number): Promise<string> {
  const made = await lake.write(path(`${table}-${first}`), rowsFrom(first, rows), IDS)
  await append(shop, table, made)
  return made
}

const depsOf = (objects: ObjectStore = service.deps.objects) =>
  exportParts({
    ...{ objects, warehouse: service.deps.warehouse },
    tables: { ...(service.deps as ArchiveTableDependencies), objects },
  })
const taskOf = (more: object) =>
  parseTask('t', {
    json: JSON.stringify({ source: 'moraine', table: 's.t', ...more }),
    changedAtMs: 0,
  })

/** Rows that the table has now, as its dumps tell, by their ids. */
async function leftRows(table = 's.t'): Promise<readonly Record<string, unknown>[]> {
  const text = await sendBytes(`${service.url}/v1/tables/${table}/dump?format=ndjson`)
  const lines = text.toString().split('\n')
  const rows = lines.filter((line) => line !== '').map((line) => JSON.parse(line))
  return rows.sort((one, other) => Number(one.id) - Number(other.id))
}
const leftIds = async () => (await leftRows()).map(({ id }) => Number(id))
const inOrder = (ids: readonly number[]) => [...ids].sort((one, other) => one - other)
const from = (first: number, rows: number) => Array.from({ length: rows }, (_, i) => first + i)

async function filesOf(table = 's.t'): Promise<readonly DataFile[]> {
  const { plan } = await readTable(shop.deps, { table })
  return [...plan.plannedFiles()].map(({ dataFile }) => dataFile)
}

/** Files of the table that are in its own folder. */
async function ownFiles(): Promise<readonly string[]> {
  const paths = (await filesOf()).map((file) => file.path)
  return paths.filter((each) => !each.includes(service.dataFolder)).sort()
}

/** Objects in the folder of the table's data, uploads on their way included. */
async function placedFiles(): Promise<readonly string[]> {
  const { state } = await readTable(shop.deps, { table: 's.t' })
  const found: string[] = []
  const folder = `${state.definition.location}/data`
  for await (const { location } of service.deps.objects.list(folder)) found.push(location)
  return found.sort()
}

test.each([
  "id < 30 OR note = 'a1'",
  'NOT (x > 1)',
  "x <> 2 AND day < '2020-02-01'",
  'x IS NULL OR day IS NULL',
  "NOT (note LIKE 'a_' AND x <= 0)",
  "note IN ('a2', 'a3') OR NOT (id >= 50)",
  'x >= -4 OR id = 3',
  "note IN ('a2', NULL) OR x = NULL",
  'id < 7 OR NOT (id IN (1, NULL))',
  "id = 5 OR note <> NULL OR NOT (note LIKE 'a_')",
])('rows for which `%s` is true are archived, and all others are kept', async (condition) => {
  await newTable('s.t')
  const files = [await addRows('s.t', 0, 100), await addRows('s.t', 100, 1)]
  const read = `read_parquet([${files.map((file) => `'${file}'`)}])`
  const meant = await lake.query(`SELECT id FROM ${read} WHERE (${condition}) IS TRUE ORDER BY id`)
  const before = await leftRows()
  const result = await exportOnce(depsOf(), taskOf({ where: condition }), runOf())
  const ids = meant.map(({ id }) => Number(id))
  expect(ids.length).toBeGreaterThan(0)
  expect(result).toMatchObject({ rows: ids.length, proof: 'rewritten files' })
  expect(inOrder(await archivedIds(depsOf()))).toEqual(ids)
  // Values as they were, too.
  expect(await leftRows()).toEqual(before.filter(({ id }) => !ids.includes(Number(id))))
})

async function addDeletes(
  name: string,
  query: string,
  ids: string,
  rest: Partial<DataFile>,
): Promise<void> {
  const location = await lake.write(path(name), query, `, FIELD_IDS {${ids}}`)
  const described: DataFile = {
    ...{ content: 'equality-deletes', format: 'parquet', specId: 0, partition: [] },
    ...{ recordCount: 1, fileSizeBytes: 100, path: `file://${location}`, ...rest },
  }
  await commitDeletes(shop, 's.t', [described])
}

/** Deletes the first rows of a file. */
function deletePositions(file: string, rows: number): Promise<void> {
  const query = `SELECT 'file://${file}' AS file_path, range AS pos FROM range(${rows})`
  const reserved = 'file_path: 2147483546, pos: 2147483545'
  return addDeletes('pos', query, reserved, { content: 'position-deletes', recordCount: rows })
}

test('deleted rows are neither archived nor brought back', async () => {
  await newTable('s.t')
  const file = await addRows('s.t', 0, 100)
  await addRows('s.t', 100, 100)
  await deletePositions(file, 10)
  await addDeletes('eq', 'SELECT (90 + range)::BIGINT AS id FROM range(20)', 'id: 1', {
    equalityIds: [1],
  })
  const alive = [...from(10, 80), ...from(110, 90)]
  expect(inOrder(await leftIds())).toEqual(alive)
  const { rows } = await countOf({ where: 'id < 50 OR id >= 150' })
  expect(rows).toBe(90)
  const result = await exportOnce(depsOf(), taskOf({ where: 'id < 50 OR id >= 150' }), runOf())
  expect(result).toMatchObject({ rows: 90, deleted: 90 })
  expect(inOrder(await archivedIds(depsOf()))).toEqual([...from(10, 40), ...from(150, 50)])
  expect(inOrder(await leftIds())).toEqual([...from(50, 40), ...from(110, 40)])
})

/** What a run would archive, asked over HTTP. */
async function countOf(more: object): Promise<{ readonly rows: number }> {
  await writeTask(`${service.home}/exports`, 't', {
    'task.json': { source: 'moraine', table: 's.t', ...more },
  })
  return must(post(service, '/v1/exports/t/runs', { dry_run: true }))
}

test('files of older schemas are written anew in the present one', async () => {
  await newTable('s.t')
  await addRows('s.t', 0, 20)
  await evolveTable(shop.deps, 's.t', {
    changes: [
      { op: 'rename', name: 'note', to: 'remark' },
      { op: 'drop', name: 'x' },
      { op: 'add', column: { name: 'grade', type: 'int', nullable: false, default: 7 } },
      { op: 'move', name: 'day', first: true },
    ],
  })
  const before = await leftRows()
  await exportOnce(depsOf(), taskOf({ where: "id < 5 OR remark = 'a4'" }), runOf())
  const [text = ''] = await archivedTexts(depsOf())
  expect(text.split('\n').slice(0, 2)).toEqual(['day,id,remark,grade', ',0,,7'])
  const gone = new Set(
    text
      .split('\n')
      .slice(1)
      .map((line) => Number(line.split(',')[1])),
  )
  expect(await leftRows()).toEqual(before.filter(({ id }) => !gone.has(Number(id))))
})

async function partitionByMonth(): Promise<void> {
  const fields = [{ 'source-id': 2, transform: 'month', name: 'month' }]
  await must(
    post(service, '/iceberg/v1/namespaces/s/tables/t', {
      requirements: [],
      updates: [
        { action: 'add-spec', spec: { 'spec-id': 1, fields } },
        { action: 'set-default-spec', 'spec-id': -1 },
      ],
    }),
  )
}

/** The store, before whose first note of a run something happens. */
function beforeFirstNote(what: () => Promise<void>): ObjectStore {
  const { objects } = service.deps
  let isFirst = true
  return changedStore(objects, {
    putIfAbsent: async (location: string, bytes: Uint8Array) => {
      if (location.endsWith('.csv.json') && isFirst) {
        isFirst = false
        await what()
      }
      return objects.putIfAbsent(location, bytes)
    },
  })
}

test('files of an older partition spec are written anew in those of the present one', async () => {
  await newTable('s.t')
  await addRows('s.t', 0, 90)
  await partitionByMonth()
  await exportOnce(depsOf(), taskOf({ where: 'id < 10' }), runOf())
  expect(inOrder(await archivedIds(depsOf()))).toEqual(from(0, 10))
  expect(inOrder(await leftIds())).toEqual(from(10, 80))
  const files = await filesOf()
  // Three months, and rows without a day.
  expect(files.map(({ specId }) => specId)).toEqual([1, 1, 1, 1])
  expect(files.reduce((sum, { recordCount }) => sum + recordCount, 0)).toBe(80)
})

test('an append in between stays, with all of its rows', async () => {
  await newTable('s.t')
  await addRows('s.t', 0, 50)
  const racing = beforeFirstNote(async () => {
    await addRows('s.t', 50, 50)
  })
  const result = await exportOnce(depsOf(racing), taskOf({ where: "note = 'a1'" }), runOf())
  expect(result).toMatchObject({ rows: 9, deleted: 9 })
  expect(inOrder([...(await archivedIds(depsOf())), ...(await leftIds())])).toEqual(from(0, 100))
  expect(await placedFiles()).toEqual(await ownFiles())
})

test('rows that are deleted in between are not archived, nor brought back', async () => {
  await newTable('s.t')
  const file = await addRows('s.t', 0, 50)
  const racing = beforeFirstNote(async () => {
    await deletePositions(file, 10)
  })
  const result = await exportOnce(depsOf(racing), taskOf({ where: 'id < 30' }), runOf())
  expect(result).toMatchObject({ rows: 20, deleted: 20 })
  expect(inOrder(await archivedIds(depsOf()))).toEqual(from(10, 20))
  expect(inOrder(await leftIds())).toEqual(from(30, 20))
  expect(await placedFiles()).toEqual(await ownFiles())
})

test('a file that is removed in between is not archived, nor brought back', async () => {
  await newTable('s.t')
  const file = await addRows('s.t', 0, 50)
  await addRows('s.t', 50, 50)
  const racing = beforeFirstNote(async () => {
    const files = [{ path: `file://${file}` }]
    await must(post(service, '/v1/tables/s.t/files/remove', { files }))
  })
  await exportOnce(depsOf(racing), taskOf({ where: "note = 'a1'" }), runOf())
  const all = [...(await archivedIds(depsOf())), ...(await leftIds())]
  expect(inOrder(all)).toEqual(from(50, 50))
  expect(await placedFiles()).toEqual(await ownFiles())
})

const CHANGES = {
  'a schema': () => evolveTable(shop.deps, 's.t', { changes: [{ op: 'drop', name: 'x' }] }),
  'a partition spec': () => partitionByMonth(),
}
test.each(Object.keys(CHANGES) as (keyof typeof CHANGES)[])(
  '%s that changes in between loses nothing, and nothing is left over',
  async (what) => {
    await newTable('s.t')
    await addRows('s.t', 0, 60)
    const racing = beforeFirstNote(async () => {
      await CHANGES[what]()
    })
    await exportOnce(depsOf(racing), taskOf({ where: 'id < 20' }), runOf())
    expect(inOrder(await archivedIds(depsOf()))).toEqual(from(0, 20))
    expect(inOrder(await leftIds())).toEqual(from(20, 40))
    expect(await placedFiles()).toEqual(await ownFiles())
  },
)

test.each([
  ['before the note', 0, false],
  ['between note and commit', 1, false],
  ['after the commit', 1, true],
] as const)('killed %s: each row is in the table or archived, once', async (_, notes, after) => {
  await newTable('s.t')
  await addRows('s.t', 0, 50)
  const { objects } = service.deps
  const broken = changedStore(objects, {
    putIfAbsent: async (location: string, bytes: Uint8Array) => {
      const isNote = location.endsWith('.csv.json')
      if (isNote && notes === 0) throw new Killed()
      const outcome = await objects.putIfAbsent(location, bytes)
      if (isNote && !after) throw new Killed()
      return outcome
    },
    moveIfAbsent: async (source: string, target: string) => {
      if (target.includes('/.exports/')) throw new Killed()
      return objects.moveIfAbsent(source, target)
    },
    // Nothing is cleaned up either.
    delete: async () => {
      throw new Killed()
    },
  })
  const run = exportOnce(depsOf(broken), taskOf({ where: "note = 'a1'" }), runOf(JOB))
  await expect(run).rejects.toThrow(Killed)
  const deps = depsOf()
  const found = await deps.files.listNotes('t', JOB)
  expect(found).toHaveLength(notes)
  for (const note of found)
    expect((await settle(deps, note, SIGNAL))?.rows).toBe(after ? 9 : undefined)
  expect(await archivedIds(deps)).toHaveLength(after ? 9 : 0)
  expect(inOrder([...(await archivedIds(deps)), ...(await leftIds())])).toEqual(from(0, 50))
  // What was placed is the table's, or is to be deleted.
  const named = new Set((await filesOf()).map((file) => file.path))
  const placed = (await placedFiles()).filter((file) => !named.has(file))
  expect(placed).toHaveLength(after ? 0 : 1)
  const nowMs = Date.now() + 30 * 24 * 3_600_000
  const due = await service.deps.catalog.deletions.listDue({ nowMs, limit: 100 })
  expect(due.filter(({ path: each }) => placed.includes(each))).toHaveLength(placed.length)
})

test.each([2, 3])('beside a writer each row of version %i is left or archived', async (version) => {
  await newTable('s.t')
  await upgradeTable(service, 's.t', version)
  let [written, isStopped] = [0, false]
  const write = async () => {
    // More files take long on a busy machine: each is converted.
    while (!isStopped && written < 400) {
      await addRows('s.t', written, 20)
      written += 20
    }
  }
  const writing = write()
  const ends = new Map<string, number>()
  while (written < 160) {
    const run = exportOnce(depsOf(), taskOf({ where: "note <> 'a1'" }), runOf())
    const end = await run.then(
      ({ outcome }) => outcome,
      ({ code }) => code,
    )
    expect(['exported', 'empty', 'overloaded']).toContain(end)
    ends.set(end, (ends.get(end) ?? 0) + 1)
  }
  isStopped = true
  await writing
  await exportOnce(depsOf(), taskOf({ where: "note <> 'a1'" }), runOf())
  const archived = await archivedIds(depsOf())
  expect(archived.length).toBeGreaterThan(0)
  expect(inOrder([...archived, ...(await leftIds())])).toEqual(from(0, written))
  expect(await placedFiles()).toEqual(await ownFiles())
  process.stdout.write(
    `${written} rows, ${archived.length} archived: ${JSON.stringify([...ends])}\n`,
  )
})

test('a store that fails while the others are written leaves the table as it was', async () => {
  await newTable('s.t')
  await addRows('s.t', 0, 50)
  const { objects } = service.deps
  const full = changedStore(objects, {
    putFileIfAbsent: async () => {
      throw new CatalogError('storage-full', 'disk full')
    },
  })
  const before = await filesOf()
  const failed = await refusal(exportOnce(depsOf(full), taskOf({ where: 'id < 9' }), runOf()))
  expect(failed.code).toBe('storage-full')
  expect(await filesOf()).toEqual(before)
  expect(await archivedIds(depsOf())).toEqual([])
  expect(await placedFiles()).toEqual([])
  expect((await must(ask(service, '/v1/tables/s.t'))).totals.records).toBe(50)
})
