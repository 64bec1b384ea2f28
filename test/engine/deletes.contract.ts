import { refusal } from '../refusal.ts'
import { Bench, field, type OpenEngine, rowBits, schemaOf, sourceOf } from './engine-samples.ts'

const [S, B] = [field(2, 's', 'string'), field(3, 'b', 'binary')]
const SCHEMA = schemaOf(field(1, 'i', 'long'), S, B)
const ROWS = `SELECT range AS i, CASE WHEN range % 3 > 0 THEN 's' || range % 3 END AS s,
  CASE WHEN range % 4 > 0 THEN encode('b' || range % 4) END AS b FROM range(20)`

/** What an engine promises of rows that are deleted (Iceberg spec, "Delete Formats"). */
export function describeDeletes(name: string, open: OpenEngine): void {
  describe(`deletes in the engine ${name}`, () => {
    let bench: Bench
    let path: string

    beforeAll(async () => {
      bench = await Bench.open(open)
      path = await bench.parquet(ROWS)
    })
    afterAll(() => bench.close())

    async function keptRows(deletes: object): Promise<readonly number[]> {
      const source = { ...sourceOf(path, SCHEMA), ...deletes }
      const text = await bench.exportText({ source, schema: SCHEMA })
      return text
        .split('\n')
        .slice(0, -1)
        .map((row) => Number(row.split(',')[0]))
    }

    function allBut(isDeleted: (i: number) => boolean): readonly number[] {
      return Array.from({ length: 20 }, (_, i) => i).filter((i) => !isDeleted(i))
    }

    test('rows at deleted positions are left out, positions without rows ignored', async () => {
      const deleted = [0, 7, 8, 9, 19]
      const deletedRows = rowBits([...deleted, 20, 23, 24, 1_000_000])
      expect(await keptRows({ deletedRows })).toEqual(allBut((i) => deleted.includes(i)))
      // Shorter than the rows, and of rows that there are not.
      expect(await keptRows({ deletedRows: rowBits([3]) })).toEqual(allBut((i) => i === 3))
      expect(await keptRows({ deletedRows: rowBits([21, 40]) })).toEqual(allBut(() => false))
    })

    test('a file of position deletes counts for the data file it names exactly', async () => {
      const deletes = await bench.parquet(
        `SELECT * FROM (VALUES ('s3://b/a', 3::BIGINT), ('s3://b/A', 4), ('s3://b/a', 5),
           ('s3://b/a%', 6)) AS t(file_path, pos)`,
      )
      const positionDeletes = [{ path: deletes, dataFile: 's3://b/a' }]
      expect(await keptRows({ positionDeletes })).toEqual(allBut((i) => i === 3 || i === 5))
    })

    test('columns of position deletes are found by their ids before their names', async () => {
      const deletes = await bench.parquet(
        `SELECT 's3://b/a' AS path, 3::BIGINT AS row_at, 's3://b/b' AS file_path, 4::BIGINT AS pos`,
        ', FIELD_IDS {path: 2147483546, row_at: 2147483545, file_path: 7, pos: 8}',
      )
      const of = (dataFile: string) => ({ positionDeletes: [{ path: deletes, dataFile }] })
      expect(await keptRows(of('s3://b/a'))).toEqual(allBut((i) => i === 3))
      expect(await keptRows(of('s3://b/b'))).toEqual(allBut(() => false))
    })

    test('an equality delete takes rows equal in all its columns; NULL equals NULL', async () => {
      const deletes = await bench.parquet(
        `SELECT * FROM (VALUES ('s1', 0), (NULL, 0), ('nothing', 0)) AS t(key, other)`,
      )
      const columns = [{ field: S, nameInFile: 's', nameInDeletes: 'key' }]
      const equalityDeletes = [{ path: deletes, columns }]
      expect(await keptRows({ equalityDeletes })).toEqual(allBut((i) => i % 3 < 2))

      const both = await bench.parquet(
        `SELECT 's1' AS s, encode('b1') AS b UNION ALL SELECT NULL, NULL`,
      )
      const twoColumns = [
        { field: S, nameInFile: 's', nameInDeletes: 's' },
        { field: B, nameInFile: 'b', nameInDeletes: 'b' },
      ]
      expect(await keptRows({ equalityDeletes: [{ path: both, columns: twoColumns }] })).toEqual(
        allBut((i) => (i % 3 === 1 && i % 4 === 1) || (i % 3 === 0 && i % 4 === 0)),
      )
    })

    test('an equality on a binary column finds its rows despite bloom filters', async () => {
      const rows =
        "SELECT range AS i, NULL::VARCHAR AS s, encode('k' || range % 100) AS b FROM range(20000)"
      const bloomed = await bench.parquet(rows, ', WRITE_BLOOM_FILTER true, ROW_GROUP_SIZE 2048')
      const deletes = await bench.parquet("SELECT encode('k5') AS b", ', WRITE_BLOOM_FILTER true')
      const columns = [{ field: B, nameInFile: 'b', nameInDeletes: 'b' }]
      const source = { ...sourceOf(bloomed, SCHEMA), equalityDeletes: [{ path: deletes, columns }] }
      const target = { format: 'parquet' } as const
      const { result } = await bench.export({ source, schema: SCHEMA, target })
      expect(result.rows).toBe(19_800)
    })

    test('an equality delete on a column that the file lacks compares its default', async () => {
      const added = field(9, 'added', 'int', { initialDefault: 7 })
      const schema = schemaOf(field(1, 'i', 'long'), added)
      const columns = [{ field: added, nameInFile: undefined, nameInDeletes: 'added' }]
      const source = {
        path,
        columns: [
          { fieldId: 1, nameInFile: 'i' },
          { fieldId: 9, nameInFile: undefined },
        ],
      }
      const rowsWith = async (value: string): Promise<number> => {
        const deletes = await bench.parquet(`SELECT ${value} AS added`)
        const equalityDeletes = [{ path: deletes, columns }]
        return (await bench.export({ source: { ...source, equalityDeletes }, schema })).result.rows
      }
      expect(await rowsWith('7')).toBe(0)
      expect(await rowsWith('8')).toBe(20)
      expect(await rowsWith('NULL::INTEGER')).toBe(20)
    })

    test('a column that a file lacks has the constant of that file, not of the other', async () => {
      const day = field(9, 'day', 'int')
      const schema = schemaOf(field(1, 'i', 'long'), day)
      const columns = [{ field: day, nameInFile: undefined, nameInDeletes: undefined }]
      const rowsLeft = async (ofData: number | null, ofDeletes: number | null) => {
        const deletes = await bench.parquet('SELECT 1 AS other')
        const source = {
          path,
          columns: [
            { fieldId: 1, nameInFile: 'i' },
            { fieldId: 9, nameInFile: undefined },
          ],
          constants: new Map([[9, ofData]]),
          equalityDeletes: [{ path: deletes, columns, constants: new Map([[9, ofDeletes]]) }],
        }
        return (await bench.export({ source, schema })).result.rows
      }
      expect(await rowsLeft(7, 7)).toBe(0)
      expect(await rowsLeft(null, null)).toBe(0)
      expect(await rowsLeft(7, 8)).toBe(20)
      expect(await rowsLeft(null, 8)).toBe(20)
      expect(await rowsLeft(7, null)).toBe(20)
    })

    test('rows keep their order when there are more deletes than rows', async () => {
      const big = await bench.parquet(
        'SELECT range AS i, md5(range::VARCHAR) AS s, NULL::BLOB AS b FROM range(200000)',
      )
      const deletes = await bench.parquet(
        'SELECT md5((range * 2)::VARCHAR) AS s FROM range(400000) ORDER BY hash(range)',
      )
      const columns = [{ field: S, nameInFile: 's', nameInDeletes: 's' }]
      const source = {
        ...sourceOf(big, SCHEMA),
        equalityDeletes: [{ path: deletes, columns }],
        deletedRows: rowBits(Array.from({ length: 10_000 }, (_, i) => i)),
      }
      const text = await bench.exportText({ source, schema: SCHEMA })
      const rows = text.trimEnd().split('\n')
      expect(rows.length).toBe(95_000)
      expect(rows.every((row, k) => row.startsWith(`${10_001 + 2 * k},`))).toBe(true)
    })

    test('a damaged file of deletes is named, and nothing is written', async () => {
      const deletes = await bench.parquet('SELECT 1 AS no_such_columns')
      const source = {
        ...sourceOf(path, SCHEMA),
        positionDeletes: [{ path: deletes, dataFile: 'x' }],
      }
      const target = { path: bench.newPath('csv'), format: 'csv', compression: 'none' } as const
      const failure = await refusal(bench.engine.export({ source, schema: SCHEMA, target }))
      expect([failure.code, failure.facts['file']]).toEqual(['file-corrupt', deletes])
    })
  })
}
