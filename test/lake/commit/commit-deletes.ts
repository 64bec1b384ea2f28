import type { DataFile, ManifestEntry } from '../../../src/core/file/data-file.ts'
import { createManifest, writeSnapshotFiles } from '../../../src/lake/snapshot/snapshot-files.ts'
import { readTable } from '../../../src/modules/tables/tables.ts'
import type { Workshop } from '../workshop.ts'

/** A snapshot of delete files, as another writer adds them. */
export function commitDeletes(
  shop: Workshop,
  table: string,
  files: readonly DataFile[],
): Promise<void> {
  return commitForeign(shop, table, { content: 'deletes', files })
}

/** A snapshot of files, data or deletes, with whatever their writer says about them. */
export async function commitForeign(
  shop: Workshop,
  table: string,
  { content, files }: { readonly content: 'data' | 'deletes'; readonly files: readonly DataFile[] },
): Promise<void> {
  const { state } = await readTable(shop.deps, { table })
  const parent = state.currentSnapshot
  const numbers = {
    snapshotId: BigInt(1000 + state.version),
    sequenceNumber: state.lastSequenceNumber + 1n,
  }
  const entries = files.map(
    (dataFile): ManifestEntry => ({
      ...{
        status: 'added',
        snapshotId: null,
        sequenceNumber: null,
        fileSequenceNumber: null,
        dataFile,
      },
    }),
  )
  const isOfVersion3 = files.some((file) => file.format === 'puffin')
  const { definition } = state
  const writer = isOfVersion3
    ? { ...state, definition: { ...definition, formatVersion: 3 as const } }
    : state
  const created = await createManifest(shop.deps, writer, {
    entries,
    like: { specId: files[0]?.specId ?? 0, content },
    snapshot: numbers,
  })
  const kept =
    parent === undefined ? [] : await shop.deps.manifests.getManifestList(parent.manifestList)
  const timestampMs = state.lastUpdatedMs + 1
  const { snapshot } = await writeSnapshotFiles(shop.deps, state, {
    snapshot: {
      ...numbers,
      ...{
        parentSnapshotId: parent?.snapshotId ?? null,
        timestampMs,
        operation: content === 'data' ? 'append' : 'overwrite',
        schemaId: state.definition.currentSchemaId,
      },
      summary: content === 'data' ? {} : { 'total-delete-files': String(files.length) },
    },
    created: [created],
    list: [created.file, ...kept],
  })
  const outcome = await shop.deps.catalog.tables.commit({
    tables: [
      {
        expectedVersion: state.version,
        state: {
          ...state,
          ...{
            version: state.version + 1,
            currentSnapshot: snapshot,
            lastUpdatedMs: timestampMs,
          },
          lastSequenceNumber: numbers.sequenceNumber,
        },
        newSnapshots: [snapshot],
        newLogEntries: [{ timestampMs, snapshotId: snapshot.snapshotId }],
        addedPaths: [...files.map((file) => file.path), created.file.path, snapshot.manifestList],
      },
    ],
    transactions: [],
  })
  if (outcome.outcome !== 'committed') throw new Error(outcome.outcome)
}
