import { writeFile } from 'node:fs/promises'
import { tableFromIPC } from 'apache-arrow'
import { parseTransform } from '../../src/core/partition/transform.ts'
import type { Type } from '../../src/core/value/type.ts'
import { splitTarget } from '../../src/engine/engine.ts'
import { querySql } from '../parquet-files.ts'
import { Bench, field, type OpenEngine, schemaOf, sourceOf } from './engine-samples.ts'

const DOUBLE = { kind: 'double' } as const
const LIST = { kind: 'list', elementId: 4, elementRequired: false, element: DOUBLE } as const
const STRUCT = { kind: 'struct', fields: [field(6, 'x', 'float')] } as const
const MAP = {
  kind: 'map',
  keyId: 8,
  key: { kind: 'string' },
  valueId: 9,
  valueRequired: false,
} as const
const COLUMNS = [
  ['double', 'double', (zero: string) => `${zero}::DOUBLE`, 'v'],
  ['float', 'float', (zero: string) => `${zero}::FLOAT`, 'v'],
  ['a list', LIST, (zero: string) => `[1.5, ${zero}::DOUBLE]`, 'v[2]'],
  ['a struct', STRUCT, (zero: string) => `{x: ${zero}::FLOAT}`, 'v.x'],
  ['a map', { ...MAP, value: DOUBLE }, (zero: string) => `MAP {'k': ${zero}::DOUBLE}`, "v['k']"],
] as const satisfies readonly (readonly [string, Type | Type['kind'], unknown, string])[]

/** DuckDB's dictionaries take zero and minus zero for one value. */
export function describeZeros(name: string, open: OpenEngine): void {
  describe(`zeros in files that the engine ${name} writes`, () => {
    let bench: Bench

    beforeAll(async () => {
      bench = await Bench.open(open)
    })
    afterAll(() => bench.close())

    /** `i:0.0`, by the number of the row. */
    async function zerosOf(path: string, value: string): Promise<readonly string[]> {
      const rows = await querySql(
        `SELECT i || ':' || CAST(${value} AS VARCHAR) AS t FROM read_parquet('${path}') ORDER BY i`,
      )
      return rows.map(({ t }) => String(t))
    }
    const zero = `CASE WHEN range % 2 = 0 THEN '-0.0' ELSE '0.0' END`
    const expected = (rows: readonly number[]) =>
      rows.map((i) => `${i}:${i % 2 === 0 ? '-0.0' : '0.0'}`)
    const all = Array.from({ length: 3_000 }, (_, i) => i)

    test.each(COLUMNS)('both zeros stay in a column of %s', async (_, type, sql, value) => {
      const schema = schemaOf(field(1, 'i', 'long'), field(2, 'v', type))
      const query = `SELECT range AS i, ${sql(`(${zero})`)} AS v FROM range(3000)`
      const path = await bench.parquet(query, ', DICTIONARY_SIZE_LIMIT 0')
      const source = sourceOf(path, schema)
      const { path: made } = await bench.export({ source, schema, target: { format: 'parquet' } })
      expect(await zerosOf(made, value)).toEqual(expected(all))

      const bucket = {
        fieldId: 1000,
        sourceId: 1,
        name: 'b',
        transform: parseTransform('bucket[2]'),
      }
      const targetPrefix = bench.newPath('part')
      const spec = { specId: 0, fields: [bucket] }
      await bench.engine.split({ source, schema, spec, partitionsMax: 9, targetPrefix })
      const parts = [0, 1].map((i) => zerosOf(splitTarget(targetPrefix, i), value))
      const found = (await Promise.all(parts)).flat()
      expect(found.sort()).toEqual([...expected(all)].sort())
    })

    /** In 32 bits: DuckDB's own, two of other payloads, a signalling one. None has a sign. */
    const NANS = ['7FC00000', '7FC00001', '7FC00123', '7F800001']
    const nansOf = (kind: 'double' | 'float') =>
      NANS.map((hex) => {
        const bits = BigInt(`0x${hex}`)
        const wide = ((bits >> 31n) << 63n) | (0x7ffn << 52n) | ((bits & 0x7fffffn) << 29n)
        return kind === 'float'
          ? bits.toString(2).padStart(32, '0')
          : wide.toString(2).padStart(64, '0')
      })
    /** SQL of a NaN by the number of the row; negative numbers in the rows between. */
    const nanSql = (kind: 'double' | 'float') =>
      `CASE WHEN range % 2 = 1 THEN (-1 - range % 5)::${kind} ELSE
        CAST(CAST([${nansOf(kind).map((bits) => `'${bits}'`)}][1 + range // 2 % 4] AS BIT)
          AS ${kind}) END`

    test.each(COLUMNS)(
      'the bits of every NaN stay in a column of %s',
      async (_, type, sql, value) => {
        const kind = sql('').includes('FLOAT') ? 'float' : 'double'
        const schema = schemaOf(field(1, 'i', 'long'), field(2, 'v', type))
        const query = `SELECT range AS i, ${sql(`(${nanSql(kind)})`)} AS v FROM range(2000)`
        const path = await bench.parquet(query, ', DICTIONARY_SIZE_LIMIT 0')
        const bitsOf = async (file: string) => {
          const bits = `CAST(${value} AS BIT)::VARCHAR`
          return querySql(`SELECT i, ${bits} AS t FROM read_parquet('${file}') ORDER BY i`)
        }
        const before = await bitsOf(path)
        const found = new Set(before.map(({ t }) => t))
        expect(nansOf(kind).every((bits) => found.has(bits))).toBe(true)
        const source = sourceOf(path, schema)
        const { path: made } = await bench.export({ source, schema, target: { format: 'parquet' } })
        expect(await bitsOf(made)).toEqual(before)
      },
    )

    test('NaNs of all bits are one partition, and stay as they are', async () => {
      const schema = schemaOf(field(1, 'i', 'long'), field(2, 'v', 'double'))
      const query = `SELECT range AS i, CASE WHEN range % 2 = 0 THEN ${nanSql('double')}
        ELSE -1.5 END AS v FROM range(400)`
      const path = await bench.parquet(query, ', DICTIONARY_SIZE_LIMIT 0')
      const transform = parseTransform('identity')
      const spec = {
        specId: 0,
        fields: [{ fieldId: 1000, sourceId: 2, name: 'v', transform }],
      }
      const targetPrefix = bench.newPath('part')
      const source = sourceOf(path, schema)
      const split = { source, schema, spec, partitionsMax: 9, targetPrefix }
      const result = await bench.engine.split(split)
      expect(result).toMatchObject({ outcome: 'split', parts: [{ rows: 200 }, { rows: 200 }] })
      const parts = [0, 1].map((i) => splitTarget(targetPrefix, i))
      const bits = `SELECT DISTINCT CAST(v AS BIT)::VARCHAR AS t FROM read_parquet(
        ['${parts.join("', '")}']) WHERE isnan(v) ORDER BY t`
      expect((await querySql(bits)).map(({ t }) => t)).toEqual([...nansOf('double')].sort())
    })

    test('the bits of every NaN stay in Arrow', async () => {
      const schema = schemaOf(field(1, 'v', 'double'))
      const query = `SELECT ${nanSql('double')} AS v FROM range(8)`
      const path = await bench.parquet(query, ', DICTIONARY_SIZE_LIMIT 0')
      const job = { source: sourceOf(path, schema), schema }
      const { bytes } = await bench.export({ ...job, target: { format: 'arrow' } })
      const values = tableFromIPC(bytes).getChildAt(0)?.data[0]?.values as Float64Array
      const all = [...new BigUint64Array(values.buffer, values.byteOffset, 8)]
      const nans = all.filter((_bits, i) => i % 2 === 0).map((n) => n.toString(2).padStart(64, '0'))
      expect(nans).toEqual(nansOf('double'))
    })

    test('both zeros stay in Arrow', async () => {
      const schema = schemaOf(field(1, 'v', 'double'))
      const query = `SELECT (${zero})::DOUBLE AS v FROM range(3000)`
      const path = await bench.parquet(query, ', DICTIONARY_SIZE_LIMIT 0')
      const job = { source: sourceOf(path, schema), schema }
      const { bytes } = await bench.export({ ...job, target: { format: 'arrow' } })
      const values = [...(tableFromIPC(bytes).getChildAt(0) ?? [])]
      expect(values.map((v) => Object.is(v, -0))).toEqual(all.map((i) => i % 2 === 0))
    })

    test('both zeros stay in uploaded text, also inside of others', async () => {
      const schema = schemaOf(field(1, 'i', 'long'), field(2, 'v', 'double'), field(3, 'l', LIST))
      const lines = all.map((i) => {
        const v = i % 2 === 0 ? '-0.0' : '0.0'
        return `{"i":${i},"v":${v},"l":[${v}]}\n`
      })
      const only = all.map((i) => `{"i":${i},"l":[${i % 2 === 0 ? '-0.0' : '0.0'}]}\n`)
      for (const [text, value] of [
        [lines, 'v'],
        [lines, 'l[1]'],
        [only, 'l[1]'],
      ] as const) {
        const [path, targetPath] = [bench.newPath('text'), bench.newPath('parquet')]
        await writeFile(path, text.join(''))
        await bench.engine.ingest({ path, format: 'ndjson', schema, targetPath })
        expect(await zerosOf(targetPath, value)).toEqual(expected(all))
      }
    })

    test('files with neither, but with usual NaNs, keep their dictionaries', async () => {
      const schema = schemaOf(field(1, 'v', 'double'))
      const number = "CASE WHEN range % 5 = 0 THEN 'NaN'::DOUBLE ELSE range % 5 END"
      const path = await bench.parquet(`SELECT ${number} AS v FROM range(3000)`)
      const source = sourceOf(path, schema)
      const { path: made } = await bench.export({ source, schema, target: { format: 'parquet' } })
      const encodings = `SELECT encodings FROM parquet_metadata('${made}')`
      expect(await querySql(encodings)).toEqual([{ encodings: 'PLAIN_DICTIONARY' }])
    })
  })
}
