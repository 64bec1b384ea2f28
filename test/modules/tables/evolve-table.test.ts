import type { SchemaChange } from '../../../src/core/schema/schema-evolution.ts'
import { currentSchema } from '../../../src/core/table/table.ts'
import { NAME_MAPPING_PROPERTY } from '../../../src/core/table-properties.ts'
import { commitTransaction, startTransaction } from '../../../src/lake/commit/transactions.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { append, Lake, liveNames } from '../../lake/lake.ts'
import { stageFiles } from '../../lake/trusted-caller.ts'
import { openWorkshop, type Workshop } from '../../lake/workshop.ts'
import { refusal } from '../../refusal.ts'

let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, {
    name: 't',
    columns: [
      { name: 'id', type: 'int' },
      { name: 'name', type: 'string' },
      { name: 'place', type: { type: 'struct', fields: [member('zip', 1), member('town', 2)] } },
    ],
  })
})
afterEach(() => shop.close())

function member(name: string, id: number) {
  return { id, name, type: 'string', required: false }
}

function change(...changes: SchemaChange[]) {
  return evolveTable(shop.deps, 't', { changes })
}

async function columns(): Promise<string[]> {
  const { state } = await readTable(shop.deps, { table: 't' })
  return currentSchema(state.definition).fields.map(
    ({ id, name, type }) => `${id} ${name} ${type.kind}`,
  )
}

function fileOf(name: string, query: string): Promise<string> {
  return lake.write(`${shop.dataFolder}/${name}.parquet`, query)
}

function firstFile(): Promise<string> {
  return fileOf(
    'first',
    `SELECT 1::INTEGER AS id, 'a' AS name, {'zip': '8000', 'town': 'ZH'} AS place`,
  )
}

async function nameMapping(): Promise<unknown> {
  const { state } = await readTable(shop.deps, { table: 't' })
  return JSON.parse(state.definition.properties[NAME_MAPPING_PROPERTY] ?? 'null')
}

test('a list of changes is applied in its order, and ids stay with their columns', async () => {
  await change(
    { op: 'add', column: { name: 'score', type: 'double' }, after: 'id' },
    { op: 'rename', name: 'name', to: 'label' },
    { op: 'widen', name: 'id', type: 'long' },
    { op: 'move', name: 'label', first: true },
    { op: 'drop', name: 'place' },
  )
  expect(await columns()).toEqual(['2 label string', '1 id long', '6 score double'])
})

test('a list of columns as they shall be does the same', async () => {
  await evolveTable(shop.deps, 't', {
    columns: [
      { id: 2, name: 'label', type: 'string' },
      { name: 'id', type: 'long' },
      { name: 'score', type: 'double' },
    ],
  })
  expect(await columns()).toEqual(['2 label string', '1 id long', '6 score double'])
})

test('giving the columns that the table has changes nothing, not even its version', async () => {
  const { state } = await readTable(shop.deps, { table: 't' })
  const same = await evolveTable(shop.deps, 't', {
    columns: [
      { name: 'id', type: 'int' },
      { name: 'name', type: 'string' },
      { name: 'place', type: { type: 'struct', fields: [member('zip', 4), member('town', 5)] } },
    ],
  })
  expect(same.version).toBe(state.version)
})

test('columns and changes together are refused, and neither', async () => {
  const both = { columns: [{ name: 'id', type: 'int' }], changes: [] }
  expect((await refusal(evolveTable(shop.deps, 't', both))).code).toBe('schema-invalid')
  expect((await refusal(evolveTable(shop.deps, 't', {}))).code).toBe('schema-invalid')
})

test('of a list of changes with a bad one none is applied', async () => {
  const before = await columns()
  const error = await refusal(
    change(
      { op: 'rename', name: 'name', to: 'label' },
      { op: 'widen', name: 'id', type: 'string' },
    ),
  )
  expect(error).toMatchObject({ code: 'schema-change-invalid' })
  expect(await columns()).toEqual(before)
})

test('a snapshot keeps its schema, and a schema that comes back keeps its id', async () => {
  const first = await append(shop, 't', await firstFile())
  await change({ op: 'add', column: { name: 'score', type: 'double' } })
  await change({ op: 'drop', name: 'score' })
  const { state } = await readTable(shop.deps, { table: 't' })
  expect(state.definition.currentSchemaId).toBe(0)
  expect(state.definition.schemas.map((schema) => schema.schemaId)).toEqual([0, 1])
  expect(state.definition.lastColumnId).toBe(6)
  await change({ op: 'rename', name: 'name', to: 'label' })
  const past = await readTable(shop.deps, { table: 't', snapshotIdentifier: String(first) })
  expect(past.schema.fields.map((field) => field.name)).toEqual(['id', 'name', 'place'])
  const now = await readTable(shop.deps, { table: 't' })
  expect(now.schema.fields.map((field) => field.name)).toEqual(['id', 'label', 'place'])
})

test('a filter speaks of the columns as they were named then', async () => {
  const first = await append(shop, 't', await firstFile())
  await change({ op: 'rename', name: 'name', to: 'label' })
  const moment = { snapshotIdentifier: String(first) }
  const old = await readTable(shop.deps, { table: 't', ...moment, filter: `name = 'b'` })
  expect(old.plan.files).toEqual({ total: 1, skipped: 1, kept: 0 })
  const now = await readTable(shop.deps, { table: 't', filter: `label = 'a'` })
  expect(now.plan.files).toEqual({ total: 1, skipped: 0, kept: 1 })
  const gone = readTable(shop.deps, { table: 't', ...moment, filter: `label = 'a'` })
  expect((await refusal(gone)).code).toBe('filter-invalid')
})

test('a bound that was written before its column was widened still prunes', async () => {
  await append(shop, 't', await fileOf('small', 'SELECT 1::INTEGER AS id UNION ALL SELECT -1'))
  await change({ op: 'widen', name: 'id', type: 'long' })
  await append(shop, 't', await fileOf('large', `SELECT 5000000000::BIGINT AS id`))
  const kept = async (filter: string) => {
    const { plan } = await readTable(shop.deps, { table: 't', filter })
    return [...plan.plannedFiles()].map(({ dataFile }) => dataFile.path.split('/').at(-1))
  }
  expect(await kept('id = -1')).toEqual(['small.parquet'])
  expect(await kept('id > 4294967296')).toEqual(['large.parquet'])
  expect(await kept('id < -1')).toEqual([])
})

test('a file staged before the schema changed is read again when it is committed', async () => {
  const { transactionId } = await startTransaction(shop.deps, {})
  await stageFiles(shop.deps, { table: 't', transactionId, paths: [await firstFile()] })
  await change(
    { op: 'rename', name: 'name', to: 'label' },
    { op: 'widen', name: 'id', type: 'long' },
  )
  await commitTransaction(shop.deps, transactionId)
  const { snapshot, plan } = await readTable(shop.deps, { table: 't', filter: `label = 'a'` })
  expect(snapshot?.schemaId).toBe(1)
  expect(plan.files.kept).toBe(1)
  expect(await nameMapping()).toMatchObject([
    { 'field-id': 1, names: ['id'] },
    { 'field-id': 2, names: ['label', 'name'] },
    { 'field-id': 3, names: ['place'] },
  ])
})

test('a file staged before its column was dropped is refused at commit, by name', async () => {
  const { transactionId } = await startTransaction(shop.deps, {})
  await stageFiles(shop.deps, { table: 't', transactionId, paths: [await firstFile()] })
  await change({ op: 'drop', name: 'name' })
  const error = await refusal(commitTransaction(shop.deps, transactionId))
  expect(error.code).toBe('file-schema-mismatch')
  expect(error.message).toContain('first.parquet')
  expect(await liveNames(shop, 't')).toEqual([])
})

describe('when files without field ids are in the table', () => {
  beforeEach(async () => {
    await append(shop, 't', await firstFile())
  })

  test.each<[string, SchemaChange[]]>([
    ['a new column', [{ op: 'add', column: { name: 'NAME', type: 'long' } }]],
    ['a renamed column', [{ op: 'rename', name: 'id', to: 'name' }]],
    ['an alias', [{ op: 'aliases', name: 'id', aliases: ['name'] }]],
    [
      'an alias of a new column',
      [{ op: 'add', column: { name: 'x', type: 'int', aliases: ['name'] } }],
    ],
  ])('the name of a dropped column cannot be taken by %s', async (_, changes) => {
    await change({ op: 'drop', name: 'name' })
    const error = await refusal(change(...changes))
    expect(error).toMatchObject({
      code: 'schema-change-invalid',
      facts: { rule: 'name-of-another-column' },
    })
  })

  test('the old name of a renamed column cannot be taken, except by that column', async () => {
    await change({ op: 'rename', name: 'name', to: 'label' })
    const taken = change({ op: 'add', column: { name: 'name', type: 'string' } })
    expect((await refusal(taken)).facts).toMatchObject({ rule: 'name-of-another-column' })
    await change({ op: 'rename', name: 'label', to: 'name' })
    expect((await columns())[1]).toBe('2 name string')
  })

  test('dropping a column and adding one of its name is refused in both forms', async () => {
    const dropAndAdd: SchemaChange[] = [
      { op: 'drop', name: 'name' },
      { op: 'add', column: { name: 'name', type: 'long' } },
    ]
    expect((await refusal(change(...dropAndAdd))).code).toBe('schema-change-invalid')
    const swapped = evolveTable(shop.deps, 't', {
      columns: [
        { id: 1, name: 'name', type: 'int' },
        { id: 2, name: 'id', type: 'string' },
      ],
    })
    expect((await refusal(swapped)).code).toBe('schema-change-invalid')
  })

  test('the name of a dropped struct member stays taken there, and is free elsewhere', async () => {
    await change({ op: 'drop', name: 'place.zip' })
    const inside = change({
      op: 'add',
      column: { name: 'zip', type: 'string' },
      parent: { name: 'place' },
    })
    expect((await refusal(inside)).facts).toMatchObject({ rule: 'name-of-another-column' })
    await change({ op: 'add', column: { name: 'zip', type: 'string' } })
    expect((await columns()).at(-1)).toBe('6 zip string')
  })

  test('names of dropped columns stay in the name mapping: the files still have them', async () => {
    await change({ op: 'rename', name: 'name', to: 'label' }, { op: 'drop', name: 'place.zip' })
    await change({ op: 'drop', name: 'label' })
    expect(await nameMapping()).toEqual([
      { 'field-id': 1, names: ['id'] },
      {
        'field-id': 3,
        names: ['place'],
        fields: [
          { 'field-id': 5, names: ['town'] },
          { 'field-id': 4, names: ['zip'] },
        ],
      },
      { 'field-id': 2, names: ['label', 'name'] },
    ])
  })

  test('a name that was taken back as an alias still finds the column in older files', async () => {
    await change({ op: 'rename', name: 'name', to: 'label' })
    await change({ op: 'aliases', name: 'label', aliases: [] })
    expect(await nameMapping()).toMatchObject([{}, { names: ['label', 'name'] }, {}])
  })
})

test('without files that lack ids, a dropped column gives its name free', async () => {
  await change({ op: 'drop', name: 'name' })
  await change({ op: 'add', column: { name: 'name', type: 'long' } })
  expect((await columns()).at(-1)).toBe('6 name long')
  await append(shop, 't', await fileOf('new', `SELECT 2::INTEGER AS id, 7::BIGINT AS name`))
  expect(await nameMapping()).toMatchObject([
    { 'field-id': 1, names: ['id'] },
    { 'field-id': 3 },
    { 'field-id': 6, names: ['name'] },
  ])
})

test('evolutions that race all happen, each on the schema before it', async () => {
  const another = await shop.another()
  await Promise.all(
    ['a', 'b', 'c', 'd', 'e', 'f'].map((name, i) =>
      evolveTable(i % 2 === 0 ? shop.deps : another, 't', {
        changes: [{ op: 'add', column: { name, type: 'int' } }],
      }),
    ),
  )
  const added = (await columns()).slice(3)
  expect(added.map((column) => column.split(' ')[0])).toEqual(['6', '7', '8', '9', '10', '11'])
  expect(added.map((column) => column.split(' ')[1]).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
})
