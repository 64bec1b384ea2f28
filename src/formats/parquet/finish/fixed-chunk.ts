import { storedZstandard } from '../../zstandard/stored-frame.ts'
import { inflateZstandard } from '../../zstandard/zstandard.ts'
import { withFields } from '../stitch/thrift-edit.ts'
import { readThriftStruct, THRIFT, type ThriftStruct, writeThriftStruct } from '../thrift/thrift.ts'
import { getCount, getNumber, getStruct } from '../thrift/thrift-fields.ts'
import { type FixedLeaf, fixedPage, fixedValues } from './fixed-values.ts'

/** The largest header that is read: its statistics are two values, which our writer leaves out. */
const HEADER_BYTES_MAX = 64 * 1024
/** Fields of PageHeader. */
const PAGE_TYPE = 1
const UNCOMPRESSED_BYTES = 2
const COMPRESSED_BYTES = 3
const CHECKSUM = 4
const DATA_PAGE = 5
const DATA_PAGE_ENCODING = 2
/** Values of the enums PageType, Encoding and CompressionCodec. */
const TYPE_DATA = 0
const TYPE_DICTIONARY = 2
const PLAIN = 0
const DICTIONARIES: ReadonlySet<number> = new Set([2, 8])
const UNCOMPRESSED = 0
const ZSTD = 6

export interface Page {
  /** Header and body as they are written. */
  readonly bytes: readonly Uint8Array[]
  readonly isDictionary: boolean
  /** Header and body. */
  readonly compressedBytes: number
  readonly uncompressedBytes: number
}

/** Pages of a chunk of BYTE_ARRAY as those of FIXED_LEN_BYTE_ARRAY. One at a time is in memory. */
export function* fixedPages(
  read: (offset: number, lengthBytes: number) => Uint8Array,
  chunk: { readonly offset: number; readonly end: number; readonly codec: number },
  leaf: FixedLeaf,
): Generator<Page> {
  for (let at = chunk.offset; at < chunk.end; ) {
    const head = read(at, Math.min(HEADER_BYTES_MAX, chunk.end - at))
    const { struct: header, lengthBytes } = readThriftStruct(head)
    const bodyBytes = getCount(header, COMPRESSED_BYTES)
    const body = read(at + lengthBytes, bodyBytes)
    yield fixedPageOf(header, body, { codec: chunk.codec, leaf })
    at += lengthBytes + bodyBytes
  }
}

function fixedPageOf(
  header: ThriftStruct,
  body: Uint8Array,
  { codec, leaf }: { readonly codec: number; readonly leaf: FixedLeaf },
): Page {
  const type = getNumber(header, PAGE_TYPE)
  const isDictionary = type === TYPE_DICTIONARY
  if (!isDictionary && type !== TYPE_DATA) throw new Error(`a page of type ${type}`)
  const uncompressedBytes = getCount(header, UNCOMPRESSED_BYTES)
  if (!isDictionary && !isPlain(header)) return page(header, body, uncompressedBytes)
  const plain = inflated(body, codec, uncompressedBytes)
  const values = isDictionary ? fixedValues(plain, leaf) : fixedPage(plain, leaf)
  const stored = codec === ZSTD ? storedZstandard(values) : values
  const changed = withFields(
    header,
    [
      { id: UNCOMPRESSED_BYTES, type: THRIFT.I32, value: values.length },
      { id: COMPRESSED_BYTES, type: THRIFT.I32, value: stored.length },
    ],
    new Set([CHECKSUM]),
  )
  return page(changed, stored, values.length)
}

/** Pages of indexes into the dictionary stay as they are. */
function isPlain(header: ThriftStruct): boolean {
  const encoding = getNumber(getStruct(header, DATA_PAGE), DATA_PAGE_ENCODING)
  if (encoding !== PLAIN && !DICTIONARIES.has(encoding)) {
    throw new Error(`a page of BYTE_ARRAY in encoding ${encoding}`)
  }
  return encoding === PLAIN
}

function inflated(body: Uint8Array, codec: number, bytes: number): Uint8Array {
  if (codec === UNCOMPRESSED) return body
  if (codec === ZSTD) return inflateZstandard(body, bytes)
  throw new Error(`pages of codec ${codec}`)
}

function page(header: ThriftStruct, body: Uint8Array, uncompressedBytes: number): Page {
  const written = writeThriftStruct(header)
  return {
    bytes: [written, body],
    isDictionary: getNumber(header, PAGE_TYPE) === TYPE_DICTIONARY,
    compressedBytes: written.length + body.length,
    uncompressedBytes: written.length + uncompressedBytes,
  }
}
