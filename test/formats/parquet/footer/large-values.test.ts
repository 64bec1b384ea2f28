import { jest } from '@jest/globals'
import { runSteps } from '../../../../src/core/steps.ts'
import { arrowNotes } from '../../../../src/formats/parquet/arrow/arrow-notes.ts'
import { parseFooter } from '../../../../src/formats/parquet/footer/footer.ts'
import { matchFileSchema } from '../../../../src/formats/parquet/schema/schema-match.ts'
import {
  fileMetricsSteps,
  valueRangesSteps,
} from '../../../../src/formats/parquet/statistics/file-metrics.ts'
import { requireSupportedSteps } from '../../../../src/formats/parquet/statistics/supported-file.ts'
import { hasUnsureBoundsSteps } from '../../../../src/formats/parquet/statistics/trusted-bounds.ts'
import { planStitch } from '../../../../src/formats/parquet/stitch/stitch.ts'
import { stitchProblemSteps } from '../../../../src/formats/parquet/stitch/stitch-problem.ts'
import { withFields } from '../../../../src/formats/parquet/stitch/thrift-edit.ts'
import {
  THRIFT,
  type ThriftField,
  writeThriftStruct,
} from '../../../../src/formats/parquet/thrift/thrift.ts'
import { getStructs } from '../../../../src/formats/parquet/thrift/thrift-fields.ts'
import {
  bytesOf,
  field,
  fileMetadata,
  LOGICAL,
  type SampleFile,
  type SampleStatistics,
  struct,
  structs,
} from '../sample-file.ts'

/** What is in a footer and nobody asked for costs nothing, however long it is. */

const { BINARY, LIST, STRUCT } = THRIFT
const MIB = 1024 * 1024
const LONG = Buffer.alloc(MIB, 'é')
const TEXT = { name: 't', physical: 'BYTE_ARRAY', logical: LOGICAL.string, fieldId: 1 } as const
const SCHEMA = {
  ...{ schemaId: 0, identifierFieldIds: [] },
  fields: [{ id: 1, name: 't', required: false, type: { kind: 'string' as const } }],
}

function footerOf(file: Partial<SampleFile>) {
  const sample = { columns: [TEXT], rowGroups: [{ rows: 3, chunks: [{}] }], ...file }
  return parseFooter(writeThriftStruct(fileMetadata(sample)), { sizeBytes: 2 ** 40 })
}

const withStatistics = (statistics: SampleStatistics, extra: readonly ThriftField[] = []) =>
  footerOf({ rowGroups: [{ rows: 3, chunks: [{ statistics }] }], extra })

const pair = (key: Uint8Array, value: Uint8Array) =>
  struct(field(1, BINARY, key), field(2, BINARY, value))

/** Bytes that are decoded as text while the work is done. */
function decodedBytes(work: () => unknown): number {
  const decode = jest.spyOn(TextDecoder.prototype, 'decode')
  const toText = jest.spyOn(Buffer.prototype, 'toString')
  try {
    work()
    const decoded = decode.mock.calls.map(([bytes]) => bytes?.byteLength ?? 0)
    const told = toText.mock.contexts.map((bytes) => (bytes as Buffer).length)
    return [...decoded, ...told].reduce((sum, length) => sum + length, 0)
  } finally {
    decode.mockRestore()
    toText.mockRestore()
  }
}

test.each<[string, Partial<SampleFile>]>([
  ['a value of its metadata', { extra: [field(5, LIST, structs([pair(bytesOf('k'), LONG)]))] }],
  ['the name of its writer', { extra: [field(6, BINARY, LONG)] }],
  ['a field that nobody knows', { extra: [field(40, BINARY, LONG)] }],
  [
    'a bound of its values',
    { rowGroups: [{ rows: 3, chunks: [{ statistics: { minValue: LONG, maxValue: LONG } }] }] },
  ],
])('%s is not decoded when a file is looked at', (_what, file) => {
  const bytes = decodedBytes(() => {
    const footer = footerOf(file)
    runSteps(requireSupportedSteps(footer))
    const match = matchFileSchema({ footer, schema: SCHEMA })
    runSteps(fileMetricsSteps(footer, match, SCHEMA))
    runSteps(valueRangesSteps(footer, match, { schema: SCHEMA, fieldIds: new Set([1]) }))
    runSteps(stitchProblemSteps(footer))
  })
  expect(bytes).toBeLessThan(16 * 1024)
})

test('the beginning of a writer’s name tells its version', () => {
  const name = `parquet-mr version 1.7.0${' version 2'.repeat(100_000)}`
  const { createdBy } = footerOf({ extra: [field(6, BINARY, bytesOf(name))] })
  expect(createdBy).toBe(name.slice(0, 1_000))
})

test('a pair whose key has more than a thousand bytes is passed over, others are kept', () => {
  const metadata = (key: Uint8Array) => ({ extra: [field(5, LIST, structs([pair(key, LONG)]))] })
  const longest = Buffer.alloc(1_000, 'k')
  expect([...footerOf(metadata(longest)).keyValueMetadata.keys()]).toEqual([longest.toString()])
  const both = structs([pair(Buffer.alloc(1_001, 'k'), LONG), pair(longest, LONG)])
  const { keyValueMetadata } = footerOf({ extra: [field(5, LIST, both)] })
  expect([...keyValueMetadata.keys()]).toEqual([longest.toString()])
})

test('a schema of Arrow beyond any is not read', () => {
  const metadata = (bytes: number) =>
    footerOf({
      extra: [field(5, LIST, structs([pair(bytesOf('ARROW:schema'), Buffer.alloc(bytes, 'A'))]))],
    })
  const [long, longer] = [metadata(16 * MIB), metadata(16 * MIB + 1)]
  expect(decodedBytes(() => arrowNotes(long))).toBeGreaterThan(0)
  expect(decodedBytes(() => arrowNotes(longer))).toBe(0)
})

test('long bounds of old writers are not compared, and lead to no pages', () => {
  const one = (length: number) => {
    const bound = Buffer.alloc(length, 'a')
    return withStatistics({ min: bound, max: Buffer.from(bound), nullCount: 0 }, [
      field(6, BINARY, bytesOf('DuckDB')),
    ])
  }
  const isUnsure = (length: number) =>
    runSteps(hasUnsureBoundsSteps(one(length), new Set<string | undefined>(['t'])))
  expect([isUnsure(4_096), isUnsure(4_097)]).toEqual([false, true])
})

test('no value beyond 64 KiB decides a partition, and between long ones is a pause', () => {
  const ranges = (length: number) => {
    const bound = Buffer.alloc(length, 'a')
    const statistics = { minValue: bound, maxValue: bound, nullCount: 0 }
    const groups = Array.from({ length: 50 }, () => ({ rows: 3, chunks: [{ statistics }] }))
    const footer = footerOf({ rowGroups: groups })
    const match = matchFileSchema({ footer, schema: SCHEMA })
    const steps = valueRangesSteps(footer, match, { schema: SCHEMA, fieldIds: new Set([1]) })
    for (let pauses = 0; ; pauses++) {
      const { done, value } = steps.next()
      if (done === true) return { pauses, length: value.least.get(1)?.length }
    }
  }
  expect(ranges(65_536)).toEqual({ pauses: 50, length: 65_536 })
  expect(ranges(65_537)).toEqual({ pauses: 50, length: undefined })
  expect(ranges(100)).toEqual({ pauses: 0, length: 100 })
})

describe('what a stitched footer would repeat as it is', () => {
  const problemOf = (file: Partial<SampleFile>) => runSteps(stitchProblemSteps(footerOf(file)))
  const TOO_LONG = 'its footer has more than writers give'
  const nested = (count: number) => field(40, LIST, structs(Array(count).fill(struct())))
  const order = (bytes: number) =>
    field(7, LIST, structs([struct(field(9, BINARY, Buffer.alloc(bytes)))]))

  test.each<[string, Partial<SampleFile>, string | undefined]>([
    ['500 fields that nobody knows', { extra: Array(500).fill(nested(0)) }, undefined],
    ['a list of a thousand', { extra: [nested(990)] }, undefined],
    ['a longer list', { extra: [nested(1_001)] }, TOO_LONG],
    ['64 KiB of one', { extra: [field(40, BINARY, Buffer.alloc(65_000))] }, undefined],
    ['more than 64 KiB of one', { extra: [field(40, BINARY, Buffer.alloc(66_000))] }, TOO_LONG],
    ['an order of more than 64 KiB', { extra: [order(66_000)] }, TOO_LONG],
    [
      'a column whose type has 64 KiB',
      {
        columns: [{ ...TEXT, logical: struct(field(17, STRUCT, struct(field(1, BINARY, LONG)))) }],
      },
      TOO_LONG,
    ],
    [
      'columns that have 4 MiB together',
      {
        columns: Array.from({ length: 70 }, (_, i) => {
          const logical = struct(field(17, STRUCT, struct(field(1, BINARY, Buffer.alloc(64_000)))))
          return { name: `c${i}`, physical: 'BYTE_ARRAY' as const, logical }
        }),
        rowGroups: [],
      },
      TOO_LONG,
    ],
  ])('%s', (_what, file, problem) => {
    expect(problemOf(file)).toBe(problem)
  })

  test('metadata of its writer is kept up to 4 MiB', () => {
    const stitched = (bytes: number) => {
      const metadata = field(5, LIST, structs([pair(bytesOf('k'), Buffer.alloc(bytes, 'v'))]))
      const footer = footerOf({ extra: [metadata] })
      return planStitch([{ footer }, { footer }]).tail.length
    }
    expect(stitched(4 * MIB)).toBeGreaterThan(4 * MIB)
    expect(stitched(4 * MIB + 1)).toBeLessThan(1_000)
  })

  test('an order of rows by more columns than there are is none', () => {
    const columns = ['a', 'b'].map((name, i) => ({ ...TEXT, name, fieldId: i + 1 }))
    const tail = (count: number) => {
      const by = struct(field(1, THRIFT.I32, 0), field(2, THRIFT.TRUE, true))
      const rowGroups = [{ rows: 3, chunks: [{}, { dataOffset: 30 }] }]
      const footer = footerOf({ columns, rowGroups })
      const [group] = getStructs(footer.thrift, 4)
      const sorted = struct(
        ...(group?.fields ?? []),
        field(4, LIST, structs(Array(count).fill(by))),
      )
      const thrift = withFields(footer.thrift, [field(4, LIST, structs([sorted]))])
      const schema = {
        elements: [struct(field(5, THRIFT.I32, 1)), getStructs(thrift, 2)[1] ?? struct()],
        columns: [{ leafIndex: 0, path: [bytesOf('a')], order: undefined }],
        isFileOwn: false,
      }
      return planStitch([{ footer: { ...footer, thrift }, schema }]).tail.length
    }
    expect(tail(2)).toBeGreaterThan(tail(0))
    expect(tail(3)).toBe(tail(0))
    expect(tail(500_000)).toBe(tail(0))
  })
})
