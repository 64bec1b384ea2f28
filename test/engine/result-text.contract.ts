import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { bindQuery } from '../../src/core/query/bind-query.ts'
import type { QueryRequest } from '../../src/core/query/bound-query.ts'
import type { Field, Type } from '../../src/core/value/type.ts'
import type { QueryResult, ResultPart } from '../../src/engine/engine.ts'
import { refusal } from '../refusal.ts'
import { Bench, field, type OpenEngine, schemaOf, sourceOf } from './engine-samples.ts'

const PART = { rowsMax: 1_000, bytesMax: 4_000_000, withoutLast: true } as const

const LIST: Type = {
  kind: 'list',
  elementId: 32,
  elementRequired: false,
  element: { kind: 'string' },
}
const MAP: Type = {
  kind: 'map',
  ...{ keyId: 42, key: { kind: 'string' } },
  ...{ valueId: 43, valueRequired: false, value: { kind: 'double' } },
}
const STRUCT: Type = {
  kind: 'struct',
  fields: [field(52, 'a', 'double'), field(53, 'A b', 'timestamptz')],
}
const FIELDS: readonly Field[] = [
  field(1, 'n', 'int'),
  field(2, 'ok', 'boolean'),
  field(3, 'l', 'long'),
  field(4, 'f', 'float'),
  field(5, 'd', 'double'),
  field(6, 'dec', { kind: 'decimal', precision: 9, scale: 2 }),
  field(7, 'frac', { kind: 'decimal', precision: 2, scale: 2 }),
  field(9, 'day', 'date'),
  field(10, 'tod', 'time'),
  field(11, 'ts', 'timestamp'),
  field(12, 'tz', 'timestamptz'),
  field(13, 'ns', 'timestamp_ns'),
  field(14, 's', 'string'),
  field(15, 'id', 'uuid'),
  field(16, 'b', 'binary'),
  field(31, 'list', LIST),
  field(41, 'map', MAP),
  field(51, 'in', STRUCT),
]
const SCHEMA = schemaOf(...FIELDS)

/** Characters that JSON escapes, or might: the first two hundred, and some beyond. */
const CHARACTERS = `chr(n::INTEGER) || '/"\\' || chr(8232) || '😀' || chr(127)`

const ROWS = `SELECT n::INTEGER AS n, n % 3 = 0 AS ok, n * 9007199254740993 AS l,
  (CASE n % 5 WHEN 0 THEN 'nan' WHEN 1 THEN '-inf' ELSE (n / 7)::VARCHAR END)::FLOAT AS f,
  (CASE n % 7 WHEN 0 THEN '-0.0' WHEN 1 THEN '1e300' ELSE (n / 3)::VARCHAR END)::DOUBLE AS d,
  (n / 100)::DECIMAL(9,2) AS dec, (-n / 1000)::DECIMAL(2,2) AS frac,
  DATE '1970-01-01' + ((n - 100) * 50000)::INTEGER AS day, TIME '00:00:00.5' + to_seconds(n) AS tod,
  TIMESTAMP '0100-01-01 00:00:00.000001' + to_years((n * 55)::INTEGER) AS ts,
  TIMESTAMPTZ '1960-01-01 00:00:00+00' + to_hours(n * 1000) AS tz,
  make_timestamp_ns(n * 1000000000000001) AS ns, ${CHARACTERS} AS s, md5(n::VARCHAR)::UUID AS id,
  encode('b' || n) AS b, CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN [] ELSE [NULL, ${CHARACTERS}] END
  AS list, CASE WHEN n % 3 > 0 THEN MAP {${CHARACTERS}: n / 9, 'b': NULL} END AS map,
  CASE WHEN n % 4 > 0 THEN {a: n / 11, 'A b': TIMESTAMPTZ '1960-01-01 00:00:00+00'} END AS in
  FROM range(1, 201) t(n) UNION ALL BY NAME SELECT 0::INTEGER AS n`

/** What an engine promises of short results, which need no file. */
export function describeResultText(name: string, open: OpenEngine): void {
  describe(`short results of the engine ${name}`, () => {
    let bench: Bench
    let file: string
    beforeAll(async () => {
      bench = await Bench.open(open)
      file = await bench.parquet(ROWS)
    })
    afterAll(() => bench.close())

    const read = ({ text = new Uint8Array() }: Pick<QueryResult, 'text'>) =>
      new TextDecoder().decode(text)

    async function ask(request: QueryRequest, part: Partial<ResultPart>, takesText?: true) {
      const path = bench.newPath('ndjson')
      const result = await bench.engine.query({
        table: { schema: SCHEMA, sources: [sourceOf(file, SCHEMA) as never] },
        query: bindQuery(request, SCHEMA),
        part: { ...PART, ...part },
        target: { path, format: 'ndjson', compression: 'none' },
        ...(takesText === true && { takesText }),
      })
      return { result, path }
    }

    const QUERIES: readonly (readonly [string, QueryRequest, Partial<ResultPart>])[] = [
      ['every type', {}, {}],
      ['a filter', { filter: 'n > 190', columns: ['s', 'map', 'in'] }, {}],
      ['an order', { orderBy: [{ column: 's', descending: true }], columns: ['s', 'n'] }, {}],
      ['the first of an order', { orderBy: [{ column: 'd' }], columns: ['d'] }, { rowsMax: 5 }],
      ['groups', { groupBy: ['ok'], aggregates: [{ function: 'sum', column: 'd' }] }, {}],
      ['all in one', { aggregates: [{ function: 'max', column: 'ts' }], groupBy: [] }, {}],
      ['as many as there may be', { columns: ['n'] }, { rowsMax: 201 }],
      ['one more than there may be', { columns: ['s'] }, { rowsMax: 200 }],
      ['one of many', { columns: ['s'] }, { rowsMax: 1 }],
      ['nothing', { filter: 'n > 1000' }, {}],
      ['no rows', { columns: ['n'], limit: 0 }, {}],
      ['what is left out', { columns: ['n'], limit: 150 }, { offset: 100 }],
    ]

    test.each(QUERIES)('it is what would be in the file: %s', async (_, request, part) => {
      const written = await ask(request, part)
      const expected = await readFile(written.path, 'utf8')
      const { result, path } = await ask(request, part, true)
      expect(result.text).toBeDefined()
      expect(read(result)).toBe(expected)
      const { text: _text, ...told } = result
      expect(told).toEqual(written.result)
      expect(existsSync(path)).toBe(false)
    })

    test('what is long is in the file all the same', async () => {
      const sql = "SELECT repeat('x', 1000) || i AS s FROM range(600) t(i)"
      const long = await bench.parquet(sql)
      const schema = schemaOf(field(1, 's', 'string'))
      const path = bench.newPath('ndjson')
      const { text, rows, bytes } = await bench.engine.query({
        table: { schema, sources: [sourceOf(long, schema) as never] },
        query: bindQuery({}, schema),
        part: PART,
        target: { path, format: 'ndjson', compression: 'none' },
        takesText: true,
      })
      const lines = (await readFile(path, 'utf8')).split('\n')
      expect([text, rows, lines.length]).toEqual([undefined, 600, 601])
      expect(bytes).toBe(lines.join('\n').length)
      expect(lines[599]).toBe(`{"s":"${'x'.repeat(1000)}599"}`)
    })

    test('names that are none to DuckDB, and texts of SQL', async () => {
      const schema = schemaOf(field(1, 'a', 'int'), field(2, 'A', 'int'), field(3, '', 'string'))
      const any = await bench.parquet(`SELECT 1 AS c0, 2 AS c1, '"' AS c2`)
      const columns = [1, 2, 3].map((fieldId) => ({ fieldId, nameInFile: `c${fieldId - 1}` }))
      const table = { schema, sources: [{ path: any, columns }] }
      const target = {
        path: bench.newPath('ndjson'),
        format: 'ndjson',
        compression: 'none',
      } as const
      const common = { part: PART, target, takesText: true } as const
      const found = await bench.engine.query({ table, query: bindQuery({}, schema), ...common })
      expect(read(found)).toBe('{"a":1,"A":2,"":"\\""}\n')
      const named = { schema: SCHEMA, sources: [sourceOf(file, SCHEMA) as never] }
      const sql = 'SELECT n, s, n / 8 AS "N 8" FROM x WHERE n < 35 ORDER BY n DESC LIMIT 2'
      const ofText = await bench.engine.querySql({ sql, tables: [named], ...common })
      expect(read(ofText)).toBe(
        '{"n":34,"s":"\\"/\\"\\\\\u2028😀\u007f","N 8":4.25}\n' +
          '{"n":33,"s":"!/\\"\\\\\u2028😀\u007f","N 8":4.125}\n',
      )
    })

    test('a part of too many bytes is refused', async () => {
      const refused = await refusal(ask({}, { bytesMax: 100 }, true))
      expect(refused).toMatchObject({ code: 'result-too-large', facts: { bytesMax: 100 } })
    })
  })
}
