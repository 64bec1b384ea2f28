import { readdir } from 'node:fs/promises'
import { parseTransform } from '../../src/core/partition/transform.ts'
import type { Schema, Type } from '../../src/core/value/type.ts'
import { type SplitResult, splitTarget } from '../../src/engine/engine.ts'
import { querySql } from '../parquet-files.ts'
import { refusal } from '../refusal.ts'
import { Bench, field, type OpenEngine, schemaOf, sourceOf } from './engine-samples.ts'

/** DuckDB's dictionaries take zero and minus zero for one. */
const SOURCE_OPTIONS = ', ROW_GROUP_SIZE 2048, DICTIONARY_SIZE_LIMIT 0'

type Split = Extract<SplitResult, { outcome: 'split' }>

export function describeSplit(name: string, open: OpenEngine): void {
  describe(`splitting by partition: ${name}`, () => {
    let bench: Bench
    beforeAll(async () => {
      bench = await Bench.open(open)
    })
    afterAll(() => bench.close())

    /** Fields are `[source column, transform]`. */
    function specOf(...fields: readonly (readonly [number, string])[]) {
      return {
        specId: 0,
        fields: fields.map(([sourceId, transform], i) => ({
          fieldId: 1000 + i,
          sourceId,
          name: `f${i}`,
          transform: parseTransform(transform),
        })),
      }
    }

    async function split(
      query: string,
      schema: Schema,
      fields: readonly (readonly [number, string])[],
      partitionsMax = 100,
    ) {
      const path = await bench.parquet(query, SOURCE_OPTIONS)
      const targetPrefix = bench.newPath('part')
      const spec = specOf(...fields)
      const source = sourceOf(path, schema)
      const result = await bench.engine.split({
        ...{ source, schema, spec, partitionsMax, targetPrefix },
      })
      return { path, result, targetPrefix }
    }

    /** Rows of a part as texts, in the order of the file. */
    async function texts(path: string, columns = 'i, v'): Promise<string[]> {
      const rows = await querySql(
        `SELECT CAST(ROW(${columns}) AS VARCHAR) AS t FROM ` +
          `read_parquet('${path}', file_row_number = true) ORDER BY file_row_number`,
      )
      return rows.map(({ t }) => String(t))
    }

    const CASES: readonly (readonly [Type['kind'] | Type, string, string, number])[] = [
      ['boolean', 'identity', `i % 3 = 0`, 2],
      ['int', 'identity', `(i % 4 - 2)::INTEGER`, 4],
      ['int', 'truncate[10]', `(i % 40 - 20)::INTEGER`, 4],
      ['int', 'bucket[3]', `i::INTEGER`, 3],
      ['long', 'truncate[1000]', `9007199254740993 + i % 3000`, 4],
      ['long', 'bucket[16]', `i - 2500`, 16],
      [
        'float',
        'identity',
        `CASE i % 4 WHEN 0 THEN 'nan' WHEN 1 THEN '-0.0' ELSE '0.0' END::FLOAT`,
        3,
      ],
      ['double', 'identity', `CASE WHEN i % 2 = 0 THEN 0.1 ELSE 'inf'::DOUBLE END`, 2],
      [
        { kind: 'decimal', precision: 9, scale: 2 },
        'truncate[50]',
        `((i % 200 - 100) / 100)::DECIMAL(9,2)`,
        4,
      ],
      [{ kind: 'decimal', precision: 38, scale: 10 }, 'bucket[5]', `i::DECIMAL(38,10)`, 5],
      ['string', 'identity', `(['a', '', 'é😀', repeat('x', 40)])[i % 4 + 1]`, 4],
      ['string', 'identity', `(['q', chr(65279) || 'q', chr(65279), 'q'])[i % 4 + 1]`, 3],
      ['string', 'truncate[1]', `(['q', chr(65279) || 'q', chr(65279)])[i % 3 + 1]`, 2],
      ['string', 'truncate[2]', `(['😀😀a', '😀😀b', 'zz', 'z'])[i % 4 + 1]`, 3],
      ['string', 'bucket[7]', `'k' || i`, 7],
      ['binary', 'identity', `(['\\x00', '\\xFF', '']::BLOB[])[i % 3 + 1]`, 3],
      ['binary', 'truncate[1]', `(['\\x00\\x01', '\\x00', '\\xFF']::BLOB[])[i % 3 + 1]`, 2],
      [
        'uuid',
        'identity',
        `CASE i % 2 WHEN 0 THEN UUID 'F79C3E09-677C-4BBD-A479-3F349CB785E7'
          ELSE UUID '00000000-0000-0000-0000-000000000001' END`,
        2,
      ],
      ['uuid', 'bucket[4]', `md5(i::VARCHAR)::UUID`, 4],
      ['date', 'year', `DATE '1969-06-01' + (i % 600)::INTEGER`, 3],
      ['date', 'month', `DATE '1969-12-20' + (i % 40)::INTEGER`, 2],
      ['date', 'day', `DATE '1969-12-30' + (i % 4)::INTEGER`, 4],
      ['date', 'bucket[2]', `DATE '1969-12-30' + (i % 100)::INTEGER`, 2],
      ['time', 'identity', `(['23:59:59.999999', '00:00:00']::TIME[])[i % 2 + 1]`, 2],
      ['timestamp', 'day', `TIMESTAMP '1969-12-31 23:59:59.999999' + to_microseconds(i % 2)`, 2],
      ['timestamp', 'hour', `TIMESTAMP '1969-12-31 22:30:00' + to_minutes(i % 180)`, 4],
      ['timestamp', 'month', `TIMESTAMP '2023-12-31 23:59:59.999999' + to_microseconds(i % 2)`, 2],
      ['timestamptz', 'day', `TIMESTAMPTZ '2024-03-10 23:30:00+00' + to_minutes(i % 60)`, 2],
      [
        'timestamptz',
        'year',
        `TIMESTAMPTZ '1969-12-31 23:59:59.999999+00' + to_microseconds(i % 2)`,
        2,
      ],
      ['timestamp_ns', 'day', `make_timestamp_ns(i % 2 - 1)`, 2],
      ['timestamp_ns', 'bucket[8]', `make_timestamp_ns(i - 2500)`, 3],
    ]

    test.each(CASES)('%j by %s: each row in the one file of its partition', async (...args) => {
      const [type, transform, sql, partitions] = args
      const schema = schemaOf(field(1, 'i', 'long'), field(2, 'v', type))
      const from = `SELECT i, CASE WHEN i % 1000 <> 999 THEN ${sql} END AS v
        FROM range(5000) AS t(i)`
      const { path, result, targetPrefix } = await split(from, schema, [[2, transform]])
      const { parts } = result as Split
      // One more for NULL.
      expect(parts).toHaveLength(partitions + 1)
      const before = await texts(path)
      const after: string[] = []
      for (const [i, part] of parts.entries()) {
        const rows = await texts(splitTarget(targetPrefix, i))
        expect(rows).toHaveLength(part.rows)
        const order = rows.map((text) => before.indexOf(text))
        expect(order).toEqual(order.toSorted((a, b) => a - b))
        after.push(...rows)
      }
      expect(after.toSorted()).toEqual(before.toSorted())
    })

    test('of several fields, void ones and columns in structs', async () => {
      const inner = field(4, 'k', 'int')
      const schema = schemaOf(
        field(1, 'i', 'long'),
        field(2, 'v', 'string'),
        field(3, 's', { kind: 'struct', fields: [inner] }),
      )
      const query = `SELECT i, ['a', 'b'][i % 2 + 1] AS v, {'k': (i % 5)::INTEGER} AS s
        FROM range(100) AS t(i)`
      const fields = [
        [2, 'identity'],
        [1, 'void'],
        [4, 'truncate[3]'],
      ] as const
      const { result, targetPrefix } = await split(query, schema, fields)
      const { parts } = result as Split
      expect(parts.map(({ partition }) => partition)).toEqual([
        ['a', null, 0],
        ['b', null, 0],
        ['b', null, 3],
        ['a', null, 3],
      ])
      const path = splitTarget(targetPrefix, 2)
      expect((await texts(path, 'i, v, s.k')).slice(0, 2)).toEqual(['(3, b, 3)', '(9, b, 4)'])
    })

    test('rows of one partition stay as they are', async () => {
      const schema = schemaOf(field(1, 'i', 'long'))
      const { result } = await split('SELECT range AS i FROM range(3000)', schema, [
        [1, 'bucket[1]'],
      ])
      expect(result).toEqual({ outcome: 'single', partition: [0] })
    })

    test('too many partitions are refused with their number, and leave nothing', async () => {
      const schema = schemaOf(field(1, 'i', 'long'))
      const before = await readdir(bench.folder)
      const refused = await refusal(
        split('SELECT range AS i FROM range(3000)', schema, [[1, 'truncate[10]']], 299),
      )
      expect(refused).toMatchObject({
        code: 'file-spans-partitions',
        facts: { partitions: 300, partitionsMax: 299 },
      })
      expect(refused.message).toContain('300 partitions')
      // The source of the test.
      expect((await readdir(bench.folder)).length).toBe(before.length + 1)
      expect(await bench.jobFolders()).toEqual([])
    })
  })
}
