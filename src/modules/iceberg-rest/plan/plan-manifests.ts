import type { Stores } from '../../../catalog/catalog.ts'
import { CatalogError } from '../../../core/errors.ts'
import type { ManifestFile } from '../../../core/file/data-file.ts'
import type { Snapshot } from '../../../core/table/snapshot.ts'
import type { TableDefinition } from '../../../core/table/table.ts'
import type { DecodedManifest } from '../../../formats/manifest/manifest-reader.ts'
import type { LakeServices } from '../../../lake/lake.ts'
import { DeleteFileIndex } from '../../../lake/scan/delete-file-index.ts'
import { ANCESTRY_MAX } from './plan-limits.ts'
import { snapshotNotFound } from './plan-request.ts'
import type { ScanSpec } from './plan-token.ts'

/** The manifests of a scan. All immutable, so every request for the scan sees the same. */
export interface ScanManifests {
  readonly data: readonly ManifestFile[]
  isInScan(manifest: DecodedManifest, entry: number): boolean
  deletes(): Promise<DeleteFileIndex>
}

const NOTHING: ScanManifests = {
  data: [],
  isInScan: () => false,
  deletes: async () => new DeleteFileIndex(),
}

/** Throws `request-invalid` if the snapshot was expired in between. */
export async function manifestsOf(
  deps: Stores<'snapshots'> & Pick<LakeServices, 'manifests'>,
  definition: TableDefinition,
  { snapshotId, startSnapshotId }: ScanSpec,
): Promise<ScanManifests> {
  if (snapshotId === undefined) return NOTHING
  const snapshot = await getSnapshot(deps, definition, snapshotId)
  if (startSnapshotId !== undefined) {
    return appendedManifests(
      deps,
      await appendsBetween(deps, definition, snapshot, startSnapshotId),
    )
  }
  const manifests = await deps.manifests.getManifestList(snapshot.manifestList)
  return {
    data: manifests.filter(({ content }) => content === 'data'),
    isInScan: (manifest, entry) => manifest.isLive(entry),
    deletes: () => deleteIndexOf(deps, definition, manifests),
  }
}

async function getSnapshot(
  { catalog }: Stores<'snapshots'>,
  { tableUuid }: TableDefinition,
  snapshotId: bigint,
): Promise<Snapshot> {
  const snapshot = await catalog.snapshots.find(tableUuid, snapshotId)
  if (snapshot === undefined) throw snapshotNotFound(snapshotId)
  return snapshot
}

/**
 * Snapshots that only appended, newest first, without `start` itself, which may be expired. Those
 * of other operations are passed over, as Java's `IncrementalAppendScan` does, which its own REST
 * server plans with: neither what they add nor what they remove is in the scan.
 */
async function appendsBetween(
  deps: Stores<'snapshots'>,
  definition: TableDefinition,
  end: Snapshot,
  start: bigint,
): Promise<readonly Snapshot[]> {
  const appends: Snapshot[] = []
  let snapshot = end
  for (let steps = 0; snapshot.snapshotId !== start; steps++) {
    if (snapshot.operation === 'append') appends.push(snapshot)
    const parentId = snapshot.parentSnapshotId
    if (parentId === start) break
    const parent =
      parentId === null || steps >= ANCESTRY_MAX
        ? undefined
        : await deps.catalog.snapshots.find(definition.tableUuid, parentId)
    if (parent === undefined) throw notAnAncestor(start, end.snapshotId)
    snapshot = parent
  }
  return appends
}

function notAnAncestor(start: bigint, end: bigint): CatalogError {
  return new CatalogError(
    'request-invalid',
    `Starting snapshot (exclusive) ${start} is not a parent ancestor of end snapshot ${end}`,
  )
}

/**
 * Files are in the manifests written by their own snapshot; later merges only repeat them as
 * existing.
 */
async function appendedManifests(
  deps: Pick<LakeServices, 'manifests'>,
  appends: readonly Snapshot[],
): Promise<ScanManifests> {
  const ids = new Set(appends.map(({ snapshotId }) => snapshotId))
  const byPath = new Map<string, ManifestFile>()
  for (const { manifestList } of appends) {
    for (const file of await deps.manifests.getManifestList(manifestList)) {
      if (file.content === 'data' && ids.has(file.addedSnapshotId)) byPath.set(file.path, file)
    }
  }
  return {
    data: [...byPath.values()],
    isInScan(manifest, entry) {
      if (manifest.status(entry) !== 'added') return false
      const snapshotId = manifest.snapshotId(entry)
      return snapshotId !== null && ids.has(snapshotId)
    },
    // An incremental scan reads a file as it was appended, without later deletes.
    deletes: NOTHING.deletes,
  }
}

/** Indexes by manifest list, kept while that is cached: every page of a scan needs the same. */
const DELETE_INDEXES = new WeakMap<readonly ManifestFile[], Promise<DeleteFileIndex>>()

function deleteIndexOf(
  deps: Pick<LakeServices, 'manifests'>,
  { partitionSpecs }: TableDefinition,
  manifests: readonly ManifestFile[],
): Promise<DeleteFileIndex> {
  const known = DELETE_INDEXES.get(manifests)
  if (known !== undefined) return known
  const unpartitioned = partitionSpecs.filter((spec) =>
    spec.fields.every((field) => field.transform.kind === 'void'),
  )
  const loading = DeleteFileIndex.load(manifests, {
    cache: deps.manifests,
    unpartitionedSpecIds: new Set(unpartitioned.map((spec) => spec.specId)),
  })
  DELETE_INDEXES.set(manifests, loading)
  loading.catch(() => DELETE_INDEXES.delete(manifests))
  return loading
}
