import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import fc from 'fast-check'
import { runSteps } from '../../../../src/core/steps.ts'
import type { ParquetFooter } from '../../../../src/formats/parquet/footer/footer-model.ts'
import { planStitch, StitchPlanner } from '../../../../src/formats/parquet/stitch/stitch.ts'
import { stitchProblemSteps } from '../../../../src/formats/parquet/stitch/stitch-problem.ts'
import {
  ownStitchSchema,
  physicalSchemaKey,
} from '../../../../src/formats/parquet/stitch/stitch-schema.ts'
import {
  findField,
  THRIFT,
  type ThriftField,
} from '../../../../src/formats/parquet/thrift/thrift.ts'
import {
  findBytes,
  findNumber,
  findStructs,
  getStructs,
} from '../../../../src/formats/parquet/thrift/thrift-fields.ts'
import { type DuckDBFolder, openDuckDBFolder } from '../duckdb-file.ts'
import {
  bytesOf,
  field,
  footerOf,
  LOGICAL,
  type SampleFile,
  type SampleNode,
  sampleBytes,
  sampleFooter,
  struct,
  structs,
} from '../sample-file.ts'
import { readShared, SHARED_FILES, testWithShared } from '../shared-data.ts'
import { hyparquetRows, partOf, stitch } from './stitched-file.ts'

const { BINARY, LIST, STRUCT } = THRIFT

let duckdb: DuckDBFolder
beforeAll(async () => {
  duckdb = await openDuckDBFolder()
})
afterAll(() => duckdb.close())

const ROW = `i AS id, CASE WHEN i % 5 = 0 THEN NULL ELSE 'n' || (i * 7919 % 97) END AS name,
  (i * 0.25)::DECIMAL(12,2) AS price, DATE '2024-03-17' + (i % 400)::INTEGER AS day,
  CASE WHEN i % 4 = 0 THEN [] ELSE [i, NULL, i + 1] END AS numbers,
  {'a': i % 3, 'b': CASE WHEN i % 2 = 0 THEN 'even' END} AS pair,
  MAP {'k' || (i % 3): i} AS attributes`

let count = 0
async function write(query: string, options = ''): Promise<Uint8Array> {
  const path = duckdb.path(`part-${count++}.parquet`)
  await duckdb.connection.run(`COPY (${query}) TO '${path}' (FORMAT parquet ${options})`)
  return new Uint8Array(readFileSync(path))
}

function save(bytes: Uint8Array): string {
  const path = duckdb.path(`stitched-${count++}.parquet`)
  writeFileSync(path, bytes)
  return path
}

describe('any partition of rows over files', () => {
  const cuts = fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 6 })
  const options = fc.constantFrom(
    '',
    ', ROW_GROUP_SIZE 2048',
    ', PARQUET_VERSION v2, ROW_GROUP_SIZE 4096',
    ', COMPRESSION zstd',
    ', COMPRESSION uncompressed, PARQUET_VERSION v2',
  )

  test('reads the same, whatever the row groups and writers of each file', async () => {
    await fc.assert(
      fc.asyncProperty(cuts, fc.array(options, { minLength: 7, maxLength: 7 }), async (at, how) => {
        const edges = [0, ...at.sort((a, b) => a - b), 9000]
        const parts: Uint8Array[] = []
        for (const [i, edge] of edges.slice(1).entries()) {
          const rows = `SELECT ${ROW} FROM range(${edges[i]}, ${edge}) t(i)`
          parts.push(await write(rows, how[i]))
        }
        const path = save(await stitch(parts))
        const different = await duckdb.rows(
          `SELECT count(*) FROM (SELECT *, row_number() OVER () AS r FROM '${path}') s
           FULL JOIN (SELECT ${ROW}, row_number() OVER () AS r FROM range(9000) t(i)) e USING (r)
           WHERE (s.id, s.name, s.price, s.day, s.numbers, s.pair, s.attributes) IS DISTINCT FROM
             (e.id, e.name, e.price, e.day, e.numbers, e.pair, e.attributes)`,
        )
        expect(different).toEqual([[0n]])
      }),
      { numRuns: 12 },
    )
  }, 60_000)
})

test('nested columns and nulls of a stitched file read the same in hyparquet', async () => {
  const parts = [
    await write(`SELECT ${ROW} FROM range(0, 3000) t(i)`, ', ROW_GROUP_SIZE 2048'),
    await write(`SELECT ${ROW} FROM range(3000, 3100) t(i)`),
  ]
  const expected = (await Promise.all(parts.map(hyparquetRows))).flat()
  expect(await hyparquetRows(await stitch(parts))).toEqual(expected)
})

test('a stitched file can be stitched again', async () => {
  const [a, b, c] = await Promise.all(
    [0, 10, 20].map((from) => write(`SELECT ${ROW} FROM range(${from}, ${from + 10}) t(i)`)),
  )
  if (a === undefined || b === undefined || c === undefined) throw new Error('no files')
  expect(await stitch([await stitch([a, b]), c])).toEqual(await stitch([a, b, c]))
})

test('files without rows leave no row group, and alone make a file without rows', async () => {
  const none = await write(`SELECT ${ROW} FROM range(0) t(i)`)
  const some = await write(`SELECT ${ROW} FROM range(5) t(i)`)
  const plan = planStitch(await Promise.all([none, some, none].map(partOf)))
  expect(plan).toMatchObject({ rowCount: 5, rowGroupCount: 1 })
  const path = save(await stitch([none, none]))
  expect(await duckdb.rows(`SELECT count(*), count(id) FROM '${path}'`)).toEqual([[0n, 0n]])
  expect(await hyparquetRows(await stitch([none]))).toEqual([])
})

test('page offsets beyond 4 GiB are right', async () => {
  const part = await write(`SELECT ${ROW} FROM range(5000) t(i)`, ', ROW_GROUP_SIZE 2048')
  const { footer } = await partOf(part)
  const plan = planStitch([{ footer: withHoleAtEnd(footer, 5 * 2 ** 30) }, { footer }])
  const path = duckdb.path('wide.parquet')
  const file = openSync(path, 'w')
  try {
    let position = 0
    const put = (bytes: Uint8Array, lengthBytes = bytes.length) => {
      writeSync(file, bytes, 0, bytes.length, position)
      position += lengthBytes
    }
    put(plan.head)
    for (const { offset, lengthBytes } of plan.ranges.flat()) {
      put(part.subarray(offset, Math.min(offset + lengthBytes, footer.footerOffset)), lengthBytes)
    }
    put(plan.tail)
    expect(position).toBe(plan.lengthBytes)
    expect(position).toBeGreaterThan(5 * 2 ** 30)
  } finally {
    closeSync(file)
  }
  const rows = await duckdb.rows(`SELECT count(*), sum(id), count(name), max(day) FROM '${path}'`)
  expect(rows).toEqual([[10_000n, expect.anything(), 8000n, expect.anything()]])
  expect(await duckdb.rows(`SELECT count(*) FROM '${path}' WHERE id = 4999`)).toEqual([[2n]])
})

testWithShared(
  'every real file, stitched with itself, reads twice',
  async () => {
    for (const name of SHARED_FILES) {
      const bytes = readShared(name)
      const path = save(await stitch([bytes, bytes]))
      const single = save(bytes)
      const [found] = await duckdb.rows(
        `SELECT count(*) FROM ((SELECT * FROM '${path}') EXCEPT ALL
       (SELECT * FROM '${single}' UNION ALL SELECT * FROM '${single}'))`,
      )
      expect({ name, found }).toEqual({ name, found: [0n] })
      const [rows] = await duckdb.rows(`SELECT count(*) FROM '${path}'`)
      expect(rows).toEqual([BigInt(2 * (await footerOf(bytes)).rowCount)])
    }
  },
  60_000,
)

describe('what the footer keeps', () => {
  const column: SampleNode = { name: 'a', physical: 'INT32' }
  const keyValue = (key: string, value: string) =>
    struct(field(1, BINARY, bytesOf(key)), field(2, BINARY, bytesOf(value)))
  const sample = (extra: readonly ThriftField[] = [], chunkExtra: readonly ThriftField[] = []) =>
    sampleBytes({
      columns: [column],
      rowGroups: [{ rows: 3, chunks: [{ extra: chunkExtra }] }],
      extra,
    })
  const stitched = async (parts: readonly Uint8Array[]) => footerOf(await stitch(parts))

  test('key-value metadata only where all parts agree', async () => {
    const first = field(
      5,
      LIST,
      structs([keyValue('same', '1'), keyValue('other', '2'), keyValue('lone', '3')]),
    )
    const second = field(5, LIST, structs([keyValue('other', '4'), keyValue('same', '1')]))
    const footer = await stitched([sample([first]), sample([second])])
    expect([...footer.keyValueMetadata]).toEqual([['same', bytesOf('1')]])
    const none = await stitched([sample([first]), sample(), sample([first])])
    expect(findField(none.thrift, 5)).toBeUndefined()
  })

  test('what the caller says, before what the parts say', async () => {
    const parts = [sample([field(5, LIST, structs([keyValue('iceberg.schema', 'old')]))])]
    const options = { keyValueMetadata: new Map([['iceberg.schema', 'new']]) }
    const { keyValueMetadata } = await footerOf(await stitch(parts, options))
    expect([...keyValueMetadata]).toEqual([['iceberg.schema', bytesOf('new')]])
  })

  test('fields of later versions of the format, but no copies with old offsets', async () => {
    const later = field(40, BINARY, bytesOf('kept'))
    const extension = field(32_767, BINARY, bytesOf('offsets'))
    const parts = [sample([later, extension], [later, extension])]
    const { thrift } = await stitched([...parts, ...parts])
    const [group] = getStructs(thrift, 4)
    const [chunk] = getStructs(group ?? struct(), 1)
    for (const place of [thrift, chunk ?? struct()]) {
      expect(findBytes(place, 40)).toEqual(bytesOf('kept'))
      expect(findField(place, 32_767)).toBeUndefined()
    }
    const differing = [sample([later]), sample([field(40, BINARY, bytesOf('else'))])]
    expect(findField((await stitched(differing)).thrift, 40)).toBeUndefined()
  })

  test('ordinals count through, up to what sixteen bits hold', async () => {
    const { footer } = await partOf(sample())
    const planner = new StitchPlanner()
    for (let i = 0; i < 32_769; i++) planner.add({ footer })
    const { tail, rowGroupCount } = planner.finish()
    expect(rowGroupCount).toBe(32_769)
    const groups = getStructs((await footerOf(padded(tail))).thrift, 4)
    expect(findNumber(groups[0] ?? struct(), 7)).toBe(0)
    expect(findNumber(groups[32_767] ?? struct(), 7)).toBe(32_767)
    expect(findNumber(groups[32_768] ?? struct(), 7)).toBeUndefined()
  })

  test('a dictionary page offset of 0 means none, and stays none', async () => {
    const file = (dictionaryOffset: number) =>
      sampleBytes({
        columns: [column],
        rowGroups: [{ rows: 3, chunks: [{ dictionaryOffset, dataOffset: 30 }] }],
      })
    const { rowGroups } = await stitched([file(0), file(25)])
    const places = rowGroups.flatMap(({ columns }) =>
      columns.map((c) => [c.dictionaryPageOffset, c.dataPageOffset]),
    )
    // The first part's ten bytes begin at its data; the second's at its dictionary.
    expect(places).toEqual([
      [undefined, 4],
      [14, 19],
    ])
  })

  test('ordered bounds without a column order mean nothing, and go', async () => {
    const order = struct(field(1, STRUCT, struct()))
    const bound = Uint8Array.of(1, 0, 0, 0)
    const statistics = { minValue: bound, maxValue: bound, nullCount: 0 }
    const file = (extra: readonly ThriftField[]) =>
      sampleBytes({
        columns: [column],
        rowGroups: [{ rows: 3, chunks: [{ statistics }] }],
        extra,
      })
    const { thrift, rowGroups } = await stitched([
      file([]),
      file([field(7, LIST, structs([order]))]),
    ])
    expect(rowGroups.map(({ columns }) => columns[0]?.statistics?.minValue)).toEqual([
      undefined,
      bound,
    ])
    expect(rowGroups.map(({ columns }) => columns[0]?.statistics?.nullCount)).toEqual([0, 0])
    expect(findStructs(thrift, 7)).toEqual([order])
  })

  test('old bounds of binary columns go where readers knew the writer for wrong ones', async () => {
    const statistics = { min: bytesOf('a'), max: bytesOf('b') }
    const file = (createdBy: string) =>
      sampleBytes({
        columns: [{ name: 's', physical: 'BYTE_ARRAY', logical: LOGICAL.string }],
        rowGroups: [{ rows: 3, chunks: [{ statistics }] }],
        extra: [field(6, BINARY, bytesOf(createdBy))],
      })
    const minimum = async (createdBy: string) =>
      (await stitched([file(createdBy)])).rowGroups[0]?.columns[0]?.statistics?.min
    expect(await minimum('parquet-mr version 1.9.0 (build abc)')).toBeUndefined()
    expect(await minimum('parquet-cpp version 1.2.9-SNAPSHOT')).toBeUndefined()
    expect(await minimum('parquet-mr version 1.10.1 (build abc)')).toEqual(bytesOf('a'))
    expect(await minimum('DuckDB version v1.5.6')).toEqual(bytesOf('a'))
  })
})

describe('files that must be rewritten first', () => {
  const column: SampleNode = { name: 'a', physical: 'INT32' }
  const problemOf = async (file: Partial<SampleFile>) =>
    runSteps(
      stitchProblemSteps(
        await sampleFooter({ columns: [column], rowGroups: [{ rows: 3, chunks: [{}] }], ...file }),
      ),
    )

  test('are told from sound ones', async () => {
    expect(await problemOf({})).toBeUndefined()
    const old = (name: string) => [field(6, BINARY, bytesOf(name))]
    expect(await problemOf({ extra: old('parquet-mr version 1.7.0') })).toMatch('parquet-mr')
    expect(await problemOf({ extra: old('parquet-mr') })).toMatch('parquet-mr')
    expect(await problemOf({ extra: [field(9, BINARY, bytesOf('key'))] })).toMatch('signed')
    const chunks = (...chunks: { dataOffset?: number; dictionaryOffset?: number }[]) => ({
      rowGroups: chunks.map((chunk) => ({ rows: 3, chunks: [chunk] })),
    })
    const astray = await problemOf(chunks({ dataOffset: 4, dictionaryOffset: 500 }))
    expect(astray).toMatch('not in one place')
    expect(await problemOf(chunks({ dataOffset: 4 }, { dataOffset: 13 }))).toMatch('overlap')
    expect(await problemOf(chunks({ dataOffset: 14 }, { dataOffset: 4 }))).toBeUndefined()
  })

  test('are refused when they come all the same', async () => {
    const planner = new StitchPlanner()
    const sound = { columns: [column], rowGroups: [{ rows: 3, chunks: [{}] }] }
    planner.add({ footer: await sampleFooter(sound) })
    const odd = await sampleFooter({ ...sound, extra: [field(9, BINARY, bytesOf('key'))] })
    const other = await sampleFooter({ ...sound, columns: [{ ...column, name: 'b' }] })
    for (const footer of [odd, other]) {
      expect(() => planner.add({ footer })).toThrow(
        expect.objectContaining({ code: 'file-schema-mismatch' }),
      )
    }
  })

  test('a plan of no parts has no schema', () => {
    expect(() => planStitch([])).toThrow(RangeError)
  })
})

describe('the physical schema', () => {
  const keyOf = async (columns: readonly SampleNode[], extra: readonly ThriftField[] = []) =>
    physicalSchemaKey(ownStitchSchema(await sampleFooter({ columns, extra })))
  const base: SampleNode = { name: 'a', physical: 'INT64' }

  test('does not depend on how a writer spells types', async () => {
    const same: readonly (readonly [SampleNode, SampleNode])[] = [
      [base, { ...base, converted: 18 }],
      [base, { ...base, logical: LOGICAL.integer(64, true) }],
      [base, { ...base, fieldId: -1 }],
      [
        { ...base, converted: 10 },
        { ...base, logical: LOGICAL.timestamp('micros', true) },
      ],
      [
        { ...base, converted: 5, precision: 9, scale: 2 },
        { ...base, logical: LOGICAL.decimal(9, 2) },
      ],
      [
        { name: 'a', physical: 'BYTE_ARRAY', converted: 0 },
        { name: 'a', physical: 'BYTE_ARRAY', logical: LOGICAL.string, typeLength: 0 },
      ],
    ]
    for (const [one, other] of same) expect(await keyOf([one])).toBe(await keyOf([other]))
    const typeOrder = field(7, LIST, structs([struct(field(1, STRUCT, struct()))]))
    expect(await keyOf([base], [typeOrder])).toBe(await keyOf([base]))
  })

  test('depends on everything that readers need', async () => {
    const columns: readonly SampleNode[] = [
      base,
      { ...base, name: 'b' },
      { ...base, fieldId: 1 },
      { ...base, fieldId: 2 },
      { ...base, repetition: 'required' },
      { ...base, physical: 'INT32' },
      { ...base, logical: LOGICAL.integer(64, false) },
      { ...base, logical: LOGICAL.timestamp('micros', true) },
      { ...base, logical: LOGICAL.timestamp('micros', false) },
      { ...base, logical: LOGICAL.timestamp('nanos', true) },
      { ...base, logical: LOGICAL.decimal(9, 2) },
      { ...base, logical: LOGICAL.later },
      { name: 'a', physical: 'FIXED_LEN_BYTE_ARRAY', typeLength: 4 },
      { name: 'a', physical: 'FIXED_LEN_BYTE_ARRAY', typeLength: 5 },
      { name: 'a', children: [base] },
      { name: 'a', children: [base], logical: LOGICAL.list },
    ]
    const keys = await Promise.all(columns.map((column) => keyOf([column])))
    const otherOrder = field(7, LIST, structs([struct(field(3, STRUCT, struct()))]))
    keys.push(await keyOf([base], [otherOrder]), await keyOf([base, { ...base, name: 'b' }]))
    expect(new Set(keys).size).toBe(keys.length)
  })
})

/** A file with this tail, long enough for the offsets in it. */
function padded(tail: Uint8Array): Uint8Array {
  return Uint8Array.from(Buffer.concat([Buffer.alloc(4 + 32_769 * 10), tail]))
}

/**
 * Makes its last column chunk longer by this many bytes: they become a hole in the stitched file.
 */
function withHoleAtEnd(footer: ParquetFooter, holeBytes: number): ParquetFooter {
  const group = footer.rowGroups.at(-1)
  const chunk = group?.columns.at(-1)
  if (group === undefined || chunk === undefined) throw new Error('no column chunk')
  const wide = { ...chunk, compressedBytes: chunk.compressedBytes + holeBytes }
  const columns = [...group.columns.slice(0, -1), wide]
  return { ...footer, rowGroups: [...footer.rowGroups.slice(0, -1), { ...group, columns }] }
}
