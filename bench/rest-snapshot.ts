import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encodeManifestList } from '../src/formats/manifest/manifest-list.ts'
import { describeManifest, encodeManifest } from '../src/formats/manifest/manifest-writer.ts'
import { schemaFromJson } from '../src/formats/metadata/schema-json.ts'
import type { Answer } from './client.ts'

/**
 * Writes what an engine writes before it commits an append of one file: a manifest and a manifest
 * list.
 */
export function writeBenchSnapshot(metadata: Answer, snapshotId: bigint): Record<string, unknown> {
  const folder = `${metadata.location}/metadata`
  const sequenceNumber = BigInt(metadata['last-sequence-number']) + 1n
  const parent = currentSnapshotIdOf(metadata)
  const name = `${snapshotId}-${process.hrtime.bigint()}`
  const common = {
    entries: [
      {
        status: 'added' as const,
        ...{ snapshotId: null, sequenceNumber: null, fileSequenceNumber: null },
        dataFile: {
          ...{ content: 'data' as const, path: `${metadata.location}/data/${name}.parquet` },
          ...{ format: 'parquet' as const, specId: 0, partition: [] },
          ...{ recordCount: 1000, fileSizeBytes: 100_000 },
        },
      },
    ],
    schema: schemaFromJson(metadata.schemas[0]),
    spec: { specId: 0, fields: [] },
    content: 'data' as const,
  }
  const bytes = encodeManifest(common)
  const path = `${folder}/${name}-m0.avro`
  const manifestList = `${folder}/snap-${name}.avro`
  const numbers = { snapshotId, sequenceNumber, path, lengthBytes: bytes.length }
  const manifests = [describeManifest({ ...common, ...numbers })]
  put(path, bytes)
  const parentSnapshotId = parent === null ? null : BigInt(parent)
  put(manifestList, encodeManifestList({ manifests, snapshotId, parentSnapshotId, sequenceNumber }))
  return {
    'snapshot-id': snapshotId,
    ...(parent !== null && { 'parent-snapshot-id': parent }),
    'sequence-number': sequenceNumber,
    'timestamp-ms': Date.now(),
    'manifest-list': manifestList,
    summary: { operation: 'append', 'added-data-files': '1' },
    'schema-id': 0,
  }
}

/** Java writes -1 as the `current-snapshot-id` of a table without one. */
export function currentSnapshotIdOf(metadata: Answer): bigint | number | null {
  return metadata.refs?.main?.['snapshot-id'] ?? null
}

function put(location: string, bytes: Uint8Array): void {
  const path = fileURLToPath(location)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, bytes)
}
