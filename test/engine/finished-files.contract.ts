import { writeFile } from 'node:fs/promises'
import { tableFromIPC } from 'apache-arrow'
import { parseTransform } from '../../src/core/partition/transform.ts'
import type { Schema, Type } from '../../src/core/value/type.ts'
import { splitTarget } from '../../src/engine/engine.ts'
import { querySql } from '../parquet-files.ts'
import { refusal } from '../refusal.ts'
import { Bench, field, type OpenEngine, schemaOf, sourceOf } from './engine-samples.ts'

const FIXED = { kind: 'fixed', length: 3 } as const
const INNER = {
  list: { kind: 'list', elementId: 4, elementRequired: false, element: FIXED },
  struct: { kind: 'struct', fields: [field(6, 'x', FIXED), field(7, 'n', 'int')] },
  map: { kind: 'map', keyId: 9, key: FIXED, valueId: 10, valueRequired: false, value: FIXED },
} as const satisfies Record<string, Type>
const SCHEMA = schemaOf(
  field(1, 'i', 'long'),
  field(2, 'f', FIXED),
  field(3, 'l', INNER.list),
  field(5, 's', INNER.struct),
  field(8, 'm', INNER.map),
  field(11, 'after', 'string'),
)
const bytesOf = (sql: string) => `unhex(lpad(hex(CAST(${sql} AS BIGINT)), 6, '0'))`
/** One row group and a part of another; values are new in each row, and the same in many. */
const ROWS = 130_000
const rowsOf = (value: string) =>
  `SELECT range AS i, CASE WHEN range % 7 > 0 THEN ${bytesOf(value)} END AS f,
     [${bytesOf(value)}, NULL, ${bytesOf('range % 5')}] AS l,
     CASE WHEN range % 3 > 0 THEN {x: ${bytesOf(value)}, n: range::INTEGER} END AS s,
     MAP([${bytesOf('range')}, ${bytesOf('range + 1')}], [${bytesOf(value)}, NULL]) AS m,
     's' || range AS after FROM range(${ROWS})`

/** Files whose columns DuckDB cannot write: its own are finished by the engine. */
export function describeFinishedFiles(name: string, open: OpenEngine): void {
  describe(`files that the engine ${name} finishes`, () => {
    let bench: Bench

    beforeAll(async () => {
      bench = await Bench.open(open)
    })
    afterAll(() => bench.close())

    async function elementsOf(path: string): Promise<string[]> {
      const rows = await querySql(
        'SELECT name, type, type_length AS length, field_id AS id, num_children AS children ' +
          `FROM parquet_schema('${path}') OFFSET 1`,
      )
      return rows.map(({ name: column, type, length, id, children }) =>
        [column, children === null ? type : `${children}`, length, id].filter(present).join(' '),
      )
    }

    async function expectSameRows(left: string, right: string, rows: number): Promise<void> {
      const differing = (a: string, b: string) =>
        `SELECT count(*) AS n FROM (FROM read_parquet('${a}') EXCEPT ALL FROM read_parquet('${b}'))`
      expect(await querySql(differing(left, right))).toEqual([{ n: '0' }])
      expect(await querySql(`SELECT count(*) AS n FROM read_parquet('${left}')`)).toEqual([
        { n: String(rows) },
      ])
    }

    test.each([
      ['new in every row', 'range'],
      ['of a dictionary', 'range % 10'],
    ])('values of fixed that are %s are FIXED_LEN_BYTE_ARRAY, at every depth', async (_, value) => {
      const path = await bench.parquet(rowsOf(value))
      const job = { source: sourceOf(path, SCHEMA), schema: SCHEMA }
      const { path: made } = await bench.export({ ...job, target: { format: 'parquet' } })
      const fixed = 'FIXED_LEN_BYTE_ARRAY 3'
      expect(await elementsOf(made)).toEqual([
        ...['i INT64 1', `f ${fixed} 2`, 'l 1 3', 'list 1', `element ${fixed} 4`],
        ...['s 2 5', `x ${fixed} 6`, 'n INT32 7'],
        ...['m 1 8', 'key_value 2', `key ${fixed} 9`, `value ${fixed} 10`, 'after BYTE_ARRAY 11'],
      ])
      await expectSameRows(path, made, ROWS)
      const [bounds] = await querySql(
        `SELECT min(stats_min_value) AS low, max(stats_max_value) AS high, count(*) AS groups,
           bool_and(total_compressed_size > 0) AS sized, min(type) AS type
         FROM parquet_metadata('${made}') WHERE path_in_schema = 'f'`,
      )
      expect(bounds).toMatchObject({ groups: '2', sized: true, type: 'FIXED_LEN_BYTE_ARRAY' })
    })

    test('the same job gives the same bytes; a file without rows has the columns', async () => {
      const path = await bench.parquet(`${rowsOf('range')} LIMIT 5000`)
      const job = { source: sourceOf(path, SCHEMA), schema: SCHEMA }
      const target = { format: 'parquet' } as const
      const [one, two] = await Promise.all([
        bench.export({ ...job, target }),
        bench.export({ ...job, target }),
      ])
      expect(one.bytes.equals(two.bytes)).toBe(true)
      const empty = bench.newPath('parquet')
      const nothing = { path: empty, format: 'parquet', compression: 'none' } as const
      await bench.engine.export({ source: undefined, schema: SCHEMA, target: nothing })
      expect(await elementsOf(empty)).toContain('f FIXED_LEN_BYTE_ARRAY 3 2')
      expect(await querySql(`FROM '${empty}'`)).toEqual([])
    })

    test('a value of another length is refused with its column, and nothing is left', async () => {
      const schema = schemaOf(field(1, 's', { kind: 'struct', fields: [field(2, 'f', FIXED)] }))
      const path = await bench.parquet(`SELECT {f: '\\x01\\x02'::BLOB} AS s`)
      const source = sourceOf(path, schema)
      for (const format of ['parquet', 'arrow'] as const) {
        const target = { path: bench.newPath('out'), format, compression: 'none' } as const
        const refused = await refusal(bench.engine.export({ source, schema, target }))
        expect(refused).toMatchObject({ code: 'file-unsupported', facts: { column: 's.f' } })
      }
      expect(await bench.jobFolders()).toEqual([])
    })

    test('Arrow has FixedSizeBinary, at every depth', async () => {
      const path = await bench.parquet(`${rowsOf('range')} LIMIT 10000`)
      const job = { source: sourceOf(path, SCHEMA), schema: SCHEMA }
      const { bytes } = await bench.export({ ...job, target: { format: 'arrow' } })
      const table = tableFromIPC(bytes)
      expect(table.schema.fields.map(({ type }) => String(type))).toEqual([
        ...['Int64', 'FixedSizeBinary[3]', 'List<FixedSizeBinary[3]>'],
        ...['Struct<{x:FixedSizeBinary[3], n:Int32}>'],
        ...['Map<{key:FixedSizeBinary[3], value:FixedSizeBinary[3]}>', 'Utf8'],
      ])
      expect(table.numRows).toBe(10_000)
      expect(table.get(9_999)?.toJSON()['f']).toEqual(Uint8Array.of(0, 0x27, 0x0f))
      expect(table.get(7)?.toJSON()['f']).toBeNull()
    })

    test('texts have fixed as base64, and a wrong length is told at its line', async () => {
      const schema = schemaOf(field(1, 'f', FIXED), field(2, 'l', INNER.list))
      const ingest = async (format: 'csv' | 'ndjson', text: string) => {
        const [path, targetPath] = [bench.newPath('text'), bench.newPath('parquet')]
        await writeFile(path, text)
        return { targetPath, ...(await bench.engine.ingest({ path, format, schema, targetPath })) }
      }
      const csv = await ingest('csv', 'f,l\nAAEC,"[""AwQF"",null]"\n,\n')
      const json = await ingest('ndjson', '{"f":"AAEC","l":["AwQF",null]}\n{}\n')
      for (const { targetPath } of [csv, json]) {
        expect(await elementsOf(targetPath)).toContain('element FIXED_LEN_BYTE_ARRAY 3 4')
        const values = 'hex(f) AS f, hex(l[1]) AS l, len(l) AS n'
        expect(await querySql(`SELECT ${values} FROM '${targetPath}'`)).toEqual([
          { f: '000102', l: '030405', n: '2' },
          { f: null, l: null, n: null },
        ])
      }
      expect(await ingest('csv', 'f,l\nAAEC,\nAAE=,\n')).toMatchObject({
        outcome: 'row-invalid',
        line: 3,
      })
    })

    test('parts of a split have it, also as what they are split by', async () => {
      const schema = schemaOf(field(1, 'i', 'long'), field(2, 'f', FIXED))
      const path = await bench.parquet(
        `SELECT range AS i, ${bytesOf('range % 2')} AS f FROM range(9)`,
      )
      const identity = {
        fieldId: 1000,
        sourceId: 2,
        name: 'f',
        transform: parseTransform('identity'),
      }
      const spec = { specId: 0, fields: [identity] }
      const targetPrefix = bench.newPath('part')
      const source = sourceOf(path, schema)
      const job = { source, schema, spec, partitionsMax: 9, targetPrefix }
      expect(await bench.engine.split(job)).toMatchObject({
        outcome: 'split',
        parts: [{ rows: 5 }, { rows: 4 }],
      })
      const part = splitTarget(targetPrefix, 1)
      expect(await elementsOf(part)).toEqual(['i INT64 1', 'f FIXED_LEN_BYTE_ARRAY 3 2'])
      expect(await querySql(`SELECT DISTINCT hex(f) AS f FROM read_parquet('${part}')`)).toEqual([
        { f: '000001' },
      ])
    })

    /** As engines and older versions made them. */
    const pair = (from: number, one: string, two: string) =>
      [field(from, one, 'long'), field(from + 1, two, FIXED)] as const
    const named = (one: string, two: string): Schema =>
      schemaOf(...pair(1, one, two), field(3, 'n', { kind: 'struct', fields: pair(4, one, two) }))

    test.each([
      ['a', 'A'],
      ['', 'b'],
      ['a\u0000', 'a'],
    ])('columns and members called %j and %j have their names', async (one, two) => {
      const schema = named(one, two)
      const nested = `{v: 3::BIGINT, w: ${bytesOf('4')}}`
      const query = `SELECT 1::BIGINT AS v, ${bytesOf('2')} AS w, ${nested} AS n`
      const path = await bench.parquet(
        query,
        ', FIELD_IDS {v: 1, w: 2, n: {__duckdb_field_id: 3, v: 4, w: 5}}',
      )
      const columns = ['v', 'w', 'n'].map((nameInFile, i) => ({ fieldId: i + 1, nameInFile }))
      const source = { path, columns }
      const { path: made } = await bench.export({ source, schema, target: { format: 'parquet' } })
      const names = await querySql(`SELECT name FROM parquet_schema('${made}') OFFSET 1`)
      expect(names.map(({ name: column }) => column)).toEqual([one, two, 'n', one, two])
      const [row] = await querySql(
        `SELECT a, hex(b) AS b, struct_extract_at(n, 1) AS c, hex(struct_extract_at(n, 2)) AS d
         FROM read_parquet('${made}') AS t(a, b, n)`,
      )
      expect(row).toEqual({ a: '1', b: '000002', c: '3', d: '000004' })

      const { bytes } = await bench.export({ source, schema, target: { format: 'arrow' } })
      const table = tableFromIPC(bytes)
      expect(table.schema.fields.map((column) => column.name)).toEqual([one, two, 'n'])
      expect(table.getChildAt(1)?.get(0)).toEqual(Uint8Array.of(0, 0, 2))
    })

    test('texts are read by such names, and a name that could be either is none', async () => {
      const schema = schemaOf(...pair(1, 'a', 'A'))
      const ingest = async (text: string) => {
        const [path, targetPath] = [bench.newPath('text'), bench.newPath('parquet')]
        await writeFile(path, text)
        const job = { path, format: 'csv', schema, targetPath } as const
        return { targetPath, ...(await bench.engine.ingest(job)) }
      }
      const { targetPath } = await ingest('A,a\nAAEC,7\n')
      expect(await elementsOf(targetPath)).toEqual(['a INT64 1', 'A FIXED_LEN_BYTE_ARRAY 3 2'])
      const other = schemaOf(field(1, 'ab', 'long'), field(2, 'AB', 'long'))
      const [path, target] = [bench.newPath('text'), bench.newPath('parquet')]
      await writeFile(path, 'Ab\n7\n')
      const job = { path, format: 'csv', schema: other, targetPath: target } as const
      expect(await bench.engine.ingest(job)).toMatchObject({ outcome: 'row-invalid', line: 1 })
    })
  })
}

function present(value: unknown): boolean {
  return value !== null && value !== undefined
}
