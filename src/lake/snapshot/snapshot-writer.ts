import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import type { DataFile, ManifestEntry, ManifestFile } from '../../core/file/data-file.ts'
import { ENTRIES_PER_MANIFEST_MAX } from '../../core/limits.ts'
import type { Operation, Snapshot } from '../../core/table/snapshot.ts'
import { nextTimestampMs } from '../../core/table/snapshot-log.ts'
import type { TableState } from '../../core/table/table.ts'
import { snapshotIdOf } from '../../formats/metadata/snapshot-id.ts'
import { mergeManifests } from './merge-manifests.ts'
import { planMerges } from './plan-merges.ts'
import { type FileChange, type ResolvedChange, resolveChange } from './snapshot-change.ts'
import type { SnapshotDependencies } from './snapshot-dependencies.ts'
import { type CreatedManifest, createManifest, writeSnapshotFiles } from './snapshot-files.ts'
import { changeSummary, totalsOf } from './snapshot-summary.ts'

/** A snapshot whose files are written and which no catalog names yet. */
export interface PreparedSnapshot {
  readonly snapshot: Snapshot
  readonly added: readonly DataFile[]
  readonly removed: readonly DataFile[]
  /** Data files and metadata files that the table has not referenced before. */
  readonly addedPaths: readonly string[]
  /** To delete again when the commit is definitely refused. */
  readonly writtenLocations: readonly string[]
}

export interface SnapshotRequest {
  readonly change: FileChange
  /** Goes into the summary beside the counts. */
  readonly summary: Readonly<Record<string, string>>
}

/**
 * Writes the manifests, manifest list and snapshot file of one change to one table.
 * `undefined` when the change changes nothing.
 */
export async function writeSnapshot(
  deps: SnapshotDependencies,
  state: TableState,
  request: SnapshotRequest,
): Promise<PreparedSnapshot | undefined> {
  requireWritableVersion(state)
  const parent = state.currentSnapshot
  const manifests =
    parent === undefined ? [] : await deps.manifests.getManifestList(parent.manifestList)
  const resolved = await resolveChange(manifests, request.change, deps.manifests)
  const { added, removed } = resolved
  if (added.length === 0 && removed.length === 0) return undefined

  const totals = await totalsOf(parent, manifests, deps.manifests)
  const operation = operationOf(resolved)
  const snapshotId = await newSnapshotId(deps, state, { operation, added, removed })
  const snapshot = {
    snapshotId,
    parentSnapshotId: parent?.snapshotId ?? null,
    sequenceNumber: state.lastSequenceNumber + 1n,
    timestampMs: nextTimestampMs(deps.ambient.nowMs(), state.lastUpdatedMs),
    operation,
    summary: { ...changeSummary(totals, { added, removed }), ...request.summary },
    schemaId: state.definition.currentSchemaId,
  }
  const { created, list } = await arrangeManifests(deps, state, { resolved, snapshot })
  const written = await writeSnapshotFiles(deps, state, { snapshot, created, list })
  return {
    snapshot: written.snapshot,
    added,
    removed,
    addedPaths: [
      ...added.map((file) => file.path),
      ...created.map((manifest) => manifest.file.path),
      written.snapshot.manifestList,
    ],
    writtenLocations: written.locations,
  }
}

/** Row lineage, which version 3 asks of every writer, is not written here yet. */
export function requireWritableVersion({ definition }: TableState): void {
  if (definition.formatVersion <= 2) return
  throw new CatalogError(
    'not-implemented',
    `the table is of Iceberg format version ${definition.formatVersion}; here files are ` +
      'committed to versions 1 and 2: commit through the Iceberg REST API',
    { facts: { formatVersion: definition.formatVersion } },
  )
}

function operationOf({ added, removed }: ResolvedChange): Operation {
  if (removed.length === 0) return 'append'
  return added.length === 0 ? 'delete' : 'overwrite'
}

/**
 * A content hash; after a rollback the same change can come again, and then takes the next counter.
 */
async function newSnapshotId(
  deps: Stores<'snapshots'>,
  state: TableState,
  content: {
    readonly operation: Operation
    readonly added: readonly DataFile[]
    readonly removed: readonly DataFile[]
  },
): Promise<bigint> {
  const { tableUuid, currentSchemaId } = state.definition
  for (let counter = 0; ; counter++) {
    const snapshotId = snapshotIdOf({
      parentSnapshotId: state.currentSnapshot?.snapshotId ?? null,
      schemaId: currentSchemaId,
      ...content,
      counter,
    })
    if ((await deps.catalog.snapshots.find(tableUuid, snapshotId)) === undefined) return snapshotId
  }
}

interface Arranged {
  readonly created: readonly CreatedManifest[]
  /** The new manifest list, in order. */
  readonly list: readonly ManifestFile[]
}

async function arrangeManifests(
  deps: Pick<SnapshotDependencies, 'ambient' | 'manifests' | 'objects'>,
  state: TableState,
  {
    resolved,
    snapshot,
  }: {
    readonly resolved: ResolvedChange
    readonly snapshot: { readonly snapshotId: bigint; readonly sequenceNumber: bigint }
  },
): Promise<Arranged> {
  const create = (
    entries: readonly ManifestEntry[],
    like: Pick<ManifestFile, 'specId' | 'content'>,
  ) => createManifest(deps, state, { entries, like, snapshot })
  const created = addedEntries(resolved.added).map((entries) =>
    create(entries, { specId: specIdOf(entries), content: 'data' }),
  )
  created.push(...resolved.rewritten.map(({ source, entries }) => create(entries, source)))
  let kept = resolved.kept
  for (const group of planMerges(kept)) {
    created.push(await mergeManifests(deps, state, { group, snapshot }))
    kept = kept.filter((manifest) => !group.includes(manifest))
  }
  return { created, list: [...created.map((manifest) => manifest.file), ...kept] }
}

/** One group for each new manifest: of one partition spec, and of a bounded length. */
function addedEntries(added: readonly DataFile[]): ManifestEntry[][] {
  const groups: ManifestEntry[][] = []
  const openGroups = new Map<number, ManifestEntry[]>()
  for (const dataFile of added) {
    let group = openGroups.get(dataFile.specId)
    if (group === undefined || group.length === ENTRIES_PER_MANIFEST_MAX) {
      group = []
      groups.push(group)
      openGroups.set(dataFile.specId, group)
    }
    // Nulls are inherited from the manifest list, so that a manifest outlives a lost race.
    group.push({
      status: 'added',
      snapshotId: null,
      sequenceNumber: null,
      fileSequenceNumber: null,
      dataFile,
    })
  }
  return groups
}

function specIdOf(entries: readonly ManifestEntry[]): number {
  return (entries[0] as ManifestEntry).dataFile.specId
}
