import { writeFile } from 'node:fs/promises'
import { jest } from '@jest/globals'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { commitRemoval } from '../../../src/lake/commit/transactions.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { append, Lake } from '../../lake/lake.ts'
import { type DumpShop, openDumpShop, plainBytes } from './dump-shop.ts'
import { CHOICES, expectRowsInEveryFormat } from './every-format.ts'

/** Engines start as processes of their own. */
jest.setTimeout(120_000)

let lake: Lake
let shop: DumpShop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openDumpShop({ continuedBytesMin: 0 })
  await createTable(shop.deps, {
    name: 't',
    columns: [
      { name: 'n', type: 'long' },
      { name: 's', type: 'string' },
    ],
  })
})
afterEach(() => shop.close())

const TEXT_CHOICES = CHOICES.filter(({ format }) => format !== 'parquet')

function path(name: string): string {
  return `${shop.dataFolder}/${name}.parquet`
}

function write(name: string, rows = 50): Promise<string> {
  const query = `SELECT range AS n, '${name}' || range AS s FROM range(${rows})`
  return lake.write(path(name), query)
}

function queryOf(...names: string[]): string {
  return `FROM read_parquet([${names.map((name) => `'${path(name)}'`).join(', ')}])`
}

describe.each(TEXT_CHOICES)('%j of a table that only grows', (wish) => {
  test('begins with the bytes of the dump before, and converts only what is new', async () => {
    await append(shop, 't', await write('b'), await write('a'))
    const first = await shop.make('t', wish)
    expect(first.index.extends).toBeUndefined()
    expect(shop.counting.exports).toBe(2)
    await shop.dumps.settle()
    await append(shop, 't', await write('0-is-later'))
    // Many commits may come between two dumps.
    for (let i = 0; i < 12; i++)
      await append(shop, 't', await write(`c${String(i).padStart(2, '0')}`))
    const second = await shop.make('t', wish)
    expect(shop.counting.exports).toBe(2 + 13)
    expect(second.bytes.subarray(0, first.bytes.length).equals(first.bytes)).toBe(true)
    expect(second.index.extends).toEqual({
      snapshotId: first.index.snapshotId,
      edition: first.index.edition,
      fileName: first.index.fileName,
      bytes: first.bytes.length,
    })
    expect(second.index.digestState).toBeDefined()
  })
})

test('a digest continues from that of the dump before, and from no wrong one', async () => {
  await append(shop, 't', await write('a'))
  await shop.make('t')
  await shop.dumps.settle()
  const states: string[] = []
  for await (const { location } of shop.deps.objects.list(`${shop.deps.warehouse}/.dumps`)) {
    if (location.endsWith('/digest-state')) states.push(location)
  }
  expect(states).toHaveLength(1)
  await append(shop, 't', await write('b'))
  const continued = await shop.make('t')
  expect(continued.index.digestState).toBeDefined()
  // `shop.make` holds each digest against the bytes.
  await writeFile(new URL(states[0] ?? ''), 'sha256-wasm-1.0.AAAA.0000000000000000')
  await shop.dumps.forget(await shop.target('t'))
  const { index } = await shop.make('t')
  expect(index.digestState).toBeUndefined()
  expect(index.sha256).toBe(continued.index.sha256)
})

test('rows come by sequence number, then by path', async () => {
  await append(shop, 't', await write('z'), await write('m'))
  await append(shop, 't', await write('a'))
  const query = queryOf('m', 'z', 'a')
  expect(await expectRowsInEveryFormat(shop, lake, { table: 't', query })).toBe(150)
})

test('a dump that extends none says so, and takes over the shards that it shares', async () => {
  await append(shop, 't', await write('a'), await write('b'), await write('c'))
  await shop.make('t')
  const removal = { table: 't', change: { removedPaths: [`file://${path('b')}`], truncate: false } }
  await commitRemoval(shop.deps, removal)
  const { index, bytes } = await shop.make('t')
  expect(index.extends).toBeUndefined()
  expect(shop.counting.exports).toBe(3)
  expect(bytes.toString().split('\n').length).toBe(102)
})

test('a dump of an older snapshot is made after that of a newer one, from its shards', async () => {
  const first = String(await append(shop, 't', await write('a')))
  await append(shop, 't', await write('b'))
  const newer = await shop.make('t')
  const older = await shop.make('t', { snapshotIdentifier: first })
  expect(shop.counting.exports).toBe(2)
  expect(newer.bytes.subarray(0, older.bytes.length).equals(older.bytes)).toBe(true)
})

test.each(CHOICES)('two homes give the same bytes: %j', async (wish) => {
  const other = await openDumpShop()
  try {
    const digests: string[] = []
    for (const home of [shop, other]) {
      const columns = [
        { name: 'n', type: 'long' },
        { name: 's', type: 'string' },
      ]
      await createTable(home.deps, { name: 'same', columns })
      const files: string[] = []
      for (const name of ['a', 'b', 'c']) {
        const text = name === 'b' ? 'NULL::VARCHAR AS s, range AS n' : `range AS n, '${name}' AS s`
        const query = `SELECT ${text} FROM range(3000)`
        files.push(await lake.write(`${home.dataFolder}/${name}.parquet`, query))
      }
      await append(home, 'same', ...files)
      const { index } = await home.make('same', wish)
      digests.push(index.sha256)
    }
    expect(digests[0]).toBe(digests[1])
  } finally {
    await other.close()
  }
})

describe('a table without rows', () => {
  test.each([
    ['after a truncation', true],
    ['of files without rows', false],
  ])('%s dumps as its columns alone', async (_, isTruncated) => {
    if (isTruncated) {
      await append(shop, 't', await write('a'))
      await commitRemoval(shop.deps, { table: 't', change: { removedPaths: [], truncate: true } })
    } else {
      await append(shop, 't', await write('a', 0), await write('b', 0))
    }
    for (const wish of TEXT_CHOICES) {
      const dump = await shop.make('t', wish)
      const text = Buffer.from(plainBytes(dump)).toString()
      expect([wish, text]).toEqual([wish, wish.format === 'csv' ? 'n,s\n' : ''])
      expect(dump.index.rowCount).toBe(0)
    }
    const { bytes, index } = await shop.make('t', { format: 'parquet' })
    expect(index.rowCount).toBe(0)
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
    expect(await parquetReadObjects({ file: file as ArrayBuffer, compressors })).toEqual([])
    const query = `SELECT NULL::BIGINT AS n, NULL::VARCHAR AS s WHERE false`
    expect(await expectRowsInEveryFormat(shop, lake, { table: 't', query })).toBe(0)
  })

  test('is what the next dump extends', async () => {
    await append(shop, 't', await write('a', 0))
    const empty = await shop.make('t')
    await append(shop, 't', await write('b'))
    const { index } = await shop.make('t')
    const { snapshotId, edition, fileName } = empty.index
    expect(index.extends).toEqual({ snapshotId, edition, fileName, bytes: 4 })
  })
})
