import { stat } from 'node:fs/promises'
import type { DataFile } from '../../../src/core/file/data-file.ts'
import { RACE_MS_MAX } from '../../../src/core/limits.ts'
import { nameMappingFromJson } from '../../../src/core/schema/name-mapping.ts'
import type { SnapshotSelector } from '../../../src/core/table/snapshot-selector.ts'
import { currentSchema } from '../../../src/core/table/table.ts'
import { NAME_MAPPING_PROPERTY } from '../../../src/core/table-properties.ts'
import { changeTable } from '../../../src/lake/commit/change-table.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import { createTable, readTable, rollbackTable } from '../../../src/modules/tables/tables.ts'
import { commitDeletes } from '../../lake/commit/commit-deletes.ts'
import { changed, withEngine, withStore } from '../../lake/failing-disk.ts'
import { append, Lake } from '../../lake/lake.ts'
import { openWorkshop, START_MS, type Workshop } from '../../lake/workshop.ts'
import { refusal } from '../../refusal.ts'
import { dataFileNames } from './data-file-names.ts'

let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

const ROWS = `(VALUES
  (1::BIGINT, 9007199254740993::BIGINT, DATE '1969-12-31', true),
  (2, -9223372036854775808, DATE '0001-01-01', false),
  (3, NULL, NULL, NULL),
  (4, 9223372036854775807, DATE '2024-02-29', true)) AS t(k, n, d, b)`
const IDS = ', FIELD_IDS {k: 1, n: 2, d: 3, b: 4}'
const TO_DOUBLE = { op: 'type', name: 'n', type: 'double' } as const
const TO_TIMESTAMP = { op: 'type', name: 'd', type: 'timestamp' } as const
const TO_INT = { op: 'type', name: 'b', type: 'int' } as const

/** Creates a table `t` with one file of `ROWS`, with or without field ids. */
async function newTable(options = IDS, partitioned = false): Promise<bigint> {
  await createTable(shop.deps, {
    name: 't',
    columns: [
      { name: 'k', type: 'long' },
      { name: 'n', type: 'long' },
      { name: 'd', type: 'date' },
      { name: 'b', type: 'boolean' },
    ],
    ...(partitioned && { partitioning: [{ column: 'k', transform: 'identity' }] }),
  })
  if (!partitioned) return append(shop, 't', await writeRows('a', ROWS, options))
  for (const k of [1, 2, 3]) {
    await append(shop, 't', await writeRows(`k${k}`, `${ROWS} WHERE k = ${k}`, options))
  }
  return append(shop, 't', await writeRows('k4', `${ROWS} WHERE k = 4`, options))
}

function writeRows(name: string, from: string, options = IDS): Promise<string> {
  return lake.write(`${shop.dataFolder}/${name}.parquet`, `SELECT * FROM ${from}`, options)
}

async function dataFiles(selector: SnapshotSelector = {}): Promise<readonly DataFile[]> {
  const { plan } = await readTable(shop.deps, { table: 't', ...selector })
  return [...plan.plannedFiles()].map((file) => file.dataFile)
}

/** By an engine of its own, from the files of the snapshot. */
async function rows(selector: SnapshotSelector = {}, columns = 'k, n, d, b') {
  const paths = (await dataFiles(selector)).map((file) => `'${file.path.replace('file://', '')}'`)
  const types = columns
    .split(', ')
    .map((column) => `${column}::VARCHAR AS ${column}, typeof(${column}) AS ${column}_type`)
  return lake.query(`SELECT ${types} FROM read_parquet([${paths}]) ORDER BY k::BIGINT`)
}

test('values of three columns are converted exactly, nulls and old dates included', async () => {
  const before = await newTable()
  const old = await rows()
  shop.setClock(START_MS + 1000)
  const state = await evolveTable(shop.deps, 't', { changes: [TO_DOUBLE, TO_TIMESTAMP, TO_INT] })
  expect(await rows()).toEqual([
    {
      ...{ k: '1', k_type: 'BIGINT', n: '9007199254740992.0', n_type: 'DOUBLE' },
      ...{ d: '1969-12-31 00:00:00', d_type: 'TIMESTAMP', b: '1', b_type: 'INTEGER' },
    },
    {
      ...{ k: '2', k_type: 'BIGINT', n: '-9.223372036854776e+18', n_type: 'DOUBLE' },
      ...{ d: '0001-01-01 00:00:00', d_type: 'TIMESTAMP', b: '0', b_type: 'INTEGER' },
    },
    {
      ...{ k: '3', k_type: 'BIGINT', n: null, n_type: 'DOUBLE' },
      ...{ d: null, d_type: 'TIMESTAMP', b: null, b_type: 'INTEGER' },
    },
    {
      ...{ k: '4', k_type: 'BIGINT', n: '9.223372036854776e+18', n_type: 'DOUBLE' },
      ...{ d: '2024-02-29 00:00:00', d_type: 'TIMESTAMP', b: '1', b_type: 'INTEGER' },
    },
  ])
  expect(await rows({ snapshotIdentifier: String(before) })).toEqual(old)
  expect(state.currentSnapshot).toMatchObject({
    operation: 'overwrite',
    parentSnapshotId: before,
    schemaId: state.definition.currentSchemaId,
    summary: {
      'added-data-files': '1',
      'deleted-data-files': '1',
      'total-records': '4',
      'moraine.schema-change': 'n: long to double, d: date to timestamp, b: boolean to int',
    },
  })
})

test('with field ids, a converted column is a new field of the same name and place', async () => {
  const before = await newTable()
  const state = await evolveTable(shop.deps, 't', { changes: [TO_DOUBLE] })
  const { fields } = currentSchema(state.definition)
  expect(fields.map((field) => [field.id, field.name])).toEqual([
    [1, 'k'],
    [5, 'n'],
    [3, 'd'],
    [4, 'b'],
  ])
  expect(state.definition.lastColumnId).toBe(5)
  const { schema } = await readTable(shop.deps, { table: 't', snapshotIdentifier: String(before) })
  expect(schema.fields.map((field) => [field.id, field.type.kind])).toContainEqual([2, 'long'])
  const [file] = await dataFiles()
  const ids = await lake.query(
    `SELECT name, field_id FROM parquet_schema('${file?.path.replace('file://', '')}') OFFSET 1`,
  )
  expect(ids.map(({ name, field_id: id }) => [name, Number(id)])).toEqual(
    fields.map((field) => [field.name, field.id]),
  )
  expect(file?.lowerBounds?.get(5)).toBeDefined()
  expect(file?.lowerBounds?.get(2)).toBeUndefined()
})

test('where files are found by name, the column keeps its id, and all stay readable', async () => {
  const before = await newTable('')
  const old = await rows()
  const state = await evolveTable(shop.deps, 't', { changes: [TO_DOUBLE] })
  expect(currentSchema(state.definition).fields[1]).toMatchObject({
    id: 2,
    type: { kind: 'double' },
  })
  const mapping = nameMappingFromJson(
    JSON.parse(state.definition.properties[NAME_MAPPING_PROPERTY] ?? ''),
  )
  expect(mapping.map(({ fieldId, names }) => [fieldId, names])).toContainEqual([2, ['n']])
  expect(await rows({ snapshotIdentifier: String(before) })).toEqual(old)
  const query = `(SELECT 5::BIGINT AS k, 0.5::DOUBLE AS n, NULL::DATE AS d, NULL::BOOLEAN AS b)`
  await append(shop, 't', await writeRows('later', query, ''))
  expect((await rows({}, 'k, n')).at(-1)).toMatchObject({ k: '5', n: '0.5' })
  const longs = await writeRows('longs', ROWS, '')
  expect((await refusal(append(shop, 't', longs))).code).toBe('file-schema-mismatch')
})

test('partitions stay as they are, file by file', async () => {
  await newTable(IDS, true)
  await evolveTable(shop.deps, 't', { changes: [TO_DOUBLE] })
  const files = await dataFiles()
  expect(files.map((file) => file.partition)).toEqual(
    expect.arrayContaining([[1n], [2n], [3n], [4n]]),
  )
  for (const file of files) expect(file.path).toContain(`/data/k=${file.partition[0]}/as_at_`)
  expect((await rows()).map(({ n }) => n)).toEqual([
    '9007199254740992.0',
    '-9.223372036854776e+18',
    null,
    '9.223372036854776e+18',
  ])
  const refused = await refusal(
    evolveTable(shop.deps, 't', { changes: [{ op: 'type', name: 'k', type: 'double' }] }),
  )
  expect(refused.code).toBe('schema-change-invalid')
  expect(refused.message).toContain('partitioned')
})

test('deleted rows are gone for good, and their delete files with them', async () => {
  await newTable()
  const deletes = await lake.write(
    `${shop.dataFolder}/deletes.parquet`,
    `SELECT 'file://${shop.dataFolder}/a.parquet' AS file_path, 1::BIGINT AS pos`,
    ', FIELD_IDS {file_path: 2147483546, pos: 2147483545}',
  )
  const fileSizeBytes = (await stat(deletes)).size
  await commitDeletes(shop, 't', [
    {
      content: 'position-deletes',
      path: `file://${deletes}`,
      ...{ format: 'parquet', specId: 0, partition: [], recordCount: 1, fileSizeBytes },
    },
  ])
  await evolveTable(shop.deps, 't', { changes: [TO_DOUBLE] })
  expect((await rows()).map(({ k }) => k)).toEqual(['1', '3', '4'])
  const { plan } = await readTable(shop.deps, { table: 't' })
  expect([...plan.plannedFiles()].map((file) => file.deleteFiles)).toEqual([[]])
})

test('a table whose files are encrypted is refused before any file is converted', async () => {
  await newTable()
  const encryptionKeys = { k1: { 'key-id': 'k1', 'encrypted-key-metadata': 'AA==' } }
  await changeTable(shop.deps, 't', ({ definition }) => ({
    definition: { ...definition, formatVersion: 3, encryptionKeys },
  }))
  const deps = withEngine(shop.deps, { export: () => Promise.reject(new Error('asked')) })
  const attempt = evolveTable(deps, 't', { changes: [TO_DOUBLE] })
  expect((await refusal(attempt)).code).toBe('not-implemented')
})

test('changes that rewrite and changes of metadata are made together or not at all', async () => {
  await newTable()
  const mixed = [
    TO_DOUBLE,
    { op: 'rename', name: 'n', to: 'amount' },
    { op: 'drop', name: 'd' },
    { op: 'add', column: { name: 'x', type: 'string', default: 'new' }, first: true },
  ] as const
  const wrong = { op: 'type', name: 'k', type: 'string' } as const
  expect((await refusal(evolveTable(shop.deps, 't', { changes: [...mixed, wrong] }))).code).toBe(
    'schema-change-invalid',
  )
  expect(await dataFileNames(shop)).toEqual([])
  const state = await evolveTable(shop.deps, 't', { changes: mixed })
  expect(currentSchema(state.definition).fields.map((field) => field.name)).toEqual([
    'x',
    'k',
    'amount',
    'b',
  ])
  expect((await rows({}, 'x, k, amount, b'))[0]).toMatchObject({
    ...{ x: 'new', k: '1', amount: '9007199254740992.0', b: 'true' },
  })
})

test('a table without files changes at once, and keeps its defaults converted', async () => {
  await createTable(shop.deps, {
    name: 't',
    columns: [
      { name: 'd', type: 'date', default: '1969-12-31' },
      { name: 'b', type: 'boolean', default: true },
      { name: 'n', type: 'long', default: 7 },
    ],
  })
  const changes = [TO_TIMESTAMP, TO_INT, TO_DOUBLE]
  const state = await evolveTable(shop.deps, 't', { changes })
  expect(state.currentSnapshot).toBeUndefined()
  expect(currentSchema(state.definition).fields.map((field) => field.writeDefault)).toEqual([
    '1969-12-31T00:00:00.000000',
    1,
    7,
  ])
})

test('the same change asked for again changes nothing', async () => {
  await newTable()
  const first = await evolveTable(shop.deps, 't', { changes: [TO_DOUBLE] })
  const second = await evolveTable(shop.deps, 't', { changes: [TO_DOUBLE] })
  expect(second.version).toBe(first.version)
})

test('a commit in between is kept: its file is converted, too, and no other again', async () => {
  await newTable()
  const other = await writeRows(
    'b',
    '(SELECT 9::BIGINT AS k, 10::BIGINT AS n, NULL::DATE AS d, false AS b)',
  )
  let exports = 0
  const { engine } = shop.deps.converter.options
  const deps = withEngine(shop.deps, {
    export: async (job, options) => {
      const result = await engine.export(job, options)
      exports++
      if (exports === 1) await append(shop, 't', other)
      return result
    },
  })
  await evolveTable(deps, 't', { changes: [TO_DOUBLE] })
  expect(exports).toBe(2)
  expect((await rows({}, 'k, n')).map(({ k, n }) => [k, n])).toContainEqual(['9', '10.0'])
  expect(await dataFiles()).toHaveLength(2)
  expect(await dataFileNames(shop)).toHaveLength(2)
})

test('when other commits keep coming first it ends, and nothing stays', async () => {
  await newTable()
  const now = performance.now.bind(performance)
  let aheadMs = 0
  const catalog = withStore(shop.deps.catalog, 'tables', {
    commit: async ({ tables }) => {
      aheadMs += RACE_MS_MAX / 2
      return {
        outcome: 'version-mismatch',
        tableUuid: tables[0]?.state.definition.tableUuid ?? '',
      }
    },
  })
  performance.now = () => now() + aheadMs
  const attempt = evolveTable({ ...shop.deps, catalog }, 't', { changes: [TO_DOUBLE] })
  const { code, facts } = await refusal(attempt).finally(() => {
    performance.now = now
  })
  expect([code, facts['attempts']]).toEqual(['overloaded', 3])
  expect(await dataFileNames(shop)).toEqual([])
  expect((await rows())[0]).toMatchObject({ n_type: 'BIGINT' })
})

test('a crash between the files and the commit leaves the table as it was', async () => {
  const before = await newTable()
  const old = await rows()
  const catalog = withStore(shop.deps.catalog, 'tables', {
    commit: () => Promise.reject(new Error('killed')),
  })
  // A process that is killed deletes nothing any more.
  const objects = changed(shop.deps.objects, { delete: () => new Promise(() => undefined) })
  const { converter } = shop.deps
  const killed = { ...(await shop.another()), converter, catalog, objects }
  void evolveTable(killed, 't', { changes: [TO_DOUBLE] }).catch(() => undefined)
  while ((await dataFileNames(shop)).length === 0)
    await new Promise((resolve) => setTimeout(resolve, 20))
  const { state } = await readTable(shop.deps, { table: 't' })
  expect(state.currentSnapshot?.snapshotId).toBe(before)
  expect(await rows()).toEqual(old)
  await evolveTable(shop.deps, 't', { changes: [TO_DOUBLE] })
  expect((await rows())[0]).toMatchObject({ n_type: 'DOUBLE' })
})

test('when the answer to the commit is lost, files that the catalog may name stay', async () => {
  await newTable()
  const { CatalogError } = await import('../../../src/core/errors.ts')
  const catalog = withStore(shop.deps.catalog, 'tables', {
    commit: async (commit, options) => {
      await shop.deps.catalog.tables.commit(commit, options)
      throw new CatalogError('commit-state-unknown', 'connection terminated')
    },
  })
  const attempt = evolveTable({ ...shop.deps, catalog }, 't', { changes: [TO_DOUBLE] })
  expect((await refusal(attempt)).code).toBe('commit-state-unknown')
  expect((await rows())[0]).toMatchObject({ n_type: 'DOUBLE' })
})

test('a damaged data file is named, and nothing changes', async () => {
  const before = await newTable()
  const second = await writeRows('b', ROWS)
  await append(shop, 't', second)
  const { truncate } = await import('node:fs/promises')
  await truncate(second, 100)
  const refused = await refusal(evolveTable(shop.deps, 't', { changes: [TO_DOUBLE] }))
  expect(refused.message).toContain('b.parquet')
  expect(await dataFileNames(shop)).toEqual([])
  expect((await rows({ snapshotIdentifier: String(before) }))[0]).toMatchObject({ k: '1' })
})

test.each([
  ['with field ids', IDS],
  ['without', ''],
])('a rollback to before the change takes the schema along, files %s', async (_how, options) => {
  const before = await newTable(options)
  const { state: old } = await readTable(shop.deps, { table: 't' })
  const after = await evolveTable(shop.deps, 't', { changes: [TO_DOUBLE] })
  await evolveTable(shop.deps, 't', { changes: [{ op: 'rename', name: 'n', to: 'amount' }] })
  const back = await rollbackTable(shop.deps, 't', { snapshotIdentifier: String(before) })
  expect(back.definition.currentSchemaId).toBe(old.definition.currentSchemaId)
  const again = String(after.currentSnapshot?.snapshotId)
  const forth = await rollbackTable(shop.deps, 't', { snapshotIdentifier: again })
  expect(forth.definition.currentSchemaId).toBe(after.definition.currentSchemaId)
})
