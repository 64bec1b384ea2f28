import { parseFooter } from '../../../src/formats/parquet/footer/footer.ts'
import { withFields } from '../../../src/formats/parquet/stitch/thrift-edit.ts'
import {
  THRIFT,
  type ThriftStruct,
  writeThriftStruct,
} from '../../../src/formats/parquet/thrift/thrift.ts'
import { getStruct, getStructs } from '../../../src/formats/parquet/thrift/thrift-fields.ts'
import { field, struct, structs, withFooter } from './sample-file.ts'

const { I32, I64, LIST, STRUCT } = THRIFT
const TRAILER_BYTES = 8
const DICTIONARY_PAGE = 2
/** Statistics, and those of pages and sizes, which chunks of no values do not have. */
const OF_VALUES = new Set([12, 13, 14, 16])
/** Offsets and lengths of indexes of pages. */
const OF_PAGES = new Set([4, 5, 6, 7])

/**
 * The uncompressed file with a row group without rows as pyarrow and pandas write it: each chunk is
 * an empty dictionary, and its data page is said to be at 0. With `alone`, in place of all others.
 */
export function withEmptyGroup(
  bytes: Uint8Array,
  { index, alone = false }: { readonly index: number; readonly alone?: boolean },
): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const dataEnd = bytes.length - TRAILER_BYTES - view.getUint32(bytes.length - TRAILER_BYTES, true)
  const footer = parseFooter(bytes.subarray(dataEnd, -TRAILER_BYTES), { sizeBytes: bytes.length })
  const groups = getStructs(footer.thrift, 4)
  const [model] = groups
  if (model === undefined) throw new Error('the file has no row group to go by')
  const page = emptyDictionary()
  const chunks = getStructs(model, 1)
  const empty = withFields(model, [
    field(
      1,
      LIST,
      structs(chunks.map((chunk, i) => emptyChunk(chunk, dataEnd + i * page.length, page))),
    ),
    field(2, I64, chunks.length * page.length),
    field(3, I64, 0),
  ])
  const all = alone ? [empty] : groups.toSpliced(index, 0, empty)
  const rows = alone ? [field(3, I64, 0)] : []
  const data = Buffer.concat([bytes.subarray(0, dataEnd), ...chunks.map(() => page)])
  const thrift = withFields(footer.thrift, [...rows, field(4, LIST, structs(all))])
  return withFooter(data, writeThriftStruct(thrift))
}

function emptyChunk(chunk: ThriftStruct, offset: number, page: Uint8Array): ThriftStruct {
  const metadata = withFields(
    getStruct(chunk, 3),
    [
      field(4, I32, 0),
      field(5, I64, 0),
      field(6, I64, page.length),
      field(7, I64, page.length),
      field(9, I64, 0),
      field(11, I64, offset),
    ],
    OF_VALUES,
  )
  return withFields(chunk, [field(3, STRUCT, metadata)], OF_PAGES)
}

function emptyDictionary(): Uint8Array {
  return writeThriftStruct(
    struct(
      field(1, I32, DICTIONARY_PAGE),
      field(2, I32, 0),
      field(3, I32, 0),
      field(7, STRUCT, struct(field(1, I32, 0), field(2, I32, 0))),
    ),
  )
}
