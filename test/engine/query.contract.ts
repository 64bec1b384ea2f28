import { readFile } from 'node:fs/promises'
import { bindQuery } from '../../src/core/query/bind-query.ts'
import type { QueryRequest } from '../../src/core/query/bound-query.ts'
import type { ResultPart, RowPosition, SourceFile } from '../../src/engine/engine.ts'
import { asNulls } from '../formats/parquet/edited-footer.ts'
import { querySql } from '../parquet-files.ts'
import { refusal } from '../refusal.ts'
import { Bench, field, type OpenEngine, rowBits, schemaOf, sourceOf } from './engine-samples.ts'

const LATE = field(4, 'late', 'int', { initialDefault: 7 })
const SCHEMA = schemaOf(
  field(1, 'i', 'long'),
  field(2, 's', 'string'),
  field(3, 'day', 'int'),
  LATE,
)
const WHOLE = { rowsMax: 10_000, bytesMax: 1_000_000 }

/** What an engine promises of queries of files that differ. */
export function describeQuery(name: string, open: OpenEngine): void {
  describe(`queries in the engine ${name}`, () => {
    let bench: Bench
    let sources: readonly SourceFile[]

    const rowsFrom = (first: number) =>
      `SELECT range AS i, 's' || range AS s FROM range(${first}, ${first + 10})`
    const without = (path: string, more: object = {}): SourceFile => ({
      path,
      columns: [
        { fieldId: 1, nameInFile: 'i' },
        { fieldId: 2, nameInFile: 's' },
        { fieldId: 3, nameInFile: undefined },
        { fieldId: 4, nameInFile: undefined },
      ],
      ...more,
    })

    beforeAll(async () => {
      bench = await Bench.open(open)
      const whole = await bench.parquet(
        'SELECT range AS i, NULL::VARCHAR AS s, 5 AS day, 1 AS late FROM range(50, 60)',
      )
      const [S] = SCHEMA.fields.filter(({ id }) => id === 2)
      if (S === undefined) throw new Error('no field')
      const gone = await bench.parquet("SELECT * FROM (VALUES ('s31'), ('s33'), (NULL)) AS t(s)")
      const positions = await bench.parquet(`SELECT 's3://b/a' AS file_path, 4::BIGINT AS pos`)
      const equality = [{ field: S, nameInFile: 's', nameInDeletes: 's' }]
      sources = [
        without(await bench.parquet(rowsFrom(0)), { constants: new Map([[3, 1]]) }),
        without(await bench.parquet(rowsFrom(10)), { constants: new Map([[3, 1]]) }),
        without(await bench.parquet(rowsFrom(20)), { deletedRows: rowBits([0, 9]) }),
        without(await bench.parquet(rowsFrom(30)), {
          equalityDeletes: [{ path: gone, columns: equality }],
        }),
        // An older, narrower type.
        without(await bench.parquet(rowsFrom(40).replace('range AS i', 'range::INTEGER AS i')), {
          positionDeletes: [{ path: positions, dataFile: 's3://b/a' }],
        }),
        sourceOf(whole, SCHEMA),
      ]
    })
    afterAll(() => bench.close())

    const deleted = [20, 29, 31, 33, 44]
    const all = Array.from({ length: 60 }, (_, i) => i).filter((i) => !deleted.includes(i))

    async function ask(request: QueryRequest, part: Partial<ResultPart> = {}) {
      const path = bench.newPath('ndjson')
      const query = bindQuery(request, SCHEMA)
      const target = { path, format: 'ndjson', compression: 'none' } as const
      const table = { schema: SCHEMA, sources }
      const job = { table, query, part: { ...WHOLE, ...part }, target }
      const result = await bench.engine.query(job)
      const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1)
      return { result, rows: lines.map((line) => JSON.parse(line)) }
    }

    /** Seven rows after one, and where the next begin. */
    async function partAfter({ source, row }: RowPosition) {
      const path = bench.newPath('ndjson')
      const { hasMore, last } = await bench.engine.query({
        table: { schema: SCHEMA, sources: sources.slice(source) },
        query: bindQuery({ columns: ['i'] }, SCHEMA),
        part: { ...WHOLE, rowsMax: 7, after: { source: 0, row } },
        target: { path, format: 'ndjson', compression: 'none' },
      })
      const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1)
      const next = hasMore && last ? { ...last, source: last.source + source } : undefined
      return { ids: lines.map((line) => JSON.parse(line).i), next }
    }

    test('rows come in the order of the files, without those that are deleted', async () => {
      const { rows, result } = await ask({ columns: ['i', 'day', 'late'] })
      expect(rows.map(({ i }) => i)).toEqual(all)
      expect(rows.at(0)).toEqual({ i: 0, day: 1, late: 7 })
      expect(rows.find(({ i }) => i === 30)).toEqual({ i: 30, day: null, late: 7 })
      expect(rows.at(-1)).toEqual({ i: 59, day: 5, late: 1 })
      expect(result).toMatchObject({ hasMore: false, last: { source: 5, row: 9 } })
    })

    test('members of structs may have defaults beyond 2^53', async () => {
      const big = field(12, 'big', 'long', { initialDefault: 2n ** 53n + 1n })
      const inner = [field(11, 'a', 'int'), big]
      const schema = schemaOf(field(1, 's', { kind: 'struct', fields: inner }))
      const path = await bench.parquet('SELECT {a: 1} AS s')
      const target = {
        path: bench.newPath('ndjson'),
        format: 'ndjson',
        compression: 'none',
      } as const
      await bench.engine.query({
        table: { schema, sources: [{ path, columns: [{ fieldId: 1, nameInFile: 's' }] }] },
        query: bindQuery({ columns: ['s'] }, schema),
        part: WHOLE,
        target,
      })
      expect(await readFile(target.path, 'utf8')).toBe('{"s":{"a":1,"big":9007199254740993}}\n')
    })

    test('parts go on after the last row of the one before', async () => {
      const found: number[] = []
      let after: RowPosition | undefined = { source: 0, row: -1 }
      while (after !== undefined) {
        const made = await partAfter(after)
        found.push(...made.ids)
        after = made.next
      }
      expect(found).toEqual(all)
    })

    test('groups and orders see constants, defaults and what is deleted', async () => {
      const grouped = await ask({ groupBy: ['day'], aggregates: [{ function: 'count' }] })
      expect(grouped.rows).toEqual([
        { day: 1, count: 20 },
        { day: 5, count: 10 },
        { day: null, count: 25 },
      ])
      const ordered = await ask({ columns: ['i'], orderBy: [{ column: 'late' }, { column: 'i' }] })
      expect(ordered.rows.slice(0, 11).map(({ i }) => i)).toEqual([...all.slice(-10), 0])
      const filtered = await ask({ columns: ['i'], filter: "late = 7 AND s LIKE 's4_'" })
      expect(filtered.rows.map(({ i }) => i)).toEqual(all.filter((i) => i >= 40 && i < 50))
    })

    test('elements without any value, as pandas writes them, are NULL', async () => {
      const element = { kind: 'string' } as const
      const list = { kind: 'list', elementId: 2, elementRequired: false, element } as const
      const schema = schemaOf(field(1, 'tags', list))
      const file = await bench.parquet('SELECT CAST([NULL, NULL] AS INTEGER[]) AS tags')
      asNulls(file, ['element'])
      const path = bench.newPath('ndjson')
      const target = { path, format: 'ndjson', compression: 'none' } as const
      const table = { schema, sources: [sourceOf(file, schema)] }
      await bench.engine.query({ table, query: bindQuery({}, schema), part: WHOLE, target })
      expect(await readFile(path, 'utf8')).toBe('{"tags":[null,null]}\n')
    })

    test('SQL sees the same rows', async () => {
      const sql =
        'SELECT a.day, count(*) AS n, min(b.i) AS i FROM x a JOIN x b USING (i) GROUP BY 1'
      expect(await bench.engine.parseSql(sql)).toEqual({
        references: [{ table: 'x' }],
        // As DuckDB writes it.
        canonical: expect.stringMatching(/^SELECT a.*FROM t0 AS a INNER JOIN t0 AS b USING/),
      })
      const path = bench.newPath('ndjson')
      const target = { path, format: 'ndjson', compression: 'none' } as const
      const tables = [{ schema: SCHEMA, sources }]
      await bench.engine.querySql({ sql: `${sql} ORDER BY 1`, tables, part: WHOLE, target })
      expect((await readFile(path, 'utf8')).trim().split('\n')).toEqual([
        '{"day":1,"n":20,"i":0}',
        '{"day":5,"n":10,"i":50}',
        '{"day":null,"n":25,"i":21}',
      ])
    })

    test('a whole result is a Parquet file with field ids', async () => {
      const path = bench.newPath('parquet')
      const target = { path, format: 'parquet', compression: 'none' } as const
      const query = bindQuery({ columns: ['s', 'i'], filter: 'i > 50' }, SCHEMA)
      const result = await bench.engine.query({ table: { schema: SCHEMA, sources }, query, target })
      expect(result.rows).toBe(9)
      const columns = await querySql(`SELECT name, field_id FROM parquet_schema('${path}')`)
      expect(columns.slice(1)).toEqual([
        { name: 's', field_id: '1' },
        { name: 'i', field_id: '2' },
      ])
      expect(await querySql(`SELECT count(*)::INTEGER AS n, min(i) AS i FROM '${path}'`)).toEqual([
        { n: 9, i: expect.anything() },
      ])
    })

    test('a part of too many bytes is refused', async () => {
      const refused = await refusal(ask({}, { bytesMax: 100 }))
      expect(refused).toMatchObject({ code: 'result-too-large', facts: { bytesMax: 100 } })
    })
  })
}
