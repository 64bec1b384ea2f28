import { runSteps } from '../../../../src/core/steps.ts'
import { inferSchemaFields } from '../../../../src/formats/parquet/schema/parquet-schema.ts'
import { matchFileSchema } from '../../../../src/formats/parquet/schema/schema-match.ts'
import { fileMetricsSteps } from '../../../../src/formats/parquet/statistics/file-metrics.ts'
import { hasUnsureBoundsSteps } from '../../../../src/formats/parquet/statistics/trusted-bounds.ts'
import { THRIFT } from '../../../../src/formats/parquet/thrift/thrift.ts'
import {
  bytesOf,
  field,
  LOGICAL,
  type SampleNode,
  type SampleStatistics,
  sampleFooter,
} from '../sample-file.ts'

type Column = Omit<SampleNode, 'name'>

const TEXT: Column = { physical: 'BYTE_ARRAY', logical: LOGICAL.string }
const OLD_PAIR = { min: bytesOf('a'), max: bytesOf('b') }
const NEW_PAIR = { minValue: bytesOf('a'), maxValue: bytesOf('b') }
const MR_1_7 = 'parquet-mr version 1.7.0 (build abc)'
const MR_1_8 = 'parquet-mr version 1.8.1 (build abc)'

function footerOf(node: Column, statistics: readonly SampleStatistics[], createdBy = MR_1_8) {
  return sampleFooter({
    columns: [{ name: 'c', ...node }],
    rowGroups: statistics.map((each) => ({ rows: 10, chunks: [{ statistics: each }] })),
    extra: [field(6, THRIFT.BINARY, bytesOf(createdBy))],
  })
}

async function isUnsure(node: Column, statistics: readonly SampleStatistics[], createdBy = MR_1_8) {
  const footer = await footerOf(node, statistics, createdBy)
  return runSteps(hasUnsureBoundsSteps(footer, new Set(['c'])))
}

test('bounds that were compared as signed bytes are unsure', async () => {
  expect(await isUnsure(TEXT, [OLD_PAIR])).toBe(true)
  expect(await isUnsure(TEXT, [NEW_PAIR, OLD_PAIR])).toBe(true)
  expect(await isUnsure(TEXT, [{ ...OLD_PAIR, minValue: bytesOf('a') }])).toBe(true)
  const decimal = { physical: 'FIXED_LEN_BYTE_ARRAY', typeLength: 1 } as const
  const logical = LOGICAL.decimal(2, 0)
  expect(await isUnsure({ ...decimal, logical }, [OLD_PAIR])).toBe(true)
  const pair = { min: Uint8Array.of(0, 0, 0, 0), max: Uint8Array.of(1, 0, 0, 0) }
  const unsigned: Column = { physical: 'INT32', logical: LOGICAL.integer(32, false) }
  expect(await isUnsure(unsigned, [pair])).toBe(true)
})

test('bounds of moments of INT96 are unsure, whatever fields they are in', async () => {
  const [min, max] = [new Uint8Array(12), new Uint8Array(12).fill(1)]
  expect(await isUnsure({ physical: 'INT96' }, [{ min, max }])).toBe(true)
  expect(await isUnsure({ physical: 'INT96' }, [{ minValue: min, maxValue: max }])).toBe(true)
})

test('bounds of the type are sure, as are those of signed numbers and of one value', async () => {
  expect(await isUnsure(TEXT, [NEW_PAIR, { ...NEW_PAIR, ...OLD_PAIR }, { nullCount: 3 }])).toBe(
    false,
  )
  const pair = { min: Uint8Array.of(0, 0, 0, 0), max: Uint8Array.of(1, 0, 0, 0) }
  expect(await isUnsure({ physical: 'INT32' }, [pair])).toBe(false)
  expect(await isUnsure(TEXT, [{ min: bytesOf('é'), max: bytesOf('é') }])).toBe(false)
})

test('columns that are not read are not looked at', async () => {
  const footer = await footerOf(TEXT, [OLD_PAIR])
  expect(runSteps(hasUnsureBoundsSteps(footer, new Set(['d'])))).toBe(false)
})

test('of a writer that reused its bytes one value is no bound (PARQUET-251)', async () => {
  const one = { min: bytesOf('a'), max: bytesOf('a') }
  expect(await isUnsure(TEXT, [one], MR_1_7)).toBe(true)
  const lowerBound = async (createdBy: string) => {
    const footer = await footerOf(TEXT, [one], createdBy)
    const schema = { schemaId: 0, fields: inferSchemaFields(footer), identifierFieldIds: [] }
    const match = matchFileSchema({ footer, schema })
    return [...runSteps(fileMetricsSteps(footer, match, schema)).lowerBounds.values()]
  }
  expect(await lowerBound(MR_1_7)).toEqual([])
  expect(await lowerBound(MR_1_8)).toEqual([bytesOf('a')])
})
