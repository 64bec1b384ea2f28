import type { Catalog } from '../src/catalog/catalog.ts'
import type { Snapshot } from '../src/core/table/snapshot.ts'
import type { TableState } from '../src/core/table/table.ts'
import { encodeManifestList } from '../src/formats/manifest/manifest-list.ts'
import { withPlatform } from './bench-home.ts'

/** Time of the first snapshot; each of the others is a second later. */
export const HISTORY_START_MS = 1_600_000_000_000
/** Snapshots in one database transaction. */
const STEP = 1_000

/** Fills the catalog as this many commits would, from `first` on; all share one manifest list. */
export async function fillHistory(
  home: string,
  {
    tableUuid,
    snapshots: count,
    first: start = 0,
  }: { readonly tableUuid: string; readonly snapshots: number; readonly first?: number },
): Promise<void> {
  await withPlatform(home, async ({ catalog, objects }) => {
    let state = await catalog.tables.find({ tableUuid })
    if (state === undefined) return
    for (let first = start; first < count; first += STEP) {
      const length = Math.min(STEP, count - first)
      const snapshots = Array.from({ length }, (_, i) => historic(home, first + i))
      state = await addSnapshots(catalog, state, snapshots)
    }
    // Each manifest list must exist: all snapshots share this one, which lists nothing.
    const list = { manifests: [], snapshotId: 1n, parentSnapshotId: null, sequenceNumber: 1n }
    await objects.putIfAbsent(listLocation(home), encodeManifestList(list))
  })
}

async function addSnapshots(
  catalog: Catalog,
  state: TableState,
  snapshots: readonly Snapshot[],
): Promise<TableState> {
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
  return changed
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
