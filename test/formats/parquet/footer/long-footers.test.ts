import { withRowIdFields } from '../../../../src/core/file/row-id-fields.ts'
import { withLocalMomentsSteps } from '../../../../src/formats/parquet/footer/early-moments.ts'
import { parseFooter, parseFooterInTurns } from '../../../../src/formats/parquet/footer/footer.ts'
import { inferSchemaFields } from '../../../../src/formats/parquet/schema/parquet-schema.ts'
import { matchFileSchema } from '../../../../src/formats/parquet/schema/schema-match.ts'
import {
  fileMetricsSteps,
  valueRangesSteps,
} from '../../../../src/formats/parquet/statistics/file-metrics.ts'
import {
  requireSupportedPagesSteps,
  requireSupportedSteps,
} from '../../../../src/formats/parquet/statistics/supported-file.ts'
import { THRIFT, writeThriftStruct } from '../../../../src/formats/parquet/thrift/thrift.ts'
import { writeThriftInSteps } from '../../../../src/formats/parquet/thrift/thrift-steps.ts'
import { refusalOf } from '../../../refusal.ts'
import {
  bytesOf,
  field,
  fileMetadata,
  LOGICAL,
  type SampleFile,
  struct,
  structs,
} from '../sample-file.ts'

const SIZE = { sizeBytes: 2 ** 40 }

/** Parses it, and says how often others could have gone on. */
async function inTurns(bytes: Uint8Array) {
  let turns = 0
  const turn = () => {
    turns += 1
    return undefined
  }
  const footer = parseFooterInTurns(bytes, SIZE, turn)
  const message = await footer.then(
    () => undefined,
    (error: Error) => error.message,
  )
  return { message, turns, footer: message === undefined ? await footer : undefined }
}

function sample(columns: number, groups: number): SampleFile {
  return {
    columns: Array.from({ length: columns }, (_, i) => ({ name: `c${i}`, physical: 'INT32' })),
    rowGroups: Array.from({ length: groups }, () => ({
      rows: 1,
      chunks: Array.from({ length: columns }, () => ({})),
    })),
  }
}

test.each([
  [100_000, 1],
  [5, 10_000],
])('a file of %d columns and %d row groups is taken, in slices', async (columns, groups) => {
  const bytes = writeThriftStruct(fileMetadata(sample(columns, groups)))
  const { footer, turns } = await inTurns(bytes)
  expect(footer?.leaves).toHaveLength(columns)
  expect(footer?.rowGroups).toHaveLength(groups)
  expect(turns).toBeGreaterThan((columns * groups) / 2)
})

/** How often others may go on while the steps are done. */
function pausesOf<T>(steps: Generator<void, T>): { readonly result: T; readonly pauses: number } {
  for (let pauses = 0; ; pauses++) {
    const { done, value } = steps.next()
    if (done === true) return { result: value, pauses }
  }
}

describe('a file of thousands of row groups', () => {
  const NANOS = LOGICAL.timestamp('nanos', true)
  const GROUPS = 20_000
  /** Column chunks between two pauses at most, with threefold room. */
  const AT_ONCE = 3 * 512
  const text = { name: 't', physical: 'BYTE_ARRAY', logical: LOGICAL.string, fieldId: 1 } as const
  const moment = { ...{ name: 'n', physical: 'INT64' as const, fieldId: 2 }, logical: NANOS }
  const bound = new Uint8Array(8).fill(0x61)
  const statistics = { minValue: bound, maxValue: bound, nullCount: 0 }
  const early = { ...statistics, minValue: new Uint8Array(8).fill(0xff) }
  const footer = parseFooter(
    writeThriftStruct(
      fileMetadata({
        columns: [text, moment],
        rowGroups: Array.from({ length: GROUPS }, () => ({
          rows: 1,
          chunks: [{ statistics }, { statistics: early }],
        })),
      }),
    ),
    SIZE,
  )
  const schema = { schemaId: 0, fields: inferSchemaFields(footer), identifierFieldIds: [] }
  const match = matchFileSchema({ footer, schema })

  test.each<[string, () => Generator<void, unknown>]>([
    ['what its pages and values are', () => requireSupportedSteps(footer)],
    ['what its pages are', () => requireSupportedPagesSteps(footer)],
    ['its metrics', () => fileMetricsSteps(footer, match, schema)],
    [
      'the ranges of its columns',
      () => valueRangesSteps(footer, match, { schema, fieldIds: new Set([1, 2]) }),
    ],
    ['its footer with other moments', () => withLocalMomentsSteps(footer)],
  ])('lets others go on while somebody looks at %s', (_what, steps) => {
    expect(pausesOf(steps()).pauses).toBeGreaterThan((2 * GROUPS) / AT_ONCE)
  })

  test('has its footer written in steps as it is at once', () => {
    const { result, pauses } = pausesOf(writeThriftInSteps(footer.thrift))
    expect(Buffer.compare(result, writeThriftStruct(footer.thrift))).toBe(0)
    expect(pauses).toBeGreaterThan(2 * GROUPS)
  })
})

test('a file of more columns than any table has is not held against one', async () => {
  const { footer } = await inTurns(writeThriftStruct(fileMetadata(sample(10_001, 1))))
  if (footer === undefined) throw new Error('there is no footer')
  const schema = { schemaId: 0, fields: [], identifierFieldIds: [] }
  const { code, message } = refusalOf(() => matchFileSchema({ footer, schema }))
  expect([code, message]).toEqual([
    'file-schema-mismatch',
    'the file has 10001 columns, more than any table',
  ])
})

test('two more columns of row ids are none too many', async () => {
  const { footer } = await inTurns(writeThriftStruct(fileMetadata(sample(10_002, 1))))
  if (footer === undefined) throw new Error('there is no footer')
  const schema = withRowIdFields({ schemaId: 0, fields: [], identifierFieldIds: [] })
  const { message } = refusalOf(() => matchFileSchema({ footer, schema }))
  expect(message).not.toContain('more than any table')
})

test('one more column is too many', async () => {
  const bytes = writeThriftStruct(fileMetadata({ ...sample(100_001, 0), rowCount: 0 }))
  expect((await inTurns(bytes)).message).toContain('too many columns')
})

test('a long footer is read as at once, a short one without a pause', async () => {
  const long = writeThriftStruct(fileMetadata(sample(60, 60)))
  expect(long.length).toBeGreaterThan(64 * 1024)
  expect((await inTurns(long)).footer).toEqual(parseFooter(long, SIZE))
  const short = writeThriftStruct(fileMetadata(sample(10, 10)))
  const { footer, turns } = await inTurns(short)
  expect(footer).toEqual(parseFooter(short, SIZE))
  expect(turns).toBe(0)
})

describe('a footer of hundreds of thousands of values', () => {
  const COUNT = 300_000
  /** How many values may follow one another without a pause. */
  const AT_ONCE = 4_500
  const { BINARY, BYTE, LIST, MAP, SET, STRUCT, TRUE } = THRIFT
  const list = (elementType: number, each: number) =>
    Buffer.concat([Buffer.from([0xf0 | elementType]), varint(COUNT), Buffer.alloc(COUNT, each)])
  const key = Buffer.from([0x19])

  function structsOfFields(): Buffer {
    const each = Buffer.concat([Buffer.alloc(2_000, Buffer.from([TRUE, 2])), Buffer.from([0])])
    const count = COUNT / 1_000
    const head = Buffer.from([0xf0 | STRUCT])
    return Buffer.concat([key, head, varint(count), ...Array(count).fill(each)])
  }

  function varint(value: number): Buffer {
    const bytes: number[] = []
    for (let rest = value; ; rest = Math.floor(rest / 128)) {
      if (rest < 128) return Buffer.from([...bytes, rest])
      bytes.push((rest % 128) | 128)
    }
  }

  test.each([
    ['empty lists', Buffer.concat([key, list(LIST, 3)])],
    ['empty sets', Buffer.concat([key, list(SET, 3)])],
    ['empty maps', Buffer.concat([key, list(MAP, 0)])],
    ['empty texts', Buffer.concat([key, list(BINARY, 0)])],
    ['empty structs', Buffer.concat([key, list(STRUCT, 0)])],
    ['booleans', Buffer.concat([key, list(TRUE, 1)])],
    ['bytes', Buffer.concat([key, list(BYTE, 1)])],
    ['structs of fields', structsOfFields()],
    [
      'members of a map',
      Buffer.concat([
        Buffer.from([0x1b]),
        varint(COUNT),
        Buffer.from([0x33]),
        Buffer.alloc(2 * COUNT),
      ]),
    ],
  ])('lets others go on while it reads: %s', async (_what, fields) => {
    const bytes = Buffer.concat([fields, Buffer.alloc(70_000)])
    const { message, turns } = await inTurns(bytes)
    expect(message).toContain('the Parquet footer is corrupt')
    expect(turns).toBeGreaterThanOrEqual(Math.floor(fields.length / 2 / AT_ONCE))
  })

  test('is refused for a struct of more fields than any has, once these are read', async () => {
    const fields = Buffer.alloc(2 * COUNT, Buffer.from([TRUE, 2]))
    const tooMany = 'too many fields in a struct'
    expect((await inTurns(fields)).message).toContain(tooMany)
    expect(refusalOf(() => parseFooter(fields.subarray(0, 2_002), SIZE)).message).toContain(tooMany)
    expect(refusalOf(() => parseFooter(fields.subarray(0, 2_000), SIZE)).message).toContain('early')
  })

  test('is refused for more metadata of its writer than any has', async () => {
    const pair = struct(field(1, BINARY, bytesOf('k')))
    const extra = [field(5, LIST, structs(Array.from({ length: 10_001 }, () => pair)))]
    const bytes = writeThriftStruct(fileMetadata({ ...sample(1, 0), extra }))
    expect((await inTurns(bytes)).message).toContain('too much metadata')
    expect(refusalOf(() => parseFooter(bytes, SIZE)).code).toBe('file-not-parquet')
  })
})
