import { mkdir, writeFile } from 'node:fs/promises'
import type { ManifestEntry, ManifestFile } from '../../../../src/core/file/data-file.ts'
import { encodeManifestList } from '../../../../src/formats/manifest/manifest-list.ts'
import {
  describeManifest,
  encodeManifest,
} from '../../../../src/formats/manifest/manifest-writer.ts'
import { schemaFromJson } from '../../../../src/formats/metadata/schema-json.ts'
import type { Json } from './rest-client.ts'

const UNPARTITIONED = { specId: 0, fields: [] }

export interface WrittenSnapshot {
  /** As a client sends it. */
  readonly json: Record<string, unknown>
  /** All manifests of the snapshot. */
  readonly manifests: readonly ManifestFile[]
}

/**
 * Writes the manifest and manifest list of an append, as an engine does: beside the catalog,
 * straight to the store.
 */
export async function writeAppend(
  metadata: Json,
  {
    snapshotId,
    files,
    before = [],
    parent = metadata['current-snapshot-id'] ?? null,
    status = 'added',
    putFile = put,
  }: {
    readonly snapshotId: bigint
    readonly files: readonly string[]
    /** Manifests of the snapshot before. */
    readonly before?: readonly ManifestFile[]
    readonly parent?: bigint | number | null
    /** What the manifest says of the files. */
    readonly status?: 'added' | 'existing'
    /** Writes elsewhere than to folders. */
    readonly putFile?: (location: string, bytes: Uint8Array) => Promise<unknown>
  },
): Promise<WrittenSnapshot> {
  const folder = `${metadata.location}/metadata`
  const sequenceNumber = BigInt(metadata['last-sequence-number']) + 1n
  const schema = schemaFromJson(metadata.schemas[0])
  const common = {
    entries: files.map((file) => entryOf(file, status)),
    schema,
    spec: UNPARTITIONED,
    content: 'data' as const,
  }
  const bytes = encodeManifest(common)
  const path = `${folder}/${snapshotId}-m0.avro`
  const numbers = { snapshotId, sequenceNumber, path, lengthBytes: bytes.length }
  const manifests = [describeManifest({ ...common, ...numbers }), ...before]
  const manifestList = `${folder}/snap-${snapshotId}.avro`
  const parentSnapshotId = parent === null ? null : BigInt(parent)
  await putFile(path, bytes)
  await putFile(
    manifestList,
    encodeManifestList({ manifests, snapshotId, parentSnapshotId, sequenceNumber }),
  )
  const json = {
    'snapshot-id': snapshotId,
    ...(parent !== null && { 'parent-snapshot-id': parent }),
    'sequence-number': sequenceNumber,
    'timestamp-ms': Number(metadata['last-updated-ms']) + 1,
    'manifest-list': manifestList,
    summary: { operation: 'append' },
    'schema-id': 0,
  }
  return { json, manifests }
}

/** The commit of an append to a branch, as engines send it. */
export function appendCommit(
  metadata: Json,
  snapshot: Record<string, unknown>,
  branch = 'main',
): Json {
  const before = metadata.refs[branch]?.['snapshot-id'] ?? null
  return {
    requirements: [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      { type: 'assert-ref-snapshot-id', ref: branch, 'snapshot-id': before },
    ],
    updates: [
      { action: 'add-snapshot', snapshot },
      {
        action: 'set-snapshot-ref',
        'ref-name': branch,
        type: 'branch',
        'snapshot-id': snapshot['snapshot-id'],
      },
    ],
  }
}

/** Beside the manifests, of an invented file. */
function entryOf(path: string, status: 'added' | 'existing'): ManifestEntry {
  const numbers =
    status === 'added'
      ? { snapshotId: null, sequenceNumber: null, fileSequenceNumber: null }
      : { snapshotId: 1n, sequenceNumber: 1n, fileSequenceNumber: 1n }
  return {
    status,
    ...numbers,
    dataFile: {
      content: 'data',
      path,
      format: 'parquet',
      specId: 0,
      partition: [],
      recordCount: 1,
      fileSizeBytes: 100,
    },
  }
}

async function put(location: string, bytes: Uint8Array): Promise<void> {
  const path = location.replace(/^file:(?:\/\/)?/, '')
  await mkdir(path.slice(0, path.lastIndexOf('/')), { recursive: true })
  await writeFile(path, bytes)
}
