import avsc from 'avsc'
import fc from 'fast-check'
import type { ManifestFile } from '../../../src/core/file/data-file.ts'
import { readAvroContainer } from '../../../src/formats/avro/avro-container.ts'
import {
  encodeManifestList,
  readManifestList,
} from '../../../src/formats/manifest/manifest-list.ts'
import { manifestFile } from './manifest-samples.ts'

const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const rows = fc.nat({ max: Number.MAX_SAFE_INTEGER - 1 })
const summary = fc.record(
  {
    containsNull: fc.boolean(),
    containsNan: fc.boolean(),
    lowerBound: fc.uint8Array(),
    upperBound: fc.uint8Array(),
  },
  { requiredKeys: ['containsNull'] },
)

const manifests = fc.array(
  fc.record(
    {
      path: fc.string({ unit: 'grapheme' }),
      lengthBytes: rows,
      specId: fc.nat(),
      content: fc.constantFrom('data', 'deletes'),
      sequenceNumber: long,
      minSequenceNumber: long,
      addedSnapshotId: long,
      addedFilesCount: fc.nat(),
      existingFilesCount: fc.nat(),
      deletedFilesCount: fc.nat(),
      addedRowsCount: rows,
      existingRowsCount: rows,
      deletedRowsCount: rows,
      partitions: fc.array(summary, { maxLength: 3 }),
      keyMetadata: fc.uint8Array(),
    },
    { noNullPrototype: true },
  ) as fc.Arbitrary<ManifestFile>,
  { maxLength: 6 },
)

function encode(list: readonly ManifestFile[]): Uint8Array {
  const snapshotId = 2n ** 62n
  return encodeManifestList({
    manifests: list,
    snapshotId,
    parentSnapshotId: null,
    sequenceNumber: 5n,
  })
}

describe('a manifest list', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(manifests, (written) => {
        expect(readManifestList(encode(written))).toEqual(written)
      }),
    )
  })

  test('may lack partition summaries and key metadata', () => {
    expect(readManifestList(encode([manifestFile()]))).toEqual([manifestFile()])
    expect(readManifestList(encode([]))).toEqual([])
  })

  test('has the header that Iceberg in Java writes', () => {
    const { metadata } = readAvroContainer(encode([]))
    expect(metadata.get('snapshot-id')).toBe(String(2n ** 62n))
    expect(metadata.get('parent-snapshot-id')).toBe('null')
    expect(metadata.get('sequence-number')).toBe('5')
    expect(metadata.get('format-version')).toBe('2')
    expect(metadata.get('avro.schema')).toContain('"element-id":508')
  })

  test('is the same to avsc', async () => {
    const decoder = new avsc.streams.BlockDecoder()
    const written = manifestFile({ addedSnapshotId: 12n, partitions: [{ containsNull: true }] })
    decoder.end(encode([written]))
    const records: unknown[] = []
    for await (const record of decoder) records.push(record)
    expect(records[0]).toMatchObject({
      manifest_path: written.path,
      manifest_length: 1,
      partition_spec_id: 4,
      content: 0,
      sequence_number: 9,
      min_sequence_number: 9,
      added_snapshot_id: 12,
      added_files_count: 1,
      added_rows_count: 1,
      partitions: [
        { contains_null: true, contains_nan: null, lower_bound: null, upper_bound: null },
      ],
      key_metadata: null,
    })
  })
})
