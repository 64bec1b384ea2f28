import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import type { ManifestEntry } from '../../../src/core/file/data-file.ts'
import type { Value } from '../../../src/core/value/value.ts'
import { encodeManifestList } from '../../../src/formats/manifest/manifest-list.ts'
import { partitionColumns } from '../../../src/formats/manifest/manifest-schema.ts'
import { describeManifest, encodeManifest } from '../../../src/formats/manifest/manifest-writer.ts'
import { toPlainJson } from '../json/plain-json.ts'
import { addedFile, DAY_SPEC, manifestEntry, SCHEMA, WIDE_SPEC } from './manifest-samples.ts'

/** A Python that can import one of the modules; `TEST_PYTHON` names one that is tried first. */
function findPython(...modules: readonly string[]): string | undefined {
  const pythons = [process.env['TEST_PYTHON'], 'python3', '/usr/bin/python3']
  return pythons.find((python) =>
    modules.some(
      (name) => python !== undefined && spawnSync(python, ['-c', `import ${name}`]).status === 0,
    ),
  )
}

const READER = fileURLToPath(new URL('read-avro.py', import.meta.url))
const AVRO_PYTHON = findPython('fastavro', 'avro.datafile')
const ICEBERG_PYTHON = findPython('pyiceberg.manifest')

function readBack(python: string, ...args: readonly string[]): unknown {
  const run = spawnSync(python, [READER, ...args], { encoding: 'utf8', maxBuffer: 2 ** 28 })
  if (run.status !== 0) throw new Error(run.stderr)
  return JSON.parse(run.stdout)
}

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'moraine-avro-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const ENTRIES = fc.sample(manifestEntry, { numRuns: 300, seed: 7 })

const withAvro = AVRO_PYTHON === undefined ? test.skip : test
const withIceberg = ICEBERG_PYTHON === undefined ? test.skip : test

describe('what we write', () => {
  withAvro('as manifests has the same values to fastavro or avro in Python', () => {
    const path = join(folder, 'manifest.avro')
    const content = { schema: SCHEMA, spec: WIDE_SPEC, content: 'data' } as const
    writeFileSync(path, encodeManifest({ entries: ENTRIES, ...content }))
    const expected = ENTRIES.map((entry) => toPlainJson(avroRecord(entry)))
    expect(readBack(AVRO_PYTHON as string, path)).toEqual(sameFloats(expected))
  })

  withAvro('as manifest lists has the same values to fastavro or avro in Python', () => {
    const path = join(folder, 'list.avro')
    const manifest = describeWide(join(folder, 'manifest.avro'), 5)
    writeFileSync(path, encodeManifestList({ manifests: [manifest], ...SNAPSHOT }))
    const expected = {
      manifest_path: manifest.path,
      manifest_length: 5n,
      partition_spec_id: 4n,
      content: 0n,
      sequence_number: 9n,
      min_sequence_number: manifest.minSequenceNumber,
      added_snapshot_id: 2n ** 62n,
      added_files_count: BigInt(manifest.addedFilesCount),
      existing_files_count: BigInt(manifest.existingFilesCount),
      deleted_files_count: BigInt(manifest.deletedFilesCount),
      added_rows_count: BigInt(manifest.addedRowsCount),
      existing_rows_count: BigInt(manifest.existingRowsCount),
      deleted_rows_count: BigInt(manifest.deletedRowsCount),
      partitions: manifest.partitions?.map((summary) => ({
        contains_null: summary.containsNull,
        contains_nan: summary.containsNan,
        lower_bound: summary.lowerBound ?? null,
        upper_bound: summary.upperBound ?? null,
      })),
      key_metadata: null,
    }
    expect(readBack(AVRO_PYTHON as string, path)).toEqual([toPlainJson(expected)])
  })

  withIceberg('is read by PyIceberg, with inherited numbers', () => {
    const manifestPath = join(folder, 'days.avro')
    const listPath = join(folder, 'days-list.avro')
    const bounds = new Map([[1, Uint8Array.of(7)]])
    const entries = [addedFile(19000, { lowerBounds: bounds }), addedFile(null)]
    const content = { entries, schema: SCHEMA, spec: DAY_SPEC, content: 'data' } as const
    const bytes = encodeManifest(content)
    writeFileSync(manifestPath, bytes)
    const manifest = describeManifest({
      ...content,
      path: manifestPath,
      lengthBytes: bytes.length,
      snapshotId: 2n ** 62n,
      sequenceNumber: 9n,
    })
    writeFileSync(listPath, encodeManifestList({ manifests: [manifest], ...SNAPSHOT }))
    const common = {
      status: 'ADDED',
      snapshot_id: `${2n ** 62n}n`,
      sequence_number: '9n',
      rows: '10n',
    }
    expect(readBack(ICEBERG_PYTHON as string, '--iceberg', listPath)).toEqual([
      { ...common, path: entries[0]?.dataFile.path, partition: "['19000']", lower: { 1: '0x07' } },
      { ...common, path: entries[1]?.dataFile.path, partition: "['None']", lower: {} },
    ])
  })

  withIceberg('is read by PyIceberg, whatever the type of a partition', () => {
    // Names and statuses as they are; partition types that only PyIceberg refuses would fail here.
    const path = join(folder, 'wide.avro')
    const bytes = encodeManifest({
      entries: ENTRIES,
      schema: SCHEMA,
      spec: WIDE_SPEC,
      content: 'data',
    })
    writeFileSync(path, bytes)
    const listPath = join(folder, 'wide-list.avro')
    const manifests = [describeWide(path, bytes.length)]
    writeFileSync(listPath, encodeManifestList({ manifests, ...SNAPSHOT }))
    const read = readBack(ICEBERG_PYTHON as string, '--iceberg', listPath) as { path: string }[]
    expect(read.map((entry) => entry.path)).toEqual(ENTRIES.map((entry) => entry.dataFile.path))
  })
})

const SNAPSHOT = { snapshotId: 2n ** 62n, parentSnapshotId: 3n, sequenceNumber: 9n }

function describeWide(path: string, lengthBytes: number) {
  return describeManifest({
    path,
    lengthBytes,
    // Few enough that the rows add up below 2^53.
    entries: ENTRIES.map((entry) => ({
      ...entry,
      dataFile: { ...entry.dataFile, recordCount: 3 },
    })),
    schema: SCHEMA,
    spec: WIDE_SPEC,
    content: 'data',
    snapshotId: 2n ** 62n,
    sequenceNumber: 9n,
  })
}

/** The entry as an Avro record: the schema of the specification, spelled out once more. */
function avroRecord(entry: ManifestEntry): object {
  const { dataFile: file } = entry
  const pairs = (map: ReadonlyMap<number, number | Uint8Array> | undefined) =>
    map === undefined
      ? null
      : [...map].map(([key, value]) => ({
          key: BigInt(key),
          value: typeof value === 'number' ? BigInt(value) : value,
        }))
  const columns = partitionColumns(WIDE_SPEC, SCHEMA)
  return {
    status: BigInt(['existing', 'added', 'deleted'].indexOf(entry.status)),
    snapshot_id: entry.snapshotId,
    sequence_number: entry.sequenceNumber,
    file_sequence_number: entry.fileSequenceNumber,
    data_file: {
      content: BigInt(['data', 'position-deletes', 'equality-deletes'].indexOf(file.content)),
      file_path: file.path,
      file_format: file.format.toUpperCase(),
      partition: Object.fromEntries(
        columns.map(({ avroName, type }, i) => [
          avroName,
          partitionValue(type.kind, file.partition[i] ?? null, avroName),
        ]),
      ),
      record_count: BigInt(file.recordCount),
      file_size_in_bytes: BigInt(file.fileSizeBytes),
      column_sizes: pairs(file.columnSizes),
      value_counts: pairs(file.valueCounts),
      null_value_counts: pairs(file.nullValueCounts),
      nan_value_counts: pairs(file.nanValueCounts),
      lower_bounds: pairs(file.lowerBounds),
      upper_bounds: pairs(file.upperBounds),
      key_metadata: file.keyMetadata ?? null,
      split_offsets: file.splitOffsets?.map(BigInt) ?? null,
      equality_ids: file.equalityIds?.map(BigInt) ?? null,
      sort_order_id: file.sortOrderId === undefined ? null : BigInt(file.sortOrderId),
      referenced_data_file: file.referencedDataFile ?? null,
    },
  }
}

function partitionValue(kind: string, value: Value | null, name: string): unknown {
  if (value === null) return null
  if (kind === 'decimal') {
    const bytes = name === 'column_x2014' ? 4 : 16
    const unsigned = BigInt.asUintN(8 * bytes, value as bigint)
    return Buffer.from(unsigned.toString(16).padStart(2 * bytes, '0'), 'hex')
  }
  return kind === 'int' || kind === 'date' ? BigInt(value as number) : value
}

/**
 * JSON has neither NaN nor infinities: those are spelled as Python does. It has -0, which is kept.
 */
function sameFloats(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return { float: Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf' }
  }
  if (Array.isArray(value)) return value.map(sameFloats)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, sameFloats(part)]))
}
