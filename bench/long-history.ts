import { join } from 'node:path'
import { openSqliteCatalog } from '../src/catalog/sqlite/sqlite.ts'
import type { Snapshot } from '../src/core/table/snapshot.ts'
import { encodeManifestList } from '../src/formats/manifest/manifest-list.ts'
import { withDependencies } from './bench-home.ts'

/** Of the first snapshot; each of the others is a second later. */
export const HISTORY_START_MS = 1_600_000_000_000

/** Rows of the catalog as so many commits leave them, from `first` on; all of them share one manifest list. */
export async function fillHistory(
  home: string,
  {
    tableUuid,
    snapshots: count,
    first: start = 0,
  }: { readonly tableUuid: string; readonly snapshots: number; readonly first?: number },
): Promise<void> {
  const catalog = await openSqliteCatalog({ path: join(home, 'catalog.db') })
  let state = await catalog.tables.find({ tableUuid })
  const step = 1_000
  for (let first = start; first < count && state !== undefined; first += step) {
    const snapshots = Array.from({ length: Math.min(step, count - first) }, (_, i) =>
      historic(home, first + i),
    )
    const last = snapshots.at(-1) as Snapshot
    const changed = {
      ...state,
      version: state.version + 1,
      lastSequenceNumber: last.sequenceNumber,
      lastUpdatedMs: last.timestampMs,
      currentSnapshot: last,
    }
    await catalog.tables.commit({
      tables: [
        {
          expectedVersion: state.version,
          state: changed,
          newSnapshots: snapshots,
          newLogEntries: snapshots,
          addedPaths: [],
        },
      ],
      transactions: [],
    })
    state = changed
  }
  if (state !== undefined) {
    // An empty manifest list would not be a snapshot's: one that exists serves them all.
    await withDependencies(home, async (deps) => {
      const list = { manifests: [], snapshotId: 1n, parentSnapshotId: null, sequenceNumber: 1n }
      await deps.objects.putIfAbsent(listLocation(home), encodeManifestList(list))
    })
  }
  await catalog.close()
}

function listLocation(home: string): string {
  return `file://${home}/warehouse/shared-list.avro`
}

function historic(home: string, index: number): Snapshot {
  return {
    snapshotId: BigInt(index + 1),
    parentSnapshotId: index === 0 ? null : BigInt(index),
    sequenceNumber: BigInt(index + 1),
    timestampMs: HISTORY_START_MS + index * 1000,
    operation: 'append',
    summary: { 'added-data-files': '1', 'total-data-files': String(index + 1) },
    manifestList: listLocation(home),
    schemaId: 0,
  }
}
