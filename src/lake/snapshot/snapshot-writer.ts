import type { Stores } from '../../catalog/catalog.ts'
import type { Footers } from '../../catalog/table-store.ts'
import type { AddedFile, DataFile, ManifestEntry, ManifestFile } from '../../core/file/data-file.ts'
import { ENTRIES_PER_MANIFEST_MAX } from '../../core/limits.ts'
import type { Operation, Snapshot } from '../../core/table/snapshot.ts'
import { nextTimestampMs } from '../../core/table/snapshot-log.ts'
import type { TableState } from '../../core/table/table.ts'
import { snapshotIdOf } from '../../formats/metadata/snapshot-id.ts'
import { requireWritable } from '../table/writable-table.ts'
import { mergeManifests } from './merge-manifests.ts'
import { planMerges } from './plan-merges.ts'
import { giveRowIds } from './row-ids.ts'
import { type FileChange, type ResolvedChange, resolveChange } from './snapshot-change.ts'
import type { SnapshotDependencies } from './snapshot-dependencies.ts'
import {
  type CreatedManifest,
  createManifest,
  type SnapshotNumbers,
  writeSnapshotFiles,
} from './snapshot-files.ts'
import { changeSummary, totalsOf } from './snapshot-summary.ts'

/** A snapshot whose files are written and which no catalog names yet. */
export interface PreparedSnapshot {
  readonly snapshot: Snapshot
  readonly added: readonly DataFile[]
  readonly removed: readonly DataFile[]
  /** Data files and metadata files that the table has not referenced before. */
  readonly addedPaths: readonly string[]
  /** Those of added data files, as far as they were read. */
  readonly footers: Footers
  /** To delete again when the commit is definitely refused; those of `own` among them. */
  readonly writtenLocations: readonly string[]
  readonly own: OwnManifests
}

/** Manifests of the files that a change adds, in its order: they hold whatever the parent is. */
export interface OwnManifests {
  readonly added: readonly DataFile[]
  readonly created: readonly CreatedManifest[]
}

export interface SnapshotRequest {
  /** Written already; used if it is of the very files that are added. */
  readonly spare?: OwnManifests | undefined
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
  requireWritable(state)
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
  const { spare } = request
  const { own, others } = await arrangeManifests(deps, state, { resolved, snapshot, spare })
  const isWritten = own.added === spare?.added
  const created = [...own.created, ...others.created]
  const files = { created: created.map((manifest) => manifest.file), kept: others.kept }
  const { list, taken } = await giveRowIds(state.definition, files, deps.manifests)
  const written = await writeSnapshotFiles(deps, state, {
    snapshot: { ...snapshot, ...taken },
    created: isWritten ? others.created : created,
    list,
  })
  return {
    snapshot: written.snapshot,
    added,
    removed,
    addedPaths: [
      ...added.map((file) => file.path),
      ...created.map((manifest) => manifest.file.path),
      written.snapshot.manifestList,
    ],
    footers: footersOf(added),
    writtenLocations: isWritten
      ? [...own.created.map(({ file }) => file.path), ...written.locations]
      : written.locations,
    own,
  }
}

function footersOf(added: readonly AddedFile[]): Footers {
  const footers = new Map<string, string>()
  for (const { path, footerSha256 } of added) {
    if (footerSha256 !== undefined) footers.set(path, footerSha256)
  }
  return footers
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
    const snapshotId = await snapshotIdOf({
      tableUuid,
      parentSnapshotId: state.currentSnapshot?.snapshotId ?? null,
      schemaId: currentSchemaId,
      ...content,
      counter,
    })
    if ((await deps.catalog.snapshots.find(tableUuid, snapshotId)) === undefined) return snapshotId
  }
}

/** The new manifest list is of these, in this order. */
interface Arranged {
  readonly own: OwnManifests
  readonly others: {
    readonly created: readonly CreatedManifest[]
    readonly kept: readonly ManifestFile[]
  }
}

async function arrangeManifests(
  deps: Pick<SnapshotDependencies, 'ambient' | 'manifests' | 'objects'>,
  state: TableState,
  {
    resolved,
    snapshot,
    spare,
  }: {
    readonly resolved: ResolvedChange
    readonly snapshot: SnapshotNumbers
    readonly spare: OwnManifests | undefined
  },
): Promise<Arranged> {
  const create = (
    entries: readonly ManifestEntry[],
    like: Pick<ManifestFile, 'specId' | 'content'>,
  ) => createManifest(deps, state, { entries, like, snapshot })
  const own = renumbered(spare, resolved.added, snapshot) ?? {
    added: resolved.added,
    created: await oneByOne(addedEntries(resolved.added), (entries) =>
      create(entries, { specId: specIdOf(entries), content: 'data' }),
    ),
  }
  const created = await oneByOne(resolved.rewritten, ({ source, entries }) =>
    create(entries, source),
  )
  let kept = resolved.kept
  for (const group of planMerges(kept)) {
    const merge = await mergeManifests(deps, state, { group, snapshot })
    if (merge === undefined) continue
    created.push(merge.created)
    kept = kept.filter((file) => !group.includes(file) || merge.left.includes(file))
  }
  return { own, others: { created, kept } }
}

/** One after the other, as each takes memory. */
async function oneByOne<Item, Made>(
  items: readonly Item[],
  make: (item: Item) => Promise<Made>,
): Promise<Made[]> {
  const made: Made[] = []
  for (const item of items) made.push(await make(item))
  return made
}

/** `undefined` unless they are of these very files, in the order of the commit. */
function renumbered(
  spare: OwnManifests | undefined,
  added: readonly DataFile[],
  { snapshotId, sequenceNumber }: SnapshotNumbers,
): OwnManifests | undefined {
  const isSame = spare?.added.length === added.length && spare.added.every((f, i) => f === added[i])
  if (spare === undefined || !isSame) return undefined
  const numbers = { addedSnapshotId: snapshotId, sequenceNumber, minSequenceNumber: sequenceNumber }
  const created = spare.created.map(({ file, bytes }) => ({ file: { ...file, ...numbers }, bytes }))
  return { added: spare.added, created }
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
