import fc from 'fast-check'
import type { DataFile, ManifestEntry, ManifestFile } from '../../../src/core/file/data-file.ts'
import type { PartitionSpec } from '../../../src/core/partition/partition-spec.ts'
import { parseTransform } from '../../../src/core/partition/transform.ts'
import type { PrimitiveType, Schema } from '../../../src/core/value/type.ts'
import type { Value } from '../../../src/core/value/value.ts'
import { typeFromJson } from '../../../src/formats/metadata/schema-json.ts'

const COLUMN_TYPES = [
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'string',
  'uuid',
  'binary',
  'fixed[5]',
  'decimal(9, 2)',
  'decimal(38, 10)',
]

/** A column of every type that a partition may have: column n has field id n + 1. */
export const SCHEMA: Schema = {
  schemaId: 3,
  identifierFieldIds: [],
  fields: COLUMN_TYPES.map((name, i) => ({
    id: i + 1,
    name: `column ${i + 1}`,
    required: false,
    type: typeFromJson(name),
  })),
}

/**
 * The identity of every column, then transforms; names that Avro does not allow and names that
 * collide.
 */
export const WIDE_SPEC: PartitionSpec = {
  specId: 4,
  fields: [
    ...SCHEMA.fields.map(({ id, name }, i) => ({
      fieldId: 1000 + i,
      sourceId: id,
      name,
      transform: { kind: 'identity' } as const,
    })),
    ...['day', 'hour', 'bucket[16]', 'void'].map((text, i) => ({
      fieldId: 1100 + i,
      sourceId: 8,
      name: ['a-b', 'a_x2Db', 'größe', '1st'][i] as string,
      transform: parseTransform(text),
    })),
  ],
}

export const DAY_SPEC: PartitionSpec = {
  specId: 7,
  fields: [{ fieldId: 1000, sourceId: 8, name: 'ts_day', transform: { kind: 'day' } }],
}

const LONG = { min: -(2n ** 63n), max: 2n ** 63n - 1n }
const COUNT = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  // avsc stops one short of 2^53 - 1.
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1 }),
)

function bytesOf(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length })
}

export function valuesOf(type: PrimitiveType): fc.Arbitrary<Value> {
  switch (type.kind) {
    case 'boolean':
      return fc.boolean()
    case 'int':
    case 'date':
      return fc.integer()
    case 'float':
      return fc.float()
    case 'double':
      return fc.double()
    case 'string':
      return fc.string({ unit: 'grapheme' })
    case 'uuid':
      return bytesOf(16)
    case 'fixed':
      return bytesOf(type.length)
    case 'binary':
      return fc.uint8Array()
    case 'decimal': {
      const max = 10n ** BigInt(type.precision) - 1n
      return fc.bigInt({ min: -max, max })
    }
    default:
      return fc.bigInt(LONG)
  }
}

const INT: PrimitiveType = { kind: 'int' }

export const widePartition: fc.Arbitrary<readonly (Value | null)[]> = fc.tuple(
  ...SCHEMA.fields.map((field) => fc.option(valuesOf(field.type as PrimitiveType))),
  ...[0, 1, 2].map(() => fc.option(valuesOf(INT))),
  fc.constant(null),
)

const counts = fc.dictionary(fc.nat(300).map(String), COUNT, { maxKeys: 5 }).map(byId)
const bounds = fc
  .dictionary(fc.nat(300).map(String), fc.uint8Array({ maxLength: 20 }), { maxKeys: 5 })
  .map(byId)

function byId<T>(values: Record<string, T>): ReadonlyMap<number, T> {
  return new Map(Object.entries(values).map(([key, value]) => [Number(key), value]))
}

const optionalFields = fc.record(
  {
    columnSizes: counts,
    valueCounts: counts,
    nullValueCounts: counts,
    nanValueCounts: counts,
    lowerBounds: bounds,
    upperBounds: bounds,
    keyMetadata: fc.uint8Array(),
    splitOffsets: fc.array(COUNT, { maxLength: 4 }),
    equalityIds: fc.array(fc.nat(), { maxLength: 4 }),
    sortOrderId: fc.nat(),
    referencedDataFile: fc.string(),
  },
  { requiredKeys: [] },
)

export const dataFile: fc.Arbitrary<DataFile> = fc
  .tuple(
    fc.record({
      content: fc.constantFrom('data', 'position-deletes', 'equality-deletes'),
      path: fc.string({ unit: 'grapheme' }),
      format: fc.constantFrom('parquet', 'avro', 'orc'),
      specId: fc.constant(WIDE_SPEC.specId),
      partition: widePartition,
      recordCount: COUNT,
      fileSizeBytes: COUNT,
    }),
    optionalFields,
  )
  .map(([mandatory, optional]) => ({ ...mandatory, ...optional }) as DataFile)

/** With all numbers given, as in an entry that was read. */
export const manifestEntry: fc.Arbitrary<ManifestEntry> = fc.record({
  status: fc.constantFrom('existing', 'added', 'deleted'),
  snapshotId: fc.bigInt(LONG),
  sequenceNumber: fc.bigInt(LONG),
  fileSequenceNumber: fc.bigInt(LONG),
  dataFile,
})

export function manifestFile(part: Partial<ManifestFile> = {}): ManifestFile {
  return {
    path: 'file:///table/metadata/manifests/manifest-1.avro',
    lengthBytes: 1,
    specId: WIDE_SPEC.specId,
    content: 'data',
    sequenceNumber: 9n,
    minSequenceNumber: 9n,
    addedSnapshotId: 2n ** 62n + 1n,
    addedFilesCount: 1,
    existingFilesCount: 0,
    deletedFilesCount: 0,
    addedRowsCount: 1,
    existingRowsCount: 0,
    deletedRowsCount: 0,
    ...part,
  }
}

/** An added file of day `day`, with the numbers left to inherit. */
export function addedFile(day: number | null, part: Partial<DataFile> = {}): ManifestEntry {
  return {
    status: 'added',
    snapshotId: null,
    sequenceNumber: null,
    fileSequenceNumber: null,
    dataFile: {
      content: 'data',
      path: `file:///table/data/day-${day}.parquet`,
      format: 'parquet',
      specId: DAY_SPEC.specId,
      partition: [day],
      recordCount: 10,
      fileSizeBytes: 1000,
      ...part,
    },
  }
}
