import { writeFile } from 'node:fs/promises'
import { jest } from '@jest/globals'
import type { DataFile } from '../../../src/core/file/data-file.ts'
import type { SchemaChange } from '../../../src/core/schema/schema-evolution.ts'
import { describeSource } from '../../../src/lake/convert/source-file.ts'
import { readFooterOf } from '../../../src/lake/file/read-footer.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { writeDeletionVector } from '../../formats/deletes/deletion-vector-writer.ts'
import { commitDeletes } from '../../lake/commit/commit-deletes.ts'
import { append, Lake } from '../../lake/lake.ts'
import { refusal } from '../../refusal.ts'
import { type DumpShop, openDumpShop } from './dump-shop.ts'
import { expectRowsInEveryFormat } from './every-format.ts'

/** Engines start as processes of their own. */
jest.setTimeout(120_000)

let lake: Lake
let shop: DumpShop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openDumpShop()
})
afterEach(() => shop.close())

function path(name: string): string {
  return `${shop.dataFolder}/${name}.parquet`
}

const OLD_ROWS = `SELECT range::INTEGER AS id, 'n' || range AS name, (range / 8)::FLOAT AS ratio,
  DATE '2024-01-01' + range::INTEGER AS day, {'zip': range, 'town': 't' || range} AS place
  FROM range(5000)`

/** The columns of `OLD_ROWS`; files carry field ids, or not. */
async function createOld(options: string): Promise<void> {
  const member = (id: number, name: string, type: string) => ({ id, name, type, required: false })
  const fields = [member(90, 'zip', 'long'), member(91, 'town', 'string')]
  await createTable(shop.deps, {
    name: 't',
    columns: [
      { name: 'id', type: 'int' },
      { name: 'name', type: 'string' },
      { name: 'ratio', type: 'float' },
      { name: 'day', type: 'date' },
      { name: 'place', type: { type: 'struct', fields } },
    ],
  })
  await append(shop, 't', await lake.write(path('old'), OLD_ROWS, options))
}

function change(...changes: SchemaChange[]) {
  return evolveTable(shop.deps, 't', { changes })
}

describe.each([
  [
    'with field ids',
    ', FIELD_IDS {id: 1, name: 2, ratio: 3, day: 4, ' +
      'place: {__duckdb_field_id: 5, zip: 6, town: 7}}',
  ],
  ['without field ids', ''],
])('files %s, of a schema that has changed since', (_, options) => {
  test('show added columns with defaults, and renamed, dropped, moved and wider ones', async () => {
    await createOld(options)
    const before = { snapshotIdentifier: String((await shop.target('t')).snapshot.snapshotId) }
    await change(
      { op: 'rename', name: 'name', to: 'title' },
      { op: 'drop', name: 'day' },
      { op: 'widen', name: 'id', type: 'long' },
      { op: 'widen', name: 'ratio', type: 'double' },
      { op: 'rename', name: 'place.town', to: 'city' },
      { op: 'add', column: { name: 'grade', type: 'int', nullable: false, default: 7 } },
      { op: 'add', column: { name: 'note', type: 'string' }, first: true },
    )
    const newRows = `SELECT 'x' || range AS note, range + 5000000000 AS id, 'new' AS title,
      range / 7 AS ratio, {'zip': NULL::BIGINT, 'city': 'c'} AS place, 8::INTEGER AS grade
      FROM range(100)`
    const ids =
      options &&
      ', FIELD_IDS {note: 9, id: 1, title: 2, ratio: 3, ' +
        'place: {__duckdb_field_id: 5, zip: 6, city: 7}, grade: 8}'
    const old = `read_parquet('${path('old')}')`
    const oldAsNow = `SELECT NULL::VARCHAR AS note, id::BIGINT AS id, name AS title,
      ratio::DOUBLE AS ratio, {'zip': place.zip, 'city': place.town} AS place, 7::INTEGER AS grade
      FROM ${old}`
    await append(shop, 't', await lake.write(path('new'), newRows, ids))
    const query = `FROM (${oldAsNow}) UNION ALL FROM read_parquet('${path('new')}')`
    expect(await expectRowsInEveryFormat(shop, lake, { table: 't', query })).toBe(5100)
    // The columns of a snapshot are those that the table had then.
    const then = { table: 't', query: `FROM ${old}`, ...before }
    expect(await expectRowsInEveryFormat(shop, lake, then)).toBe(5000)
  })

  test('keep their values when only names and order changed; Parquet is copied', async () => {
    await createOld(options)
    await change(
      { op: 'rename', name: 'name', to: 'title' },
      { op: 'drop', name: 'ratio' },
      { op: 'move', name: 'day', first: true },
    )
    await append(
      shop,
      't',
      await lake.write(
        path('new'),
        `SELECT day, id, 'y' AS title, place FROM (${OLD_ROWS}) WHERE id < 10`,
        options &&
          ', FIELD_IDS {day: 4, id: 1, title: 2, place: {__duckdb_field_id: 5, zip: 6, town: 7}}',
      ),
    )
    await shop.make('t', { format: 'parquet' })
    expect(shop.counting.exports).toBe(0)
    const query = `SELECT day, id, name AS title, place FROM read_parquet('${path('old')}')
      UNION ALL FROM read_parquet('${path('new')}')`
    expect(await expectRowsInEveryFormat(shop, lake, { table: 't', query })).toBe(5010)
  })
})

test('two columns that exchanged their names keep their values, by field id', async () => {
  await createTable(shop.deps, {
    name: 't',
    columns: [
      { name: 'a', type: 'string' },
      { name: 'b', type: 'string' },
    ],
  })
  const query = `SELECT 'a' || range AS a, 'b' || range AS b FROM range(9)`
  await append(shop, 't', await lake.write(path('one'), query, ', FIELD_IDS {a: 1, b: 2}'))
  await change(
    { op: 'rename', name: 'a', to: 'c' },
    { op: 'rename', name: 'b', to: 'a' },
    { op: 'rename', name: 'c', to: 'b' },
  )
  const other = `SELECT 'b' || range AS b, 'a' || range AS a FROM range(3)`
  await append(shop, 't', await lake.write(path('two'), other, ', FIELD_IDS {b: 1, a: 2}'))
  const now = `SELECT a AS b, b AS a FROM read_parquet('${path('one')}')
    UNION ALL SELECT b, a FROM read_parquet('${path('two')}')`
  expect(await expectRowsInEveryFormat(shop, lake, { table: 't', query: now })).toBe(12)
})

describe('deleted rows', () => {
  const IDS = ', FIELD_IDS {n: 1, s: 2, gone: 3}'

  beforeEach(async () => {
    await createTable(shop.deps, {
      name: 't',
      columns: [
        { name: 'n', type: 'long' },
        { name: 's', type: 'string' },
        { name: 'gone', type: 'int' },
      ],
    })
    for (const [name, first] of [
      ['a', 0],
      ['b', 1000],
    ] as const) {
      await append(shop, 't', await lake.write(path(name), rowsFrom(first), IDS))
    }
  })

  function rowsFrom(first: number): string {
    return `SELECT ${first} + range AS n, CASE WHEN range % 5 > 0 THEN 's' || range % 5 END AS s,
      (range % 11)::INTEGER AS gone FROM range(1000)`
  }

  async function deleteFile(
    name: string,
    query: string,
    { options = '', ...rest }: Partial<DataFile> & { readonly options?: string },
  ): Promise<DataFile> {
    const location = await lake.write(path(name), query, options)
    return {
      ...{ content: 'position-deletes', format: 'parquet', specId: 0, partition: [] },
      ...{ recordCount: 1, fileSizeBytes: 100, path: `file://${location}`, ...rest },
    }
  }

  function positions(name: string, rows: string): Promise<DataFile> {
    const query = `SELECT 'file://${path(name)}' AS file_path, pos FROM (${rows}) AS t(pos)`
    return deleteFile(`positions-${name}`, query, {})
  }

  /** Checks the live rows of all data files in commit order. */
  async function expectLive(
    where: string,
    { files = ['a', 'b'], columns = '*' }: { files?: readonly string[]; columns?: string } = {},
  ): Promise<number> {
    const paths = files.map((name) => `'${path(name)}'`).join(', ')
    const query = `SELECT ${columns} FROM read_parquet([${paths}]) WHERE ${where}`
    return expectRowsInEveryFormat(shop, lake, { table: 't', query })
  }

  test('by position are left out of the file that is named, and of no other', async () => {
    await commitDeletes(shop, 't', [await positions('a', 'SELECT range * 2 FROM range(100)')])
    expect(await expectLive('NOT (n < 200 AND n % 2 = 0)')).toBe(1900)
  })

  test('by position add up over delete files and snapshots, each snapshot its own', async () => {
    await commitDeletes(shop, 't', [await positions('a', 'SELECT range FROM range(10)')])
    const first = String((await shop.target('t')).snapshot.snapshotId)
    await commitDeletes(shop, 't', [await positions('b', 'SELECT range + 5 FROM range(10)')])
    expect(await expectLive('n >= 10 AND n NOT BETWEEN 1005 AND 1014')).toBe(1980)
    const query = `FROM read_parquet(['${path('a')}', '${path('b')}']) WHERE n >= 10`
    const earlier = { table: 't', query, snapshotIdentifier: first }
    expect(await expectRowsInEveryFormat(shop, lake, earlier)).toBe(1990)
  })

  test('by equality are those of older files only, and NULL equals NULL', async () => {
    const query = `SELECT * FROM (VALUES ('s1'), (NULL)) AS t(s)`
    const equality = { content: 'equality-deletes', equalityIds: [2] } as const
    const options = ', FIELD_IDS {s: 2}'
    await commitDeletes(shop, 't', [await deleteFile('eq', query, { ...equality, options })])
    await append(shop, 't', await lake.write(path('later'), rowsFrom(2000), IDS))
    const live = `n >= 2000 OR s NOT IN ('s1')`
    expect(await expectLive(live, { files: ['a', 'b', 'later'] })).toBe(2200)
  })

  test('by equality of a column that was dropped since stay deleted', async () => {
    const equality = { content: 'equality-deletes', equalityIds: [3] } as const
    const options = ', FIELD_IDS {gone: 3}'
    const file = await deleteFile('eq', 'SELECT 4::INTEGER AS gone', { ...equality, options })
    await commitDeletes(shop, 't', [file])
    await change({ op: 'drop', name: 'gone' })
    await append(
      shop,
      't',
      await lake.write(path('later'), `SELECT 5000 AS n, 'x' AS s`, ', FIELD_IDS {n: 1, s: 2}'),
    )
    const kept = `FROM read_parquet(['${path('a')}', '${path('b')}']) WHERE gone <> 4`
    const query = `SELECT n, s ${kept} UNION ALL FROM read_parquet('${path('later')}')`
    expect(await expectRowsInEveryFormat(shop, lake, { table: 't', query })).toBe(1819)
  })

  test('of all kinds at once, until none is left', async () => {
    const all = await deleteFile('all', 'SELECT range AS n FROM range(995)', {
      ...{ content: 'equality-deletes', equalityIds: [1], options: ', FIELD_IDS {n: 1}' },
    })
    await commitDeletes(shop, 't', [all, await positions('a', 'SELECT range + 995 FROM range(5)')])
    expect(await expectLive('n >= 1000')).toBe(1000)
    await commitDeletes(shop, 't', [await positions('b', 'SELECT range FROM range(1000)')])
    expect(await expectLive('false')).toBe(0)
  })

  test('of a deletion vector are left out; position deletes that it replaces are not', async () => {
    const lows = Array.from({ length: 500 }, (_, i) => 2 * i)
    const blob = writeDeletionVector([{ key: 0, containers: [{ high: 0, lows }], withRuns: false }])
    const puffin = `${shop.dataFolder}/vectors.puffin`
    await writeFile(puffin, Buffer.concat([Buffer.from('PFA1'), blob, Buffer.from('rest')]))
    const vector: DataFile = {
      ...{ content: 'position-deletes', format: 'puffin', specId: 0, partition: [] },
      ...{ recordCount: 500, fileSizeBytes: blob.length + 8, path: `file://${puffin}` },
      ...{ referencedDataFile: `file://${path('b')}` },
      ...{ contentOffset: 4, contentSizeBytes: blob.length },
    }
    await commitDeletes(shop, 't', [await positions('b', 'SELECT 1 UNION ALL SELECT 3'), vector])
    expect(await expectLive('n < 1000 OR n % 2 = 1')).toBe(1500)

    // No more than the file has rows.
    const { state, schema } = await readTable(shop.deps, { table: 't' })
    const dataFile: DataFile = {
      ...{ content: 'data', format: 'parquet', specId: 0, partition: [] },
      ...{ path: `file://${path('a')}`, recordCount: 1_000, fileSizeBytes: 100 },
    }
    const high = [
      { key: 0, withRuns: true, containers: [{ high: 0, lows: [...Array(1001).keys()] }] },
    ]
    const bomb = writeDeletionVector(high)
    await writeFile(puffin, Buffer.concat([Buffer.from('PFA1'), bomb]))
    const source = describeSource(
      { objects: shop.deps.objects, pathOf: async (location) => location },
      { definition: state.definition, schema },
      { dataFile, deleteFiles: [{ ...vector, contentSizeBytes: bomb.length }] },
      () => readFooterOf(shop.deps.objects, dataFile.path),
    )
    await expect(source).rejects.toThrow('1001 positions where at most 1000')

    const longer = { ...vector, contentSizeBytes: blob.length + 1 }
    await commitDeletes(shop, 't', [{ ...longer, referencedDataFile: `file://${path('a')}` }])
    // Whoever wrote the vector is to blame, and not the metadata of the table.
    const error = await refusal(shop.make('t'))
    expect(error.code).toBe('file-corrupt')
    expect(error.message).toContain(`file://${puffin}: deletion vector`)
    expect(error.facts).toMatchObject({ file: `file://${puffin}` })
  })

  test.each([
    ['position-deletes', 'parquet', 'file-corrupt'],
    ['position-deletes', 'puffin', 'file-corrupt'],
    ['equality-deletes', 'parquet', 'file-corrupt'],
    ['position-deletes', 'parquet', 'data-file-missing'],
    ['position-deletes', 'puffin', 'data-file-missing'],
    ['equality-deletes', 'parquet', 'data-file-missing'],
  ] as const)('%s of an engine in %s that cannot be read are blamed: %s', async (...row) => {
    const [content, format, code] = row
    const place = `${shop.dataFolder}/bad.${format}`
    if (code === 'file-corrupt') await writeFile(place, 'PAR1 and no more than that, PAR1')
    const bad: DataFile = {
      ...{ content, format, specId: 0, partition: [], recordCount: 1, fileSizeBytes: 32 },
      path: `file://${place}`,
      ...(content === 'equality-deletes' && { equalityIds: [1] }),
      ...(format === 'puffin' && {
        ...{ referencedDataFile: `file://${path('a')}`, contentOffset: 4, contentSizeBytes: 28 },
      }),
    }
    await commitDeletes(shop, 't', [bad])
    const error = await refusal(shop.make('t'))
    expect(error.code).toBe(code)
    expect(error.message).toContain(place)
    const told = code === 'file-corrupt' ? error.facts['file'] : error.facts['path']
    expect(String(told).replace('file://', '')).toBe(place)
  })

  test('a delete file of a format that is not read is refused, not passed over', async () => {
    const avro = await deleteFile('odd', 'SELECT 1 AS x', { format: 'avro' })
    await commitDeletes(shop, 't', [avro])
    expect(await refusal(shop.make('t'))).toMatchObject({ code: 'not-implemented' })
    expect((await refusal(shop.make('t', { format: 'parquet' }))).message).toContain('odd.parquet')
  })
})
