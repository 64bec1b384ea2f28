import { gunzipSync } from 'node:zlib'
import { decompress } from 'fzstd'
import { parquetMetadata } from 'hyparquet'
import type { Field } from '../../src/core/value/type.ts'
import { readParquetRows } from '../interop-readers/rows.ts'
import { querySql } from '../parquet-files.ts'
import { refusal } from '../refusal.ts'
import { Bench, field, type OpenEngine, schemaOf, sourceOf } from './engine-samples.ts'

const EVERY_TYPE = schemaOf(
  field(1, 'ok', 'boolean'),
  field(2, 'i', 'int'),
  field(3, 'l', 'long'),
  field(4, 'f', 'float'),
  field(5, 'd', 'double'),
  field(6, 'dec', { kind: 'decimal', precision: 9, scale: 2 }),
  field(7, 'frac', { kind: 'decimal', precision: 2, scale: 2 }),
  field(8, 'big', { kind: 'decimal', precision: 38, scale: 38 }),
  field(9, 'day', 'date'),
  field(10, 'tod', 'time'),
  field(11, 'ts', 'timestamp'),
  field(12, 'tz', 'timestamptz'),
  field(13, 'ns', 'timestamp_ns'),
  field(14, 's', 'string'),
  field(15, 'id', 'uuid'),
  field(16, 'b', 'binary'),
  field(17, 'fx', { kind: 'fixed', length: 2 }),
)

const EVERY_TYPE_QUERY = `
  SELECT true AS ok, (-2147483648)::INTEGER AS i, 9223372036854775807::BIGINT AS l, 1.5::FLOAT AS f,
    0.1::DOUBLE AS d, (-0.05)::DECIMAL(9,2) AS dec, 0.05::DECIMAL(2,2) AS frac,
    '-0.00000000000000000000000000000000000001'::DECIMAL(38,38) AS big, DATE '1969-12-31' AS day,
    TIME '23:59:59.000001' AS tod, TIMESTAMP '1969-12-31 23:59:59.999999' AS ts,
    TIMESTAMPTZ '1900-01-01 00:00:00+00' AS tz, TIMESTAMP_NS '2020-02-29 12:00:00.123456789' AS ns,
    'é, "q"' || chr(10) || '😀' AS s, UUID 'F79C3E09-677C-4BBD-A479-3F349CB785E7' AS id,
    '\\x00\\xFF'::BLOB AS b, '\\x01\\x02'::BLOB AS fx
  UNION ALL SELECT false, 0, -9007199254740993, 'nan'::FLOAT, '-0.0'::DOUBLE, 1234567.80, -0.50, 0,
    DATE '0044-03-15 (BC)', TIME '00:00:00', TIMESTAMP '12024-01-01 00:00:00',
    TIMESTAMPTZ '9999-12-31 23:59:59+00', TIMESTAMP_NS '1970-01-01 00:00:00', '', NULL, ''::BLOB,
    NULL
  UNION ALL SELECT NULL, NULL, NULL, '-inf'::FLOAT, 'inf'::DOUBLE, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL`

const NAMES = 'ok,i,l,f,d,dec,frac,big,day,tod,ts,tz,ns,s,id,b,fx'

const EVERY_TYPE_CSV = [
  NAMES,
  'true,-2147483648,9223372036854775807,1.5,0.1,-0.05,0.05,' +
    '-0.00000000000000000000000000000000000001,1969-12-31,23:59:59.000001,' +
    '1969-12-31 23:59:59.999999,1900-01-01 00:00:00+00:00,' +
    '2020-02-29 12:00:00.123456789,"é, ""q""\n😀",f79c3e09-677c-4bbd-a479-3f349cb785e7,AP8=,AQI=',
  'false,0,-9007199254740993,NaN,-0.0,1234567.80,-0.50,0.00000000000000000000000000000000000000,' +
    '-0043-03-15,00:00:00,+12024-01-01 00:00:00,9999-12-31 23:59:59+00:00,' +
    '1970-01-01 00:00:00,"",,"",',
  ',,,-Infinity,Infinity,,,,,,,,,,,,',
  '',
].join('\n')

const EVERY_TYPE_NDJSON = [
  '{"ok":true,"i":-2147483648,"l":9223372036854775807,"f":1.5,"d":0.1,"dec":"-0.05",' +
    '"frac":"0.05","big":"-0.00000000000000000000000000000000000001",' +
    '"day":"1969-12-31","tod":"23:59:59.000001",' +
    '"ts":"1969-12-31T23:59:59.999999","tz":"1900-01-01T00:00:00.000000+00:00",' +
    '"ns":"2020-02-29T12:00:00.123456789","s":"é, \\"q\\"\\n😀",' +
    '"id":"f79c3e09-677c-4bbd-a479-3f349cb785e7","b":"AP8=","fx":"AQI="}',
  '{"ok":false,"i":0,"l":-9007199254740993,"f":null,"d":-0.0,"dec":"1234567.80","frac":"-0.50",' +
    '"big":"0.00000000000000000000000000000000000000","day":"-0043-03-15",' +
    '"tod":"00:00:00.000000",' +
    '"ts":"+12024-01-01T00:00:00.000000","tz":"9999-12-31T23:59:59.000000+00:00",' +
    '"ns":"1970-01-01T00:00:00.000000000","s":"","id":null,"b":"","fx":null}',
  `{${NAMES.split(',')
    .map((name) => `"${name}":null`)
    .join(',')}}`,
  '',
].join('\n')

/** What an engine promises of its formats: docs/dump-dialects.md. */
export function describeExport(name: string, open: OpenEngine): void {
  describe(`exports of the engine ${name}`, () => {
    let bench: Bench

    beforeAll(async () => {
      bench = await Bench.open(open)
    })
    afterAll(() => bench.close())

    test('every type has its text in CSV', async () => {
      const source = sourceOf(await bench.parquet(EVERY_TYPE_QUERY), EVERY_TYPE)
      const target = { format: 'csv', header: true } as const
      const { bytes, result } = await bench.export({ source, schema: EVERY_TYPE, target })
      expect(bytes.toString('utf8')).toBe(EVERY_TYPE_CSV)
      expect(result.rows).toBe(3)
    })

    test('every type has its JSON in NDJSON', async () => {
      const source = sourceOf(await bench.parquet(EVERY_TYPE_QUERY), EVERY_TYPE)
      const target = { format: 'ndjson' } as const
      const text = await bench.exportText({ source, schema: EVERY_TYPE, target })
      expect(text).toBe(EVERY_TYPE_NDJSON)
    })

    test('nested columns are objects in NDJSON and the same as JSON text in CSV', async () => {
      const schema = schemaOf(
        field(1, 'st', {
          kind: 'struct',
          fields: [
            field(2, 'd', 'double'),
            field(3, 'dec', { kind: 'decimal', precision: 4, scale: 2 }),
            field(4, 'ts', {
              kind: 'list',
              elementId: 5,
              elementRequired: false,
              element: { kind: 'timestamp' },
            }),
          ],
        }),
        field(6, 'm', {
          kind: 'map',
          keyId: 7,
          key: { kind: 'date' },
          valueId: 8,
          valueRequired: false,
          value: { kind: 'binary' },
        }),
      )
      const path = await bench.parquet(
        `SELECT {'d': 'nan'::DOUBLE, 'dec': 1.50::DECIMAL(4,2),
             'ts': [TIMESTAMP '2020-01-01', NULL]} AS st,
           MAP {DATE '2020-01-01': '\\xFF'::BLOB} AS m UNION ALL SELECT NULL, NULL`,
      )
      const job = { source: sourceOf(path, schema), schema }
      const struct = '{"d":null,"dec":"1.50","ts":["2020-01-01T00:00:00.000000",null]}'
      expect(await bench.exportText({ ...job, target: { format: 'ndjson' } })).toBe(
        `{"st":${struct},"m":{"2020-01-01":"/w=="}}\n{"st":null,"m":null}\n`,
      )
      expect(await bench.exportText(job)).toBe(
        `"${struct.replaceAll('"', '""')}","{""2020-01-01"":""/w==""}"\n,\n`,
      )
    })

    test('Parquet has the values, the field ids at every level and no bloom filter', async () => {
      const schema = schemaOf(
        field(1, 'l', 'long'),
        field(2, "it's", {
          kind: 'list',
          elementId: 3,
          elementRequired: false,
          element: { kind: 'struct', fields: [field(4, 'x', 'string')] },
        }),
      )
      const path = await bench.parquet(
        `SELECT 9007199254740993::BIGINT AS l, [{'x': 'a'}, NULL] AS "it's"
         UNION ALL SELECT NULL, []`,
      )
      const out = await bench.export({
        source: sourceOf(path, schema),
        schema,
        target: { format: 'parquet' },
      })
      expect(await readParquetRows(out.path)).toEqual([
        { l: 9007199254740993n, "it's": [{ x: 'a' }, undefined] },
        { l: null, "it's": [] },
      ])
      const { buffer, byteOffset, byteLength } = out.bytes
      const footer = parquetMetadata(
        buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer,
      )
      expect(footer.schema.flatMap(({ field_id }) => field_id ?? [])).toEqual([1, 2, 3, 4])
      const columns = footer.row_groups.flatMap((group) => group.columns)
      expect(columns.every(({ meta_data }) => meta_data?.bloom_filter_offset === undefined)).toBe(
        true,
      )
      expect(columns.every(({ meta_data }) => meta_data?.codec === 'ZSTD')).toBe(true)
    })

    test('added, widened and renamed columns have their defaults, types and names', async () => {
      const schema = schemaOf(
        field(7, 'text', 'string', { initialDefault: "a'b\u0000" }),
        field(1, 'now long', 'long'),
        field(2, 'd', 'double'),
        field(3, 'dec', { kind: 'decimal', precision: 20, scale: 2 }),
        field(8, 'day', 'date', { initialDefault: '0000-01-01' }),
        field(9, 'tz', 'timestamptz', { initialDefault: '1969-12-31T23:59:59.999999+00:00' }),
        field(10, 'b', 'binary', { initialDefault: '00ff' }),
        field(11, 'l', 'long', { initialDefault: 9_007_199_254_740_993n }),
        field(12, 'neg', 'double', { initialDefault: -0 }),
        field(13, 'none', {
          kind: 'list',
          elementId: 14,
          elementRequired: false,
          element: { kind: 'int' },
        }),
        field(15, 'unknown', 'unknown'),
      )
      const path = await bench.parquet(
        'SELECT 3::INTEGER AS i, 0.1::FLOAT AS f, 1.50::DECIMAL(9,2) AS dec, 1 AS dropped',
      )
      const inFile = new Map([
        [1, 'i'],
        [2, 'f'],
        [3, 'dec'],
      ])
      const source = {
        path,
        columns: schema.fields.map(({ id }) => ({ fieldId: id, nameInFile: inFile.get(id) })),
      }
      expect(await bench.exportText({ source, schema })).toBe(
        "a'b\u0000,3,0.10000000149011612,1.50,0000-01-01,1969-12-31 23:59:59.999999+00:00,AP8=," +
          '9007199254740993,-0.0,,\n',
      )
    })

    test('members of structs are found by field id, whatever the file calls them', async () => {
      const path = await bench.parquet(
        `SELECT {'old': 1::INTEGER, 'gone': 2, 'same': 3} AS st, [{'was': 'x'}] AS l`,
        `, FIELD_IDS {st: {__duckdb_field_id: 1, old: 2, gone: 3, same: 4},
           l: {__duckdb_field_id: 5, element: {__duckdb_field_id: 6, was: 7}}}`,
      )
      const schema = schemaOf(
        field(1, 'st', {
          kind: 'struct',
          fields: [
            field(4, 'gone', 'long'),
            field(9, 'new', 'string', { initialDefault: 'n' }),
            field(2, 'now', 'long'),
          ],
        }),
        field(5, 'l', {
          kind: 'list',
          elementId: 6,
          elementRequired: false,
          element: { kind: 'struct', fields: [field(7, 'is', 'string')] },
        }),
      )
      const text = await bench.exportText({
        source: sourceOf(path, schema),
        schema,
        target: { format: 'ndjson' },
      })
      expect(text).toBe('{"st":{"gone":3,"new":"n","now":1},"l":[{"is":"x"}]}\n')
    })

    test('without field ids, members are found by the name mapping', async () => {
      const path = await bench.parquet(`SELECT {'old': 1, 'other': 2} AS st`)
      const schema = schemaOf(
        field(1, 'st', {
          kind: 'struct',
          fields: [field(3, 'other', 'int'), field(2, 'now', 'int')],
        }),
      )
      const mapping = [
        {
          fieldId: 1,
          names: ['st'],
          fields: [
            { fieldId: 2, names: ['now', 'old'] },
            { fieldId: 3, names: ['other'] },
          ],
        },
      ]
      const source = { ...sourceOf(path, schema), names: { mapping, isGuessed: false } }
      expect(await bench.exportText({ source, schema, target: { format: 'ndjson' } })).toBe(
        '{"st":{"other":2,"now":1}}\n',
      )
    })

    test.each(['csv', 'ndjson', 'parquet'] as const)(
      'the same job gives the same bytes of %s',
      async (format) => {
        const schema = schemaOf(
          field(1, 'i', 'long'),
          field(2, 's', 'string'),
          field(3, 'd', 'double'),
        )
        const path = await bench.parquet(
          'SELECT range AS i, md5(range::VARCHAR) AS s, sqrt(range) AS d FROM range(300000)',
        )
        const job = { source: sourceOf(path, schema), schema, target: { format } }
        const [first, second] = await Promise.all([bench.export(job), bench.export(job)])
        expect(first.result.rows).toBe(300_000)
        expect(first.bytes.equals(second.bytes)).toBe(true)
        if (format !== 'csv') return
        const rows = first.bytes.toString('utf8').trimEnd().split('\n')
        expect(rows.every((row, i) => row.startsWith(`${i},`))).toBe(true)
      },
    )

    test.each(['csv', 'ndjson'] as const)(
      'gzip and zstd hold the bytes of plain %s',
      async (format) => {
        const schema = schemaOf(field(1, 'i', 'long'), field(2, 's', 'string'))
        const path = await bench.parquet(
          'SELECT range AS i, md5(range::VARCHAR) AS s FROM range(50000)',
        )
        const job = { source: sourceOf(path, schema), schema }
        const compressed = async (compression: 'none' | 'gzip' | 'zstd'): Promise<Buffer> =>
          (await bench.export({ ...job, target: { format, compression } })).bytes
        const plain = await compressed('none')
        const gzip = await compressed('gzip')
        const zstd = await compressed('zstd')
        expect(gunzipSync(gzip).equals(plain)).toBe(true)
        expect(plain.equals(decompress(zstd))).toBe(true)
        expect(gzip.equals(await compressed('gzip'))).toBe(true)
        expect(zstd.equals(await compressed('zstd'))).toBe(true)
        // No name, no time, no operating system.
        expect([...gzip.subarray(0, 10)]).toEqual([31, 139, 8, 0, 0, 0, 0, 0, 4, 255])
        expect(gunzipSync(Buffer.concat([gzip, gzip])).length).toBe(2 * plain.length)
      },
    )

    test('a file without rows gives a header, an empty text, and empty Parquet', async () => {
      const schema = schemaOf(field(1, 'a,b', 'long'))
      const path = await bench.parquet('SELECT 1::BIGINT AS "a,b" WHERE false')
      const job = { source: sourceOf(path, schema), schema }
      expect(await bench.exportText({ ...job, target: { header: true } })).toBe('"a,b"\n')
      expect(await bench.exportText({ ...job, target: { format: 'ndjson' } })).toBe('')
      const gzip = await bench.export({ ...job, target: { compression: 'gzip' } })
      expect(gunzipSync(gzip.bytes).length).toBe(0)
      const parquet = await bench.export({ ...job, target: { format: 'parquet' } })
      expect(await readParquetRows(parquet.path)).toEqual([])
    })

    test('names of columns and paths may hold anything that SQL or a glob would read', async () => {
      const name = `a"; DROP TABLE x; --'\\ $1 {}`
      const schema = schemaOf(field(1, name, 'long'))
      const made = await bench.parquet(`SELECT 1::BIGINT AS "${name.replaceAll('"', '""')}"`)
      const path = bench.path(`it's [a] * "file"; .parquet`)
      await querySql(`COPY '${made}' TO '${path.replaceAll("'", "''")}' (FORMAT parquet)`)
      const target = { path: bench.path(`out '[x]*".csv`), header: true }
      const text = await bench.exportText({ source: sourceOf(path, schema), schema, target })
      expect(text).toBe(`"${name.replaceAll('"', '""')}"\n1\n`)
    })

    test('what cannot be converted exactly is refused by the name of the column', async () => {
      const path = await bench.parquet('SELECT 1 AS a, 2 AS b')
      const columns = [{ fieldId: 1, nameInFile: 'a' }]
      let said = ''
      const refused = async (...fields: readonly Field[]): Promise<unknown> => {
        const schema = schemaOf(...fields)
        const source = {
          path,
          columns: fields.map(({ id }) => ({ ...columns[0], fieldId: id, nameInFile: 'a' })),
        }
        const target = {
          path: bench.newPath('out'),
          format: 'ndjson',
          compression: 'none',
        } as const
        const { code, facts, message } = await refusal(
          bench.engine.export({ source, schema, target }),
        )
        said = message
        return [code, facts['column']]
      }
      expect(await refused(field(1, 'v', 'variant'))).toEqual(['not-implemented', 'v'])
      expect(said).toContain('variant')
      const struct = { kind: 'struct', fields: [field(2, 'x', 'int')] } as const
      expect(await refused(field(1, 'st', struct))).toEqual(['not-implemented', 'st'])
    })
  })
}
