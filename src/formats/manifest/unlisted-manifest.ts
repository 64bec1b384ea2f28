import type { ManifestEntry, ManifestFile } from '../../core/file/data-file.ts'
import { openAvroContainer } from '../avro/avro-container.ts'
import { corrupt } from '../corrupt.ts'
import { decodeManifestInTurns } from './manifest-reader.ts'
import { describeManifest } from './manifest-writer.ts'

/** Entries made between two turns: some tenths of a millisecond. */
const ENTRIES_PER_STEP = 512

/**
 * The entry for a manifest list of a manifest of data files that is in none, as snapshots of format
 * version 1 may name them (Iceberg spec, "Snapshots", `manifests`). Throws `metadata-corrupt`.
 */
export async function describeUnlisted(
  file: Uint8Array,
  { path, snapshotId }: { readonly path: string; readonly snapshotId: bigint },
  turn: () => Promise<void> | undefined,
): Promise<ManifestFile> {
  const specId = Number(openAvroContainer(file).metadata.get('partition-spec-id') ?? 0)
  if (!Number.isSafeInteger(specId)) throw corrupt('manifest without a readable partition spec id')
  const unknown: ManifestFile = {
    ...{ path, lengthBytes: file.length, specId, content: 'data' },
    // All numbers of format version 1 are 0.
    ...{ sequenceNumber: 0n, minSequenceNumber: 0n, addedSnapshotId: snapshotId },
    ...{ addedFilesCount: 0, existingFilesCount: 0, deletedFilesCount: 0 },
    ...{ addedRowsCount: 0, existingRowsCount: 0, deletedRowsCount: 0 },
  }
  const manifest = await decodeManifestInTurns(file, unknown, turn)
  const { spec, schema } = manifest
  if (schema === undefined) throw corrupt('manifest without a readable schema')
  const entries: ManifestEntry[] = []
  for (let i = 0; i < manifest.entryCount; i++) {
    if (i % ENTRIES_PER_STEP === 0) await turn()
    entries.push(manifest.entry(i, []))
  }
  const added = entries.find(({ status }) => status === 'added')?.snapshotId ?? snapshotId
  const numbers = { snapshotId: added, sequenceNumber: 0n, path, lengthBytes: file.length }
  return describeManifest({ entries, spec, schema, content: 'data', ...numbers })
}
