import { gzipSync } from 'node:zlib'
import {
  THRIFT,
  type ThriftField,
  writeThriftStruct,
} from '../src/formats/parquet/thrift/thrift.ts'
import type { Route } from '../src/http/route.ts'
import {
  bytesOf,
  field,
  fileMetadata,
  fileOf,
  LOGICAL,
  type SampleFile,
  type SampleNode,
  struct,
  structs,
} from '../test/formats/parquet/sample-file.ts'

/** A body that is not JSON, of a request that nobody means well with. */
export interface HostileUpload {
  readonly what: string
  readonly mediaType: string
  /** Made when it is asked for, each time: there are many megabytes. */
  bytes(): Uint8Array
}

const MIB = 1024 * 1024
const { BINARY, LIST } = THRIFT

/** For each kind of body that a route takes besides JSON; a `share` of their lengths is sent. */
export function hostileUploads(
  { uploads = [] }: Pick<Route, 'uploads'>,
  share = 1,
): HostileUpload[] {
  const size: Size = (count) => Math.ceil(count * share)
  const unknown = uploads.filter((each) => !MAKERS.some(([pattern]) => pattern.test(each)))
  if (unknown.length > 0) throw new Error(`no hostile body is of ${unknown.join(', ')}`)
  return MAKERS.flatMap(([pattern, make]) => {
    const mediaType = uploads.find((each) => pattern.test(each))
    if (mediaType === undefined) return []
    return make(size).map(({ what, bytes, charset }) => ({
      what,
      bytes,
      mediaType: charset === undefined ? mediaType : `${mediaType}; charset=${charset}`,
    }))
  })
}

/** The number that is made of a number. */
type Size = (count: number) => number
type Made = Omit<HostileUpload, 'mediaType'> & { readonly charset?: string }

const MAKERS: readonly (readonly [RegExp, (size: Size) => readonly Made[]])[] = [
  [/csv|tab-separated/, csvBodies],
  [/ndjson/, ndjsonBodies],
  [
    /parquet|octet-stream/,
    (size) => hostileFooters(size).map(({ what, file }) => ({ what, bytes: file })),
  ],
  [/form-urlencoded/, formBodies],
]

function text(what: string, make: () => string): Made {
  return { what, bytes: () => Buffer.from(make()) }
}

function csvBodies(size: Size): readonly Made[] {
  const header = (count: number) => Array.from({ length: count }, (_, i) => `c${i}`).join(',')
  return [
    text('a header of 20,000 columns', () => `${header(20_000)}\n${'1,'.repeat(19_999)}1\n`),
    text('a header of 3,000,000 columns', () => `${header(size(3_000_000))}\n`),
    text('a header in one name of 32 MiB', () => 'x'.repeat(size(32 * MIB))),
    text('a value of 64 MiB', () => `id,at\n1,"${'x'.repeat(size(64 * MIB))}"\n`),
    text('a quote without an end', () => `id,at\n"${'\n'.repeat(size(32 * MIB))}`),
    text('rows without anything', () => `id,at\n${'\n'.repeat(size(32 * MIB))}`),
    text('4,000,000 short rows', () => `id,at\n${'1,\n'.repeat(size(4_000_000))}`),
    text('rows of too many fields', () => `id,at\n${`${','.repeat(100_000)}\n`.repeat(size(100))}`),
    ...inOtherForms((count) => `id,at\n${'1,\n'.repeat(count)}`, size),
  ]
}

function ndjsonBodies(size: Size): readonly Made[] {
  const members = (count: number) =>
    `{${Array.from({ length: count }, (_, i) => `"m${i}":${i}`).join(',')}}`
  return [
    text('an object of 500,000 members', () => `${members(size(500_000))}\n`),
    text('a line of 64 MiB', () => `{"id":"${'x'.repeat(size(64 * MIB))}"}\n`),
    text('a line as deep as it can be', () => '{"id":'.repeat(size(1_000_000))),
    text('a line of escapes', () => `{"id":"${'\\u00e9'.repeat(size(4 * MIB))}"}\n`),
    text('a number of 16 MiB', () => `{"id":${'9'.repeat(size(16 * MIB))}}\n`),
    text('4,000,000 short rows', () => '{"id":1}\n'.repeat(size(4_000_000))),
    text('lines without anything', () => '\n'.repeat(size(32 * MIB))),
    ...inOtherForms((count) => '{"id":1}\n'.repeat(count), size),
  ]
}

/** The same rows compressed, as far as that is taken and beyond, and in other charsets. */
function inOtherForms(rows: (count: number) => string, size: Size): readonly Made[] {
  const zeros = (mib: number) => () => gzipSync(Buffer.alloc(size(mib * MIB)))
  return [
    { what: 'a gzip bomb of 512 MiB of zeros', bytes: zeros(512) },
    {
      what: 'gzip of 16 MiB of one byte',
      bytes: () => gzipSync(Buffer.alloc(size(16 * MIB), 'x')),
    },
    {
      what: 'gzip of many members',
      bytes: () => Buffer.concat(Array(size(100_000)).fill(gzipSync(''))),
    },
    { what: 'gzip of rows', bytes: () => gzipSync(rows(size(1_000_000))) },
    ...['utf-16le', 'shift_jis', 'windows-1252', 'gb18030'].map((charset) => ({
      what: `32 MiB that are said to be of ${charset}`,
      charset,
      bytes: () => Buffer.alloc(size(32 * MIB), '1,'),
    })),
  ]
}

function formBodies(size: Size): readonly Made[] {
  return [
    text('of nothing but &', () => '&'.repeat(MIB - 100)),
    text('of as many members as fit', () => 'a=1&'.repeat(MIB / 4 - 100)),
    text('of one value', () => `a=${'%41'.repeat(MIB / 3 - 100)}`),
    text('beyond any limit', () => 'a=1&'.repeat(size(4 * MIB))),
  ]
}

export interface HostileFile {
  readonly what: string
  /** Whether it fits the table of `id` and `at`: then it can be added, and read. */
  readonly isFitting: boolean
  file(): Uint8Array
}

const STATISTICS = { minValue: bytesOf('a'.repeat(8)), maxValue: bytesOf('b'.repeat(8)) }
const ID: SampleNode = { name: 'id', physical: 'INT64', fieldId: 1 }
const AT: SampleNode = {
  ...{ name: 'at', physical: 'INT64', fieldId: 2 },
  logical: LOGICAL.timestamp('micros', true),
}

/** Parquet files whose footers take long to look at. */
export function hostileFooters(size: Size = (count) => count): readonly HostileFile[] {
  const groups = (count: number, columns: number): Pick<SampleFile, 'rowGroups'> => ({
    rowGroups: Array.from({ length: count }, () => ({
      rows: 1,
      chunks: Array.from({ length: columns }, () => ({
        compressed: 0,
        statistics: { ...STATISTICS, nullCount: 0 },
      })),
    })),
  })
  const names = (count: number, length = 1): SampleNode[] =>
    Array.from({ length: count }, (_, i) => ({
      name: `${'n'.repeat(length - 1)}${i}`,
      physical: 'BYTE_ARRAY',
      logical: LOGICAL.string,
    }))
  const sample = (what: string, make: () => SampleFile, isFitting = false): HostileFile => ({
    what,
    isFitting,
    file: () => fileOf(writeThriftStruct(fileMetadata(make()))),
  })
  const fitting = (count: number) => () => ({ columns: [ID, AT], ...groups(count, 2) })
  const pair = (bytes: number) =>
    struct(field(1, BINARY, bytesOf('k')), field(2, BINARY, blank(bytes)))
  const pairs = (count: number, bytes: number) => [
    field(5, LIST, structs(Array.from({ length: count }, () => pair(bytes)))),
  ]
  return [
    sample('16,000 row groups', fitting(size(16_000)), true),
    sample('50,000 row groups', fitting(size(50_000)), true),
    sample('100,000 columns', () => ({
      columns: names(size(100_000)),
      ...groups(1, size(100_000)),
    })),
    sample('10,000 columns', () => ({ columns: names(size(10_000)), ...groups(1, size(10_000)) })),
    sample('2,000 columns in 40 row groups', () => ({
      ...{ columns: names(2_000), ...groups(size(40), 2_000) },
    })),
    sample('one column of text in 100,000 row groups', () => ({
      ...{ columns: names(1), ...groups(size(100_000), 1) },
    })),
    sample('names of 9,000 bytes', () => ({ columns: names(3_000, 9_000), rowCount: 0 })),
    sample('too many columns', () => ({ columns: names(150_000), rowCount: 0 })),
    sample('nested too deeply', () => ({ columns: [nested(200)], rowCount: 0 })),
    sample('10,000 keys', () => ({ columns: [ID], rowCount: 0, extra: pairs(10_000, 10) })),
    sample('a key of 60 MiB', () => ({
      columns: [ID],
      rowCount: 0,
      extra: pairs(1, size(60 * MIB)),
    })),
    ...largeValues(size).map(([what, more]) =>
      sample(what, () => ({ ...fitting(1)(), ...more() }), true),
    ),
    {
      what: 'a footer of nothing but zeros',
      isFitting: false,
      file: () => fileOf(new Uint8Array(size(60 * MIB))),
    },
    {
      what: 'a footer of empty lists',
      isFitting: false,
      file: () => fileOf(new Uint8Array(size(60 * MIB)).fill(0x19)),
    },
    {
      what: 'a footer that is longer than any is read',
      isFitting: false,
      file: () => fileOf(new Uint8Array(65 * MIB)),
    },
  ]
}

/** What nobody asked for in a footer that is sound otherwise. */
function largeValues(size: Size): readonly [string, () => Partial<SampleFile>][] {
  const longText = () => Buffer.alloc(size(60 * MIB), 'é')
  const many = (count: number) => structs(Array(size(count)).fill(struct()))
  const chunks = (extra: () => ThriftField) => (): Partial<SampleFile> => ({
    rowGroups: [{ rows: 1, chunks: [{ extra: [extra()] }, { dataOffset: 30 }] }],
  })
  const extra = (make: () => ThriftField) => (): Partial<SampleFile> => ({ extra: [make()] })
  const bounds = (): Partial<SampleFile> => {
    const bound = Buffer.alloc(size(30 * MIB), 'é')
    const statistics = { minValue: bound, maxValue: bound, nullCount: 0 }
    return { rowGroups: [{ rows: 1, chunks: [{ compressed: 0, statistics }, { compressed: 0 }] }] }
  }
  const metadata = () =>
    structs([struct(field(1, BINARY, bytesOf('k')), field(2, BINARY, longText()))])
  return [
    ['metadata of 60 MiB', extra(() => field(5, LIST, metadata()))],
    ['a writer of 60 MiB', extra(() => field(6, BINARY, longText()))],
    ['an unknown field of 60 MiB', extra(() => field(40, BINARY, longText()))],
    ['an unknown field of 2,000,000 values', extra(() => field(40, LIST, many(2_000_000)))],
    ['2,000,000 orders of columns', extra(() => field(7, LIST, many(2_000_000)))],
    ['bounds of 30 MiB', bounds],
    ['a column chunk with 60 MiB', chunks(() => field(40, BINARY, longText()))],
    ['a column chunk with 2,000,000 values', chunks(() => field(40, LIST, many(2_000_000)))],
  ]
}

function blank(bytes: number): Uint8Array {
  return new Uint8Array(bytes).fill(0x20)
}

function nested(depth: number): SampleNode {
  const name = 'd'
  return depth === 0 ? { name, physical: 'INT32' } : { name, children: [nested(depth - 1)] }
}
