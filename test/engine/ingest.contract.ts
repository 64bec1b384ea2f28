import { writeFile } from 'node:fs/promises'
import fc from 'fast-check'
import type { Schema } from '../../src/core/value/type.ts'
import type { IngestResult, TextFormat } from '../../src/engine/engine.ts'
import { querySql } from '../parquet-files.ts'
import { Bench, field, type OpenEngine, schemaOf, sourceOf } from './engine-samples.ts'

const SCHEMA = schemaOf(
  field(1, 'i', 'int'),
  field(2, 'l', 'long'),
  field(3, 'd', 'double'),
  field(4, 'dec', { kind: 'decimal', precision: 20, scale: 2 }),
  field(5, 'day', 'date'),
  field(6, 'tod', 'time'),
  field(7, 'ts', 'timestamp'),
  field(8, 'tz', 'timestamptz'),
  field(9, 's', 'string'),
  field(10, 'id', 'uuid'),
  field(11, 'b', 'binary'),
  field(12, 'ok', 'boolean'),
  field(13, 'st', {
    kind: 'struct',
    fields: [
      field(14, 'l', 'long'),
      field(15, 'ts', {
        kind: 'list',
        elementId: 16,
        elementRequired: false,
        element: { kind: 'timestamp' },
      }),
    ],
  }),
  field(17, 'm', {
    kind: 'map',
    keyId: 18,
    key: { kind: 'int' },
    valueId: 19,
    valueRequired: false,
    value: { kind: 'string' },
  }),
)

/** What an engine promises of uploaded text. */
export function describeIngest(name: string, open: OpenEngine): void {
  describe(`uploads into the engine ${name}`, () => {
    let bench: Bench

    beforeAll(async () => {
      bench = await Bench.open(open)
    })
    afterAll(() => bench.close())

    async function ingest(
      format: TextFormat,
      text: string | Buffer,
      schema: Schema = SCHEMA,
    ): Promise<IngestResult & { readonly targetPath: string }> {
      const path = bench.newPath('upload')
      const targetPath = bench.newPath('parquet')
      await writeFile(path, text)
      const result = await bench.engine.ingest({ path, format, schema, targetPath })
      const others = await bench.othersThan(path)
      expect(others.includes(targetPath.slice(bench.folder.length + 1))).toBe(
        result.outcome === 'written',
      )
      return { ...result, targetPath }
    }

    async function refusal(
      format: TextFormat,
      text: string | Buffer,
      schema?: Schema,
    ): Promise<readonly [number, string]> {
      const result = await ingest(format, text, schema)
      if (result.outcome === 'written') throw new Error('it was taken')
      return [result.line, result.detail]
    }

    async function rowsOf(path: string): Promise<unknown> {
      return await querySql(`SET TimeZone = 'UTC'; SELECT * FROM '${path}'`)
    }

    test('CSV: columns by name, values by type, an empty field is NULL and "" a text', async () => {
      const result = await ingest(
        'csv',
        '\ufeffS,l,i,d,dec,day,tod,ts,tz,id,b,ok,st,m\r\n' +
          '"a ""q"", é\r\n😀",9007199254740993,-5,NaN,-0.5,0044-03-15,10:00,' +
          '2020-01-01 10:00:00.000001,' +
          '1969-12-31T23:59:59.999999+01:00,F79C3E09-677C-4BBD-A479-3F349CB785E7,AP8=,TRUE,' +
          '"{""l"":9007199254740993,""ts"":[""2020-01-01T00:00:00"",null]}","{""5"":""x""}"\r\n' +
          '"",,,,,,,,,,,,,\n',
      )
      expect(result.outcome === 'written' && result.rows).toBe(2)
      const empty = Object.fromEntries(SCHEMA.fields.map((column) => [column.name, null]))
      expect(await rowsOf(result.targetPath)).toEqual([
        {
          i: -5,
          l: '9007199254740993',
          d: 'NaN',
          dec: '-0.50',
          day: '0044-03-15',
          tod: '10:00:00',
          ts: '2020-01-01 10:00:00.000001',
          tz: '1969-12-31 22:59:59.999999+00',
          s: 'a "q", é\r\n😀',
          id: 'f79c3e09-677c-4bbd-a479-3f349cb785e7',
          b: '\\x00\\xFF',
          ok: true,
          st: { l: '9007199254740993', ts: ['2020-01-01 00:00:00', null] },
          m: [{ key: 5, value: 'x' }],
        },
        { ...empty, s: '' },
      ])
    })

    test('NDJSON: integers and decimals keep every digit, missing members are NULL', async () => {
      const result = await ingest(
        'ndjson',
        '{"l":9223372036854775807,"dec":123456789012345678.90,"d":1e300,' +
          '"s":"\\u0000","st":{"l":-9007199254740993}}\n' +
          '\n{"dec":"0.10","m":[{"key":1,"value":null}],"s":null}',
      )
      expect(await rowsOf(result.targetPath)).toMatchObject([
        {
          l: '9223372036854775807',
          dec: '123456789012345678.90',
          d: 1e300,
          s: '\u0000',
          st: { l: '-9007199254740993', ts: null },
        },
        { l: null, dec: '0.10', m: [{ key: 1, value: null }], s: null, st: null },
      ])
    })

    test('an integer of JSON may end in .0, however long it is', async () => {
      const numbers = ['1234567890123.0', '12345678901234.0', '9223372036854775807.00', '-1.0']
      const lines = numbers.map((number) => `{"l":${number}}`).join('\n')
      const { targetPath } = await ingest('ndjson', lines)
      expect(await querySql(`SELECT l FROM '${targetPath}'`)).toEqual(
        numbers.map((number) => ({ l: number.split('.')[0] })),
      )
    })

    test('a blank line is no row, except the null of a table of one column', async () => {
      const many = await ingest('csv', 'l\n1\n\n2\n\n')
      expect(many).toMatchObject({ outcome: 'written', rows: 2 })
      const one = await ingest('csv', 'l\n1\n\n2\n', schemaOf(field(1, 'l', 'long')))
      expect(await rowsOf(one.targetPath)).toEqual([{ l: '1' }, { l: null }, { l: '2' }])
    })

    test('the Parquet file has the field ids of the schema', async () => {
      const { targetPath } = await ingest('ndjson', '{}\n')
      const ids = await querySql(
        `SELECT field_id FROM parquet_schema('${targetPath}') WHERE field_id IS NOT NULL`,
      )
      expect(ids.map((row) => row['field_id']).map(Number)).toEqual(
        Array.from({ length: 19 }, (_, i) => i + 1),
      )
    })

    test('a missing column has its write default, a required one is missed', async () => {
      const schema = schemaOf(
        field(1, 'a', 'long'),
        field(2, 'b', 'binary', { writeDefault: '00ff' }),
        field(3, 'c', 'string', { required: true, writeDefault: 'x' }),
      )
      const { targetPath } = await ingest('csv', 'a\n1\n', schema)
      expect(await rowsOf(targetPath)).toEqual([{ a: '1', b: '\\x00\\xFF', c: 'x' }])
      const required = schemaOf(field(1, 'a', 'long'), field(3, 'c', 'string', { required: true }))
      expect(await refusal('csv', 'a\n1\n', required)).toEqual([1, 'column "c" is required'])
      expect(await refusal('csv', 'a,c\n1,x\n2,\n', required)).toEqual([
        3,
        'column "c" is required',
      ])
      expect(await refusal('ndjson', '{"c":"x"}\n{"a":1}\n', required)).toEqual([
        2,
        'column "c" is required',
      ])
    })

    test.each([
      [
        'a text for a number',
        'i,s\n1,x\nq,y\n',
        3,
        'column "i": "q" is not int; write digits only, as 1234',
      ],
      ['a number out of range', 'i\n2147483648\n', 2, 'column "i": "2147483648" is not int'],
      ['a fraction for an integer', 'l\n1.0\n', 2, 'column "l": "1.0" is not long; write 1'],
      ['a decimal comma', 'd\n"12,5"\n', 2, 'column "d": "12,5" is not double; write 12.5'],
      [
        'an empty field in quotes',
        'd\n""\n',
        2,
        'column "d": "" is not double; for NULL leave the field empty, without quotes',
      ],
      ['NA', 'd\nNA\n', 2, 'column "d": "NA" is not double; for NULL leave the field empty'],
      [
        'semicolons',
        'i;s\n1;x\n',
        1,
        'the table has no column "i;s"; fields are separated by commas',
      ],
      [
        'more digits than the scale',
        'dec\n1.001\n',
        2,
        'column "dec": "1.001" is not decimal(20,2)',
      ],
      [
        'a day of another form',
        'day\n02/01/2026\n',
        2,
        'column "day": "02/01/2026" is not date; write it as 2026-01-31',
      ],
      ['a day that is none', 'day\n2023-02-29\n', 2, 'column "day": "2023-02-29" is not date'],
      [
        'an offset where there is none',
        'ts\n2020-01-01T00:00:00Z\n',
        2,
        'column "ts": "2020-01-01T00:00:00Z" is not timestamp; write it as 2026-01-31T12:30:00',
      ],
      ['too many fields', 'i,s\n1,x\n2,y,z\n', 3, 'the row has 3 fields, but the header 2'],
      ['too few fields', 'i,s\n1\n', 2, 'the row has 1 fields, but the header 2'],
      [
        'a row after one of three lines',
        's,i\n"a\n\nb",1\n"c",x\n',
        5,
        'column "i": "x" is not int; write digits only, as 1234',
      ],
      ['a quote that is never closed', 's\nx\n"a\n\n', 3, 'a quoted field is not closed'],
      [
        'text after a quote',
        's\n"a"b\n',
        2,
        'there is text between a closing quote and the next comma',
      ],
      [
        'a quote in a plain field',
        's\na"b\n',
        2,
        'there is a quote inside a field that is not quoted',
      ],
      ['an unknown column', 'i,nope\n1,2\n', 1, 'the table has no column "nope"'],
      ['a column twice', 'i,I\n1,2\n', 1, 'column "I" is given twice'],
      ['nothing at all', '', 1, 'the header line is missing'],
      [
        'a nested key twice',
        'st\n"{""l"":1,""l"":2}"\n',
        2,
        'column "st": an object has a key twice',
      ],
      ['a nested value that is no JSON', 'st\n"{"\n', 2, 'column "st": "{" is not JSON'],
    ])('CSV with %s is refused at its line', async (_, text, line, detail) => {
      expect(await refusal('csv', text)).toEqual([line, detail])
    })

    test.each([
      ['a fraction for an integer', '{"l":1}\n{"l":1.5}\n', 2, 'column "l": 1.5 is not long'],
      [
        'a number beyond the long',
        '{"l":9223372036854775808}',
        1,
        'column "l": 9223372036854775808 is not long',
      ],
      [
        'a number for a text',
        '{"s":12345678901234567890}',
        1,
        'column "s": 12345678901234567890 is not string',
      ],
      ['an unknown member', '\n{"x":1}\n', 2, 'the table has no column "x"'],
      ['an unknown nested member', '{"st":{"zz":1}}', 1, 'the table has no column "st.zz"'],
      ['a list for an object', '[1]', 1, 'the line: [1] is not an object'],
      ['a key that is no int', '{"m":{"x":"y"}}', 1, 'column "m": "x" is not int'],
      ['half a surrogate pair', '{"s":"\\ud800"}', 1, 'column "s" is not valid Unicode'],
      ['a key twice', '{"l":1}\n{"l":1,"l":2}\n', 2, 'an object has a key twice'],
      ['a key twice, once escaped', '{"l":1,"\\u006c":2}', 1, 'an object has a key twice'],
      ['a nested key twice', '{"st":{"l":1,"l":{"l":3}}}', 1, 'an object has a key twice'],
      ['a number too large', '{"d":1e999}', 1, 'column "d": a number that large is not double'],
    ])('NDJSON with %s is refused at its line', async (_, text, line, detail) => {
      expect(await refusal('ndjson', text)).toEqual([line, detail])
    })

    test('a line that is no JSON or no UTF-8 is refused at its line', async () => {
      const [line, detail] = await refusal('ndjson', '{"i":1}\n{"i":\n')
      expect([line, detail.startsWith('the line is not JSON')]).toEqual([2, true])
      const bytes = Buffer.from('s\nok\né\n', 'utf8')
      bytes[bytes.length - 3] = 0xff
      expect(await refusal('csv', bytes)).toEqual([
        3,
        expect.stringMatching(/^the line is not UTF-8; name .* charset=windows-1252$/),
      ])
    })

    test('a long text goes through whole, an endless line does not', async () => {
      const long = 'ab,"\n'.repeat(800_000)
      const result = await ingest('csv', `s\n"${long.replaceAll('"', '""')}"\n`)
      const [row] = await querySql(`SELECT length(s) AS n, md5(s) AS m FROM '${result.targetPath}'`)
      const [expected] = await querySql(`SELECT md5(repeat('ab,"' || chr(10), 800000)) AS m`)
      expect(row).toEqual({ n: String(long.length), ...expected })
      const [line, detail] = await refusal('ndjson', `{}\n${'x'.repeat(17 * 1024 * 1024)}`)
      expect([line, detail]).toEqual([2, 'a line can have at most 16777216 bytes'])
    })

    test.each(['csv', 'ndjson'] as const)(
      '%s takes a value as long as a line may be',
      async (format) => {
        const length = 15 * 1024 * 1024
        const long = 'x'.repeat(length)
        const text = format === 'csv' ? `s\n${long}\n` : `{"s":"${long}"}\n`
        const { targetPath } = await ingest(format, text)
        expect(await querySql(`SELECT length(s) AS n FROM '${targetPath}'`)).toEqual([
          { n: String(length) },
        ])
      },
    )

    test('what is exported can be uploaded again and exported to the same bytes', async () => {
      const schema = schemaOf(
        field(1, 's', 'string'),
        field(2, 'd', 'double'),
        field(3, 'l', 'long'),
        field(4, 'dec', { kind: 'decimal', precision: 38, scale: 10 }),
        field(5, 'ts', 'timestamp'),
        field(6, 'list', {
          kind: 'list',
          elementId: 7,
          elementRequired: false,
          element: { kind: 'string' },
        }),
      )
      const text = fc.option(fc.string({ unit: 'binary' }))
      const row = fc.record({
        s: text,
        d: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
        l: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
        dec: fc.option(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n })),
        ts: fc.option(
          fc.date({
            noInvalidDate: true,
            min: new Date('0001-01-01'),
            max: new Date('9999-12-31'),
          }),
        ),
        list: fc.option(fc.array(text, { maxLength: 3 })),
      })
      const line = (value: unknown): string =>
        JSON.stringify(value, (_, member) =>
          typeof member === 'bigint' ? `#${member}` : member,
        ).replaceAll(/"l":"#(-?\d+)"/g, '"l":$1')
      await fc.assert(
        fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 40 }), async (rows) => {
          const upload = rows
            .map((value) =>
              line({
                ...value,
                dec: value.dec === null ? null : String(value.dec),
                ts: value.ts === null ? null : value.ts.toISOString().slice(0, -1),
              }),
            )
            .join('\n')
          const first = await ingest('ndjson', upload, schema)
          for (const format of ['ndjson', 'csv'] as const) {
            const target = { format, header: format === 'csv' }
            const source = sourceOf(first.targetPath, schema)
            const exported = await bench.exportText({ source, schema, target })
            const again = await ingest(format, exported, schema)
            expect(again).toMatchObject({ outcome: 'written', rows: rows.length })
            const repeated = await bench.exportText({
              source: sourceOf(again.targetPath, schema),
              schema,
              target,
            })
            expect(repeated).toBe(exported)
          }
          const strings = await querySql(`SELECT s, l FROM '${first.targetPath}'`)
          expect(strings).toEqual(rows.map(({ s, l }) => ({ s, l: l === null ? null : String(l) })))
        }),
        { numRuns: 8 },
      )
    }, 60_000)
  })
}
