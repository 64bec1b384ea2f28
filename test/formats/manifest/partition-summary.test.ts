import fc from 'fast-check'
import { encodeSingleValue } from '../../../src/core/value/single-value.ts'
import type { PrimitiveType } from '../../../src/core/value/type.ts'
import { compareValues, type Value } from '../../../src/core/value/value.ts'
import { describeManifest } from '../../../src/formats/manifest/manifest-writer.ts'
import {
  joinSummaries,
  summarizePartitions,
} from '../../../src/formats/manifest/partition-summary.ts'
import { addedFile, DAY_SPEC, SCHEMA, WIDE_SPEC, widePartition } from './manifest-samples.ts'

const DOUBLE_SPEC = {
  specId: 1,
  fields: [{ fieldId: 1000, sourceId: 5, name: 'x', transform: { kind: 'identity' } as const }],
}

function summarizeDoubles(values: readonly (number | null)[]) {
  const [summary] = summarizePartitions(
    DOUBLE_SPEC,
    SCHEMA,
    values.map((value) => [value]),
  )
  return summary
}

const double = (value: number) => encodeSingleValue({ kind: 'double' }, value)

describe('summarizePartitions', () => {
  test('bounds the values of every type from both sides', () => {
    fc.assert(
      fc.property(fc.array(widePartition), (partitions) => {
        const summaries = summarizePartitions(WIDE_SPEC, SCHEMA, partitions)
        for (const [i, field] of SCHEMA.fields.entries()) {
          const type = field.type as PrimitiveType
          const values = partitions.map((partition) => partition[i] ?? null)
          const bounded = values.filter((v): v is Value => v !== null && !Number.isNaN(v))
          const sorted = bounded.toSorted((a, b) => compareValues(type, a, b))
          const summary = summaries[i]
          expect(summary?.containsNull).toBe(values.includes(null))
          expect(summary?.containsNan).toBe(values.some(Number.isNaN))
          expect(summary?.lowerBound).toEqual(boundOf(type, sorted[0], -0))
          expect(summary?.upperBound).toEqual(boundOf(type, sorted.at(-1), 0))
        }
      }),
    )
  })

  test('keeps NaN out of the bounds, and has none when nothing else is there', () => {
    expect(summarizeDoubles([Number.NaN, 1, null, 2])).toEqual({
      containsNull: true,
      containsNan: true,
      lowerBound: double(1),
      upperBound: double(2),
    })
    expect(summarizeDoubles([Number.NaN])).toEqual({ containsNull: false, containsNan: true })
    expect(summarizeDoubles([])).toEqual({ containsNull: false, containsNan: false })
  })

  test('takes -0 for the lower and +0 for the upper bound of a zero', () => {
    for (const zeros of [[0], [-0], [0, -0], [-0, 0]]) {
      expect(summarizeDoubles(zeros)).toMatchObject({
        lowerBound: double(-0),
        upperBound: double(0),
      })
    }
  })
})

describe('joinSummaries', () => {
  test('says of several manifests what their partitions together say', () => {
    fc.assert(
      fc.property(fc.array(fc.array(widePartition), { minLength: 1 }), (manifests) => {
        const parts = manifests.map((one) => summarizePartitions(WIDE_SPEC, SCHEMA, one))
        const whole = summarizePartitions(WIDE_SPEC, SCHEMA, manifests.flat())
        expect(joinSummaries(WIDE_SPEC, SCHEMA, parts)).toEqual(whole)
      }),
    )
  })

  test('has the nulls and the NaN of any of them', () => {
    const none = { containsNull: false, containsNan: false }
    const of = (...given: (typeof none)[]) =>
      joinSummaries(
        DOUBLE_SPEC,
        SCHEMA,
        given.map((one) => [one]),
      )
    expect(of(none, { ...none, containsNull: true })).toEqual([{ ...none, containsNull: true }])
    expect(of({ ...none, containsNan: true }, none)).toEqual([{ ...none, containsNan: true }])
    expect(of(none, none)).toEqual([none])
  })
})

function boundOf(type: PrimitiveType, value: Value | undefined, zero: number) {
  if (value === undefined) return undefined
  const isFloat = type.kind === 'float' || type.kind === 'double'
  return encodeSingleValue(type, isFloat && value === 0 ? zero : value)
}

describe('describeManifest', () => {
  const describeEntries = (entries: Parameters<typeof describeManifest>[0]['entries']) =>
    describeManifest({
      path: 'file:///m.avro',
      lengthBytes: 77,
      entries,
      spec: DAY_SPEC,
      schema: SCHEMA,
      content: 'data',
      snapshotId: 5n,
      sequenceNumber: 9n,
    })

  test('counts files and rows by status, and sums the partitions up', () => {
    const existing = { ...addedFile(2), status: 'existing', sequenceNumber: 4n } as const
    const deleted = { ...addedFile(8), status: 'deleted', sequenceNumber: 1n } as const
    expect(describeEntries([addedFile(5), addedFile(null), existing, deleted])).toEqual({
      path: 'file:///m.avro',
      lengthBytes: 77,
      specId: 7,
      content: 'data',
      sequenceNumber: 9n,
      minSequenceNumber: 4n,
      addedSnapshotId: 5n,
      addedFilesCount: 2,
      existingFilesCount: 1,
      deletedFilesCount: 1,
      addedRowsCount: 20,
      existingRowsCount: 10,
      deletedRowsCount: 10,
      partitions: [
        {
          containsNull: true,
          containsNan: false,
          lowerBound: Uint8Array.of(2, 0, 0, 0),
          upperBound: Uint8Array.of(8, 0, 0, 0),
        },
      ],
    })
  })

  test('has its own sequence number for the least when nothing older is live', () => {
    expect(describeEntries([addedFile(5)]).minSequenceNumber).toBe(9n)
    const deleted = { ...addedFile(8), status: 'deleted', sequenceNumber: 1n } as const
    expect(describeEntries([deleted]).minSequenceNumber).toBe(9n)
  })
})
