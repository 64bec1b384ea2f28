import { parseFooter, parseFooterInTurns } from '../../../../src/formats/parquet/footer/footer.ts'
import { THRIFT, writeThriftStruct } from '../../../../src/formats/parquet/thrift/thrift.ts'
import { refusalOf } from '../../../refusal.ts'
import { bytesOf, field, fileMetadata, type SampleFile, struct, structs } from '../sample-file.ts'

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
    ['fields', Buffer.alloc(COUNT, Buffer.from([TRUE, 2]))],
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

  test('is refused for more metadata of its writer than any has', async () => {
    const pair = struct(field(1, BINARY, bytesOf('k')))
    const extra = [field(5, LIST, structs(Array.from({ length: 10_001 }, () => pair)))]
    const bytes = writeThriftStruct(fileMetadata({ ...sample(1, 0), extra }))
    expect((await inTurns(bytes)).message).toContain('too much metadata')
    expect(refusalOf(() => parseFooter(bytes, SIZE)).code).toBe('file-not-parquet')
  })
})
