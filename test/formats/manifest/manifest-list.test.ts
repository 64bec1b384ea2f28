import { deflateRawSync } from 'node:zlib'
import avsc from 'avsc'
import fc from 'fast-check'
import type { ManifestFile } from '../../../src/core/file/data-file.ts'
import { readAvroContainer, writeAvroContainer } from '../../../src/formats/avro/avro-container.ts'
import {
  encodeManifestList,
  readManifestList,
  readManifestListInTurns,
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
  test('has row ids in version 3 alone, which it has with the snapshot’s', () => {
    const list = [manifestFile({ firstRowId: 2n ** 60n }), manifestFile({ path: 'file:///d/n' })]
    const snapshot = { snapshotId: 7n, parentSnapshotId: 6n, sequenceNumber: 5n }
    const bytes = encodeManifestList({ manifests: list, ...snapshot, firstRowId: 40n })
    expect(readManifestList(bytes)).toEqual(list)
    const { metadata } = readAvroContainer(bytes)
    expect([metadata.get('format-version'), metadata.get('first-row-id')]).toEqual(['3', '40'])
    const before = encodeManifestList({ manifests: list, ...snapshot })
    expect(readManifestList(before).map(({ firstRowId }) => firstRowId)).toEqual([
      ...[undefined, undefined],
    ])
  })

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

const LINES_PER_BLOCK = 10_000

/** A list of so many lines of four bytes, each a list of so many partition summaries if any. */
function bomb(count: number, summariesPerLine?: number): Uint8Array {
  const fields = [
    { name: 'p', type: 'string', 'field-id': 500 },
    { name: 'l', type: 'long', 'field-id': 501 },
    { name: 's', type: 'int', 'field-id': 502 },
    { name: 'a', type: 'long', 'field-id': 503 },
  ]
  const summaryFields = [{ name: 'n', type: 'boolean', 'field-id': 509 }]
  const items = { type: 'record', name: 'r508', fields: summaryFields }
  const partitions = { name: 'f', type: { type: 'array', items }, 'field-id': 507 }
  const all = summariesPerLine === undefined ? fields : [...fields, partitions]
  const line = Buffer.alloc(4 + (summariesPerLine === undefined ? 0 : 4 + summariesPerLine))
  if (summariesPerLine !== undefined) {
    // A count as a varint of three bytes.
    const zigzag = 2 * summariesPerLine
    line.set([(zigzag & 127) | 128, ((zigzag >> 7) & 127) | 128, zigzag >> 14], 4)
  }
  const schemaText = JSON.stringify({ type: 'record', name: 'manifest_file', fields: all })
  const codec = { encode: () => 0 }
  // Our own writer makes no blocks that inflate so far.
  const storedBlocks = Array.from({ length: Math.ceil(count / LINES_PER_BLOCK) }, (_, i) => {
    const lines = Math.min(LINES_PER_BLOCK, count - i * LINES_PER_BLOCK)
    return { count: lines, body: deflateRawSync(Buffer.concat(Array(lines).fill(line))) }
  })
  return writeAvroContainer({ schemaText, metadata: {}, codec, records: [], storedBlocks })
}

const never = (): undefined => undefined

describe('a manifest list of many lines', () => {
  test('is read to 100,000 manifests, with turns for others', async () => {
    const written = Array.from({ length: 100_000 }, (_, i) =>
      manifestFile({
        path: `s3://bucket/warehouse/table/metadata/6f1c2a1e-5c0b-4d43-${i}-m0.avro`,
        partitions: [
          { containsNull: false, lowerBound: Buffer.of(i & 255), upperBound: Buffer.of(9) },
        ],
      }),
    )
    let turns = 0
    const { manifests: found } = await readManifestListInTurns(encode(written), () => {
      turns++
      return undefined
    })
    expect(found).toHaveLength(100_000)
    expect(found.at(-1)?.path).toBe(written.at(-1)?.path)
    expect(turns).toBeGreaterThan(1_000)
  })

  test.each<[string, Uint8Array, string]>([
    ['lines than may be', bomb(200_001), 'of 200001 manifests: at most 200000'],
    ['partition summaries of one line', bomb(1, 10_001), 'array of more than 10000'],
    ['partition summaries of all lines', bomb(205, 10_000), '2000000 partition summaries'],
  ])('with more %s is refused', async (_what, file, reason) => {
    expect(file.length).toBeLessThan(40_000)
    expect(() => readManifestList(file)).toThrow(reason)
    await expect(readManifestListInTurns(file, never)).rejects.toThrow(reason)
  })

  test('is refused by what its blocks say, before any is inflated', () => {
    const file = Buffer.from(bomb(200_001))
    // The first block's body is damaged.
    const at = file.indexOf(file.subarray(-16)) + 24
    file.fill(0xff, at, at + 20)
    expect(() => readManifestList(file)).toThrow('at most 200000')
  })
})
