import fc from 'fast-check'
import type { DataFile } from '../../src/core/file/data-file.ts'

const bytes = fc.uint8Array({ maxLength: 20 })
const counts = fc
  .array(fc.tuple(fc.nat(), fc.maxSafeNat()), { maxLength: 4 })
  .map((entries) => new Map(entries))
const bounds = fc
  .array(fc.tuple(fc.nat(), bytes), { maxLength: 4 })
  .map((entries) => new Map(entries))
const text = fc.string({ unit: 'binary', maxLength: 20 })
const values = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.double(),
  fc.integer(),
  fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n }),
  text,
  bytes,
)

/** Any combination of absent and present fields, values at the ends of their ranges among them. */
export const dataFiles: fc.Arbitrary<DataFile> = fc.record(
  {
    content: fc.constantFrom('data', 'position-deletes', 'equality-deletes'),
    path: text,
    format: fc.constantFrom('parquet', 'avro', 'orc', 'puffin'),
    specId: fc.nat(),
    partition: fc.array(values, { maxLength: 4 }),
    recordCount: fc.maxSafeNat(),
    fileSizeBytes: fc.maxSafeNat(),
    columnSizes: counts,
    valueCounts: counts,
    nullValueCounts: counts,
    nanValueCounts: counts,
    lowerBounds: bounds,
    upperBounds: bounds,
    splitOffsets: fc.array(fc.maxSafeNat(), { maxLength: 3 }),
    equalityIds: fc.array(fc.nat(), { maxLength: 3 }),
    sortOrderId: fc.nat(),
    keyMetadata: bytes,
    referencedDataFile: text,
    contentOffset: fc.maxSafeNat(),
    contentSizeBytes: fc.maxSafeNat(),
    firstRowId: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  },
  {
    requiredKeys: [
      'content',
      'path',
      'format',
      'specId',
      'partition',
      'recordCount',
      'fileSizeBytes',
    ],
    noNullPrototype: true,
  },
)
