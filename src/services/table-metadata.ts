import type { CatalogStore } from '../catalog/catalog-store.ts'
import { MAIN_BRANCH, type Snapshot, type SnapshotRef } from '../core/snapshot.ts'
import type { TableMetadata, TableState } from '../core/table.ts'

/** Iceberg, "Table behavior properties": how many earlier metadata files the log names. */
const METADATA_LOG_PROPERTY = 'write.metadata.previous-versions-max'
const METADATA_LOG_MAX = 100

/** A name that no file has: below the table's own location, as Iceberg's writers call theirs. */
export function newMetadataLocation(
  { definition, version }: Pick<TableState, 'definition' | 'version'>,
  uuid: string,
): string {
  const number = String(version).padStart(5, '0')
  return `${definition.location}/metadata/${number}-${uuid}.metadata.json`
}

/** Main included. */
export function refsOf({
  refs,
  currentSnapshot,
}: TableState): Readonly<Record<string, SnapshotRef>> {
  if (currentSnapshot === undefined) return refs
  const { snapshotId } = currentSnapshot
  return { ...refs, [MAIN_BRANCH]: { type: 'branch', snapshotId } }
}

/**
 * All that the metadata file of this version holds. Reads that follow the state may see later commits: sequence
 * numbers and times tell those apart. `undefined` when a later commit has removed what this version needs: then
 * the table has a newer one to look at.
 */
export async function collectMetadata(
  catalog: CatalogStore,
  state: TableState,
): Promise<TableMetadata | undefined> {
  const found = await catalog.listSnapshots(state.definition.tableUuid)
  const snapshots = found.filter((s) => s.sequenceNumber <= state.lastSequenceNumber)
  return metadataWith(catalog, state, snapshots)
}

/** The metadata with these snapshots only. `undefined` when a ref's snapshot is not among them. */
export async function metadataWith(
  catalog: CatalogStore,
  state: TableState,
  snapshots: readonly Snapshot[],
): Promise<TableMetadata | undefined> {
  const { tableUuid } = state.definition
  const refs = refsOf(state)
  const ids = new Set(snapshots.map(({ snapshotId }) => snapshotId))
  if (Object.values(refs).some(({ snapshotId }) => !ids.has(snapshotId))) return undefined
  const logMax = metadataLogMax(state)
  const [log, publications] = await Promise.all([
    catalog.listSnapshotLog(tableUuid),
    catalog.listPublications(tableUuid, logMax + 1),
  ])
  return {
    definition: state.definition,
    lastSequenceNumber: state.lastSequenceNumber,
    lastUpdatedMs: state.lastUpdatedMs,
    currentSnapshotId: state.currentSnapshot?.snapshotId,
    snapshots,
    snapshotLog: log.filter((entry) => entry.timestampMs <= state.lastUpdatedMs),
    metadataLog: publications
      .filter(({ version }) => version < state.version)
      .slice(0, logMax)
      .map((p) => ({ timestampMs: p.publishedAtMs, metadataFile: p.metadataLocation }))
      .reverse(),
    refs,
  }
}

function metadataLogMax({ definition }: TableState): number {
  const wanted = Number(definition.properties[METADATA_LOG_PROPERTY] ?? METADATA_LOG_MAX)
  return Number.isInteger(wanted)
    ? Math.min(Math.max(wanted, 1), METADATA_LOG_MAX)
    : METADATA_LOG_MAX
}
