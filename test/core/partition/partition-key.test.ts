import { partitionKey } from '../../../src/core/partition/partition-key.ts'
import type { PartitionTuple } from '../../../src/core/partition/partition-values.ts'
import { isSamePartition } from '../../../src/core/partition/partition-values.ts'

const key = (...partition: PartitionTuple) => partitionKey({ specId: 1, partition })
const bytesOf = (text: string) => new TextEncoder().encode(text)

test('a partition keeps its key when its column gets another type', () => {
  expect(key(7, 'a')).toBe(key(7n, 'a'))
  expect(key(Number.MIN_SAFE_INTEGER)).toBe(key(BigInt(Number.MIN_SAFE_INTEGER)))
  expect(key(0)).toBe(key(0n))
  for (const text of ['', 'ż', '\ufeffa', 'null']) expect(key(text)).toBe(key(bytesOf(text)))
})

test('other partitions have other keys', () => {
  const tuples: PartitionTuple[] = [
    ...[[null], ['null'], [0], [-0], [false], [''], ['0'], [1], ['1'], [true], [Number.NaN]],
    ...[[2 ** 53], [2n ** 53n + 1n], [1, 2], [12], ['1,2'], ['text:a'], ['a'], ['\ufeffa']],
    ...[[Uint8Array.of(0xff)], ['ff'], ['bytes:ff'], [Uint8Array.of(0xff, 0)]],
  ]
  const keys = tuples.map((tuple) => key(...tuple))
  expect(new Set(keys).size).toBe(tuples.length)
  expect(partitionKey({ specId: 2, partition: [1] })).not.toBe(key(1))
})

test('a number and the bigint of a widened column are one partition, zeros are two', () => {
  const spec = {
    specId: 1,
    fields: [{ fieldId: 1000, sourceId: 1, name: 'p', transform: { kind: 'identity' as const } }],
  }
  const isSame = (kind: 'long' | 'double', left: PartitionTuple, right: PartitionTuple) => {
    const fields = [{ id: 1, name: 'c', required: false, type: { kind } }]
    const schema = { schemaId: 0, fields, identifierFieldIds: [] }
    return isSamePartition({ spec, schema }, left, right)
  }
  expect(isSame('long', [7], [7n])).toBe(true)
  expect(isSame('long', [7n], [8])).toBe(false)
  expect(isSame('double', [0], [-0])).toBe(false)
})
