import fc from 'fast-check'
import { parquetMetadata } from 'hyparquet'
import { CatalogError } from '../../../../src/core/errors.ts'
import {
  FOOTER_BYTES_MAX,
  readParquetFooter,
} from '../../../../src/formats/parquet/footer/footer.ts'
import { THRIFT, writeThriftStruct } from '../../../../src/formats/parquet/thrift/thrift.ts'
import { refusal } from '../../../refusal.ts'
import {
  bytesOf,
  field,
  fileMetadata,
  fileOf,
  footerOf,
  LOGICAL,
  type SampleChunk,
  sampleBytes,
  struct,
} from '../sample-file.ts'
import { readShared, SHARED_FILES, testWithShared } from '../shared-data.ts'

const ID = { name: 'id', physical: 'INT64', repetition: 'required' } as const
const NAME = { name: 'name', physical: 'BYTE_ARRAY', logical: LOGICAL.string } as const
const SOUND = {
  columns: [ID, NAME],
  rowGroups: [
    { rows: 3, chunks: [{ dataOffset: 30, dictionaryOffset: 20 }, { dataOffset: 40 }] },
    { rows: 2, chunks: [{ dataOffset: 60, dictionaryOffset: 0 }, { dataOffset: 70 }] },
  ],
}

async function faultOf(bytes: Uint8Array): Promise<string> {
  const { code, message } = await refusal(footerOf(bytes))
  expect(code).toBe('file-not-parquet')
  return message
}

function withChunk(chunk: SampleChunk): Uint8Array {
  return sampleBytes({ columns: [ID], rowGroups: [{ rows: 3, chunks: [chunk] }] })
}

test('a footer is summed up in rows, columns and row groups', async () => {
  const footer = await footerOf(sampleBytes(SOUND))
  expect(footer.rowCount).toBe(5)
  expect(footer.leaves.map((leaf) => leaf.path)).toEqual([['id'], ['name']])
  expect(footer.leaves[1]).toMatchObject({ physicalType: 'BYTE_ARRAY', isRepeated: false })
  expect(footer.rowGroups.map((group) => [group.rowCount, group.fileOffset])).toEqual([
    [3, 20],
    [2, 60],
  ])
})

test('row groups in the same bytes are refused: a few would be any number of rows', async () => {
  const group = { rows: 3, chunks: [{ dataOffset: 4, compressed: 40 }] }
  const times = (count: number) =>
    sampleBytes({ columns: [ID], rowGroups: Array.from({ length: count }, () => group) })
  expect((await footerOf(times(1))).rowCount).toBe(3)
  expect(await faultOf(times(1_000))).toContain('40000 bytes together, more than the file')
})

test('a chunk without values has no data page, and may have a dictionary', async () => {
  const empty = { compressed: 14, dataOffset: 0, dictionaryOffset: 4 }
  const footer = await footerOf(
    sampleBytes({
      columns: [ID],
      rowGroups: [
        { rows: 0, chunks: [empty] },
        { rows: 3, chunks: [{ dataOffset: 20 }] },
      ],
    }),
  )
  expect(footer.rowGroups.map((group) => [group.rowCount, group.fileOffset])).toEqual([
    [0, 4],
    [3, 20],
  ])
  expect(await faultOf(withChunk({ dataOffset: 0, dictionaryOffset: 4 }))).toContain('outside')
})

testWithShared('every real footer is written again byte for byte', async () => {
  for (const name of SHARED_FILES) {
    const bytes = readShared(name)
    const footer = await footerOf(bytes)
    const written = writeThriftStruct(footer.thrift)
    expect(Buffer.compare(written, bytes.subarray(footer.footerOffset, -8))).toBe(0)
  }
})

testWithShared('every real footer says what hyparquet reads in it', async () => {
  for (const name of SHARED_FILES) {
    const bytes = readShared(name)
    const footer = await footerOf(bytes)
    const oracle = parquetMetadata(bytes)
    expect(footer.rowCount).toBe(Number(oracle.num_rows))
    expect(footer.createdBy).toBe(oracle.created_by)
    expect(footer.rowGroups).toHaveLength(oracle.row_groups.length)
    oracle.row_groups.forEach((group, i) => {
      const columns = group.columns.map(({ meta_data }) => ({
        path: meta_data?.path_in_schema,
        valueCount: Number(meta_data?.num_values),
        compressedBytes: Number(meta_data?.total_compressed_size),
        uncompressedBytes: Number(meta_data?.total_uncompressed_size),
        dataPageOffset: Number(meta_data?.data_page_offset),
        nullCount: Number(meta_data?.statistics?.null_count),
      }))
      expect(
        footer.rowGroups[i]?.columns.map((column) => ({
          path: column.path,
          valueCount: column.valueCount,
          compressedBytes: column.compressedBytes,
          uncompressedBytes: column.uncompressedBytes,
          dataPageOffset: column.dataPageOffset,
          nullCount: Number(column.statistics?.nullCount),
        })),
      ).toEqual(columns)
    })
  }
})

test('a footer longer than the tail is completed by one more read of the rest', async () => {
  const bytes = sampleBytes(SOUND)
  const whole = await footerOf(bytes)
  const reads: [number, number][] = []
  const footer = await readParquetFooter(
    { bytes: bytes.subarray(-20), sizeBytes: bytes.length },
    async (offset, bytesMax) => {
      reads.push([offset, bytesMax])
      return bytes.subarray(offset, offset + bytesMax)
    },
  )
  expect(footer).toEqual(whole)
  expect(reads).toEqual([[whole.footerOffset, bytes.length - 20 - whole.footerOffset]])
})

test('a file that shrinks while it is read is refused', async () => {
  const bytes = sampleBytes(SOUND)
  const tail = { bytes: bytes.subarray(-20), sizeBytes: bytes.length }
  await expect(readParquetFooter(tail, async () => bytes.subarray(0, 3))).rejects.toThrow(
    'truncated',
  )
})

test('what is no Parquet file is refused with the reason', async () => {
  expect(await faultOf(new Uint8Array())).toMatch('too few')
  expect(await faultOf(bytesOf('PAR1PAR1'))).toMatch('too few')
  expect(await faultOf(bytesOf('id,name\n1,planet\n2,moon\n'))).toMatch('PAR1')
  expect(await faultOf(fileOf(new Uint8Array(10), 'PARE'))).toMatch('encrypted')
  expect(await faultOf(fileOf(new Uint8Array()))).toMatch('corrupt')
  expect(await faultOf(sampleBytes(SOUND).subarray(0, -1))).toMatch('PAR1')
})

test('a footer length beyond the file or beyond reason is refused unread', async () => {
  const bytes = sampleBytes(SOUND)
  const lengthAt = bytes.length - 8
  const view = new DataView(bytes.buffer)
  view.setUint32(lengthAt, bytes.length - 11, true)
  expect(await faultOf(bytes)).toMatch('does not fit')
  view.setUint32(lengthAt, FOOTER_BYTES_MAX + 1, true)
  const tail = { bytes: bytes.subarray(-20), sizeBytes: 2 ** 40 }
  const never = () => Promise.reject(new Error('must not be read'))
  await expect(readParquetFooter(tail, never)).rejects.toThrow(`more than ${FOOTER_BYTES_MAX}`)
})

test.each<[string, Uint8Array, string]>([
  ['rows that do not add up', sampleBytes({ ...SOUND, rowCount: 6 }), 'claims 6'],
  ['a negative row count', sampleBytes({ columns: [ID], rowCount: -1 }), 'negative'],
  [
    'a row group with a column too few',
    sampleBytes({ columns: [ID, NAME], rowGroups: [{ rows: 1, chunks: [{}] }] }),
    '1 of 2 columns',
  ],
  ['a column of another type', withChunk({ physical: 'INT32' }), 'changes its type'],
  ['a column of another path', withChunk({ path: ['other'] }), 'not in the position'],
  ['more values than rows', withChunk({ values: 4 }), '4 values in 3 rows'],
  ['a negative value count', withChunk({ values: -1 }), 'negative'],
  ['pages that go into the footer', withChunk({ dataOffset: 1000 }), 'outside the data'],
  ['pages before the data', withChunk({ dataOffset: 3 }), 'outside the data'],
  ['a negative size', withChunk({ compressed: -1 }), 'negative'],
  [
    'a dictionary before the data',
    withChunk({ dataOffset: 50, dictionaryOffset: -7 }),
    'outside the data',
  ],
  [
    'an encrypted column',
    withChunk({ extra: [field(8, THRIFT.STRUCT, struct())] }),
    'column id is encrypted',
  ],
  [
    'an encrypted file with a plain footer',
    sampleBytes({ ...SOUND, extra: [field(8, THRIFT.STRUCT, struct())] }),
    'encrypted',
  ],
  [
    'a column in another file',
    withChunk({ extra: [field(1, THRIFT.BINARY, bytesOf('other.parquet'))] }),
    'another file',
  ],
])('%s is refused', async (_, bytes, reason) => {
  expect(await faultOf(bytes)).toMatch(reason)
})

testWithShared('a file that was cut short, with its footer put back, is refused', async () => {
  for (const name of SHARED_FILES.slice(0, 10)) {
    const bytes = readShared(name)
    const { footerOffset } = await footerOf(bytes)
    const cut = Buffer.concat([
      bytes.subarray(0, Math.floor(footerOffset / 2)),
      bytes.subarray(footerOffset),
    ])
    expect(await faultOf(cut)).toMatch('outside the data')
  }
})

test('a small footer of millions of values is refused before it takes memory', async () => {
  const footer = new Uint8Array(4_000_000)
  // Field 2, a list of 3,900,000 structs, each of them one byte.
  footer.set([0x29, 0xfc, 0xe0, 0x84, 0xee, 0x01])
  expect(await faultOf(fileOf(footer))).toMatch('too many values')
})

async function isFooterOrRefusal(bytes: Uint8Array): Promise<void> {
  try {
    await footerOf(bytes)
  } catch (error) {
    if (error instanceof CatalogError && error.code === 'file-not-parquet') return
    throw error
  }
}

test('a footer with bytes changed is a footer or a refusal, never another error', async () => {
  const whole = writeThriftStruct(fileMetadata(SOUND))
  const changes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1 })
  await fc.assert(
    fc.asyncProperty(changes, fc.nat(whole.length), async (flips, cut) => {
      const footer = whole.slice()
      for (const [at, byte] of flips) footer[at] = byte
      await isFooterOrRefusal(fileOf(footer))
      await isFooterOrRefusal(fileOf(footer.subarray(cut)))
      await isFooterOrRefusal(fileOf(footer.subarray(0, cut)))
    }),
    { numRuns: 1000 },
  )
})

testWithShared(
  'a real file with bytes of its footer changed is a footer or a refusal',
  async () => {
    const bytes = readShared(SHARED_FILES.find((name) => name.startsWith('missions')) as string)
    const { footerOffset } = await footerOf(bytes)
    const place = fc.integer({ min: footerOffset, max: bytes.length - 1 })
    await fc.assert(
      fc.asyncProperty(place, fc.nat(255), async (at, byte) => {
        const changed = bytes.slice()
        changed[at] = byte
        await isFooterOrRefusal(changed)
      }),
      { numRuns: 500 },
    )
  },
)
