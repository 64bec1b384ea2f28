import type { Catalog } from '../../catalog/catalog.ts'
import { metadataFolder } from '../../core/table/metadata-folder.ts'
import { MAIN_BRANCH, type SnapshotRef } from '../../core/table/snapshot.ts'
import type { TableState } from '../../core/table/table.ts'
import { metadataLogMax } from '../../core/table-properties.ts'
import { withMembers } from '../../formats/json/json-text.ts'
import {
  type MetadataFrame,
  tableMetadataFrame,
} from '../../formats/metadata/table-metadata-json.ts'

/** A name that no file has: in the table's own folder, as Iceberg's writers call theirs. */
export function newMetadataLocation(
  { definition, version }: Pick<TableState, 'definition' | 'version'>,
  uuid: string,
): string {
  const number = String(version).padStart(5, '0')
  return `${metadataFolder(definition)}/${number}-${uuid}.metadata.json`
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
 * Items of `snapshots` and `snapshot-log` in table metadata, separated by commas: JSON in UTF-8.
 */
export interface HistoryText {
  readonly snapshots: readonly Uint8Array[]
  readonly log: readonly Uint8Array[]
}

/** All of a metadata file but the snapshots and their log. */
export async function readFrame(
  catalog: Pick<Catalog, 'publications'>,
  state: TableState,
): Promise<MetadataFrame> {
  const logMax = metadataLogMax(state.definition.properties)
  const publications = await catalog.publications.list(state.definition.tableUuid, logMax + 2)
  // Renamings keep the file of an earlier version.
  const own = state.publishedVersion === state.version ? state.metadataLocation : undefined
  return tableMetadataFrame({
    definition: state.definition,
    lastSequenceNumber: state.lastSequenceNumber,
    lastUpdatedMs: state.lastUpdatedMs,
    currentSnapshotId: state.currentSnapshot?.snapshotId,
    metadataLog: publications
      .filter((p) => p.version < state.version && p.metadataLocation !== own)
      .slice(0, logMax)
      .map((p) => ({ timestampMs: p.publishedAtMs, metadataFile: p.metadataLocation }))
      .reverse(),
    refs: refsOf(state),
  })
}

/** Table metadata as JSON in UTF-8; `members` are added at its end. */
export function metadataPieces(
  { head, between, end }: MetadataFrame,
  { snapshots, log }: HistoryText,
  members: Readonly<Record<string, unknown>> = {},
): readonly Uint8Array[] {
  return [...head, ...snapshots, utf8(between), ...log, utf8(withMembers(end, members))]
}

function utf8(text: string): Uint8Array {
  return Buffer.from(text)
}
