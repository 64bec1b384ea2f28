import fc from 'fast-check'
import { DIALECT_VERSION } from '../../../../src/modules/dumps/format/dialect-version.ts'
import {
  type DumpIndex,
  findPiecesInRange,
  parseDumpIndex,
  serialiseDumpIndex,
} from '../../../../src/modules/dumps/format/dump-index.ts'

const SHA = 'ab'.repeat(32)
const INDEX: DumpIndex = {
  tableUuid: 'f79c3e09-677c-4bbd-a479-3f349cb785e7',
  snapshotId: 9_007_199_254_740_993n,
  format: 'csv',
  compression: 'gzip',
  mediaType: 'application/gzip',
  fileName: 'flights-1.csv.gz',
  createdAtMs: Date.UTC(2024, 2, 17, 23, 51, 46, 7),
  pieces: [
    { location: 'file:///w/header', offset: 0, lengthBytes: 8, rowCount: 0 },
    { location: 'file:///w/a', offset: 4, lengthBytes: 90, rowCount: 3, sha256: SHA },
  ],
  sources: [
    {
      path: 'file:///d/a.parquet',
      sizeBytes: 900,
      modifiedAtMs: 1_700_000_000_123,
      version: '1795893082520484',
      footerSha256: SHA,
    },
    { path: 's3://b/b', sizeBytes: 1, modifiedAtMs: 0, footerSha256: SHA, crc32: 4_294_967_295 },
  ],
  lengthBytes: 98,
  rowCount: 3,
  sha256: SHA,
}
const EXTENDED: DumpIndex = {
  ...INDEX,
  digestState: 'sha256-wasm-1.98.AAAA.0123',
  schemaId: 0,
  edition: '0f3a9c41d2e7',
  earlier: [{ sha256: SHA }, { edition: '5be2c01d77a4', sha256: SHA }],
  extends: {
    ...{ snapshotId: 2n ** 63n - 1n, schemaId: 3, edition: '5be2c01d77a4' },
    ...{ fileName: 'flights-0.csv.gz', bytes: 8 },
  },
}

test('an index reads as it was written, 64-bit ids exactly', () => {
  for (const index of [INDEX, EXTENDED, { ...INDEX, pieces: [], lengthBytes: 0, rowCount: 0 }]) {
    expect(parseDumpIndex(serialiseDumpIndex(index))).toEqual(index)
  }
})

test('the file has the names of the contract', () => {
  expect(JSON.parse(serialiseDumpIndex(EXTENDED))).toEqual({
    version: 2,
    dialect: DIALECT_VERSION,
    table_uuid: 'f79c3e09-677c-4bbd-a479-3f349cb785e7',
    snapshot_id: '9007199254740993',
    schema_id: 0,
    edition: '0f3a9c41d2e7',
    earlier: [{ sha256: SHA }, { edition: '5be2c01d77a4', sha256: SHA }],
    format: 'csv',
    compression: 'gzip',
    media_type: 'application/gzip',
    file_name: 'flights-1.csv.gz',
    created_at: '2024-03-17T23:51:46.007Z',
    total_bytes: 98,
    total_rows: 3,
    sha256: SHA,
    digest_state: 'sha256-wasm-1.98.AAAA.0123',
    extends: {
      ...{ snapshot_id: '9223372036854775807', schema_id: 3, edition: '5be2c01d77a4' },
      ...{ file_name: 'flights-0.csv.gz', byte: 8 },
    },
    pieces: [
      { location: 'file:///w/header', offset: 0, length: 8, rows: 0 },
      { location: 'file:///w/a', offset: 4, length: 90, rows: 3, sha256: SHA },
    ],
    sources: [
      {
        ...{ path: 'file:///d/a.parquet', size: 900 },
        ...{ modified_at_ms: 1_700_000_000_123, footer_sha256: SHA },
        version: '1795893082520484',
      },
      { path: 's3://b/b', size: 1, modified_at_ms: 0, footer_sha256: SHA, crc32: 4_294_967_295 },
    ],
  })
})

describe('an index that cannot be right is refused', () => {
  const json = () => JSON.parse(serialiseDumpIndex(EXTENDED)) as Record<string, unknown>
  const piece = { location: 'a', offset: 0, length: 98, rows: 3 }

  test.each<[string, Record<string, unknown>]>([
    ['of an earlier version', { version: 1 }],
    ['of a later version', { version: 3 }],
    ['whose pieces have other bytes than the whole', { total_bytes: 99 }],
    ['whose pieces have other rows than the whole', { total_rows: 4 }],
    ['that extends more than it has', { extends: { snapshot_id: '1', byte: 99 } }],
    ['with a negative offset', { pieces: [{ ...piece, offset: -1 }] }],
    ['with half a byte', { pieces: [{ ...piece, length: 97.5 }] }],
    ['with a length beyond 2^53', { pieces: [{ ...piece, length: 2 ** 60 }] }],
    ['with a digest that is none', { sha256: 'AB'.repeat(32) }],
    ['with the digest of a piece that is none', { pieces: [{ ...piece, sha256: 'x' }] }],
    ['of no format', { format: 'xlsx' }],
    ['of no compression', { compression: 'brotli' }],
    ['of no table', { table_uuid: '../../etc' }],
    ['of no snapshot', { snapshot_id: '-2' }],
    ['of no edition', { edition: '../../etc' }],
    ['of no time', { created_at: '2024-13-45T99:99:99.000Z' }],
    ['with a digest state of any size', { digest_state: 'x'.repeat(2000) }],
    ['without pieces', { pieces: undefined }],
  ])('%s', (_, change) => {
    expect(() => parseDumpIndex(JSON.stringify({ ...json(), ...change }))).toThrow(
      expect.objectContaining({ code: 'metadata-corrupt' }),
    )
  })

  test('in half', () => {
    const text = serialiseDumpIndex(INDEX)
    expect(() => parseDumpIndex(text.slice(0, text.length / 2))).toThrow(
      expect.objectContaining({ code: 'metadata-corrupt' }),
    )
  })
})

test('slices of pieces are the slice of the whole', () => {
  const piece = fc.record({ bytes: fc.uint8Array({ maxLength: 12 }), offset: fc.nat(5) })
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.nat(60), fc.nat(60), (made, a, b) => {
      const range = { start: Math.min(a, b), end: Math.max(a, b) }
      const whole = Buffer.concat(made.map(({ bytes }) => bytes))
      const objects = made.map(({ bytes, offset }) => Buffer.concat([Buffer.alloc(offset), bytes]))
      const pieces = made.map(({ bytes, offset }, i) => ({
        location: String(i),
        offset,
        lengthBytes: bytes.length,
        rowCount: 0,
      }))
      const slices = findPiecesInRange({ pieces }, range)
      const found = slices.map(({ location, offset, lengthBytes }) => {
        expect(lengthBytes).toBeGreaterThan(0)
        return objects[Number(location)]?.subarray(offset, offset + lengthBytes) ?? Buffer.alloc(0)
      })
      expect(Buffer.concat(found)).toEqual(whole.subarray(range.start, range.end))
    }),
    { numRuns: 500 },
  )
})
