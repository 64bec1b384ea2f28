import type { Stores } from '../../catalog/catalog.ts'
import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import type { ManifestFile } from '../../core/file/data-file.ts'
import type { TableChange } from '../../core/metadata/table-update.ts'
import { invalidUpdate } from '../../core/metadata/update-problem.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { TableState } from '../../core/table/table.ts'
import type { DecodedManifest } from '../../formats/manifest/manifest-reader.ts'
import { AllowedFiles } from '../../lake/file/allowed-files.ts'
import type { LakeServices } from '../../lake/lake.ts'

const LISTS_AT_ONCE = 4
const MANIFESTS_AT_ONCE = 16
/** Largest number of paths that one commit adds. */
const ADDED_PATHS_MAX = 1_000_000

type PathDependencies = Stores<'paths'> & Pick<LakeServices, 'manifests' | 'objects'>

/** What new snapshots name, and what their table is known to name already. */
interface Known {
  readonly tableUuid: string
  /** Manifests of the current snapshot. */
  readonly manifests: ReadonlySet<string>
  readonly allowed: AllowedFiles
  readonly specIds: ReadonlySet<number>
}

/**
 * Paths that new snapshots add to the table: their manifest lists, the manifests that it does not
 * have yet, and the files of those, in whichever snapshot they are said to be added: what no table
 * is known to name may be deleted. Throws `update-invalid` if one is missing or damaged or has a
 * partition spec that the table does not have, and `location-not-allowed` if a file is where none
 * may be read.
 */
export async function pathsOfNewSnapshots(
  deps: PathDependencies,
  {
    base,
    change,
  }: {
    readonly base: TableState
    readonly change: Pick<TableChange, 'state' | 'newSnapshots'>
  },
): Promise<readonly string[]> {
  const { newSnapshots: snapshots, state } = change
  if (snapshots.length === 0) return []
  const known = {
    specIds: new Set(state.definition.partitionSpecs.map(({ specId }) => specId)),
    tableUuid: base.definition.tableUuid,
    manifests: await currentManifests(deps, base),
    allowed: new AllowedFiles(deps.objects),
  }
  const ofSnapshots = await mapBounded(snapshots, LISTS_AT_ONCE, (s) =>
    pathsOfSnapshot(deps, s, known),
  )
  const paths = [...new Set(ofSnapshots.flat())]
  if (paths.length > ADDED_PATHS_MAX) throw tooManyPaths()
  return paths
}

/** Empty if the list cannot be read: then the catalog is asked. */
async function currentManifests(
  { manifests }: Pick<LakeServices, 'manifests'>,
  { currentSnapshot }: TableState,
): Promise<ReadonlySet<string>> {
  if (currentSnapshot === undefined) return new Set()
  try {
    const files = await manifests.getManifestList(currentSnapshot.manifestList)
    return new Set(files.map(({ path }) => path))
  } catch (error) {
    if (error instanceof CatalogError) return new Set()
    throw error
  }
}

async function pathsOfSnapshot(
  deps: PathDependencies,
  { snapshotId, manifestList }: Snapshot,
  known: Known,
): Promise<readonly string[]> {
  const listed = await readable(`manifest list ${manifestList}`, () =>
    deps.manifests.getManifestList(manifestList),
  )
  const unknown = listed.find(({ specId }) => !known.specIds.has(specId))
  if (unknown !== undefined) throw unknownSpec(snapshotId, unknown)
  const isOwn = ({ addedSnapshotId }: ManifestFile) => addedSnapshotId === snapshotId
  const others = listed.filter((file) => !isOwn(file) && !known.manifests.has(file.path))
  const otherPaths = others.map(({ path }) => path)
  const found = await deps.catalog.paths.findKnown(known.tableUuid, otherPaths)
  const added = [...listed.filter(isOwn), ...others.filter(({ path }) => !found.has(path))]
  const files = added.reduce((sum, manifest) => sum + manifest.addedFilesCount, 0)
  if (files > ADDED_PATHS_MAX) throw tooManyPaths()
  const ofManifests = await mapBounded(added, MANIFESTS_AT_ONCE, (m) => newFiles(deps, m, known))
  return [manifestList, ...added.map((manifest) => manifest.path), ...ofManifests.flat()]
}

/** What is said to exist already is that of the table, or new to it all the same. */
async function newFiles(
  deps: PathDependencies,
  file: ManifestFile,
  { tableUuid, allowed }: Known,
): Promise<readonly string[]> {
  const manifest = await readable(`manifest ${file.path}`, () => deps.manifests.getManifest(file))
  const { added, existing } = await readable(`manifest ${file.path}`, async () =>
    filesIn(manifest, allowed),
  )
  const found = await deps.catalog.paths.findKnown(tableUuid, existing)
  return [...added, ...existing.filter((path) => !found.has(path))]
}

function filesIn(
  manifest: DecodedManifest,
  allowed: AllowedFiles,
): Readonly<Record<'added' | 'existing', readonly string[]>> {
  const added: string[] = []
  const existing: string[] = []
  for (let i = 0; i < manifest.entryCount; i++) {
    if (!manifest.isLive(i)) continue
    const path = manifest.path(i)
    allowed.require(path)
    if (manifest.status(i) === 'added') added.push(path)
    else existing.push(path)
  }
  return { added, existing }
}

/**
 * A file of the client that cannot be read is the client's mistake; a location that is not allowed
 * stays that error.
 */
export async function readable<T>(what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    const isForbidden = cause instanceof CatalogError && cause.code === 'location-not-allowed'
    if (!(cause instanceof CatalogError) || isForbidden) throw cause
    const detail = `Cannot read ${what.slice(0, 1_000)}: ${cause.message}`
    throw new CatalogError('update-invalid', detail, { cause })
  }
}

function unknownSpec(snapshotId: bigint, { path, specId }: ManifestFile): CatalogError {
  const detail =
    `Cannot add snapshot ${snapshotId}: manifest ${path.slice(0, 1_000)} has the unknown ` +
    `partition spec ${specId}`
  return invalidUpdate(detail, { specId, snapshotId: String(snapshotId) })
}

function tooManyPaths(): CatalogError {
  const detail = `Too many files: a commit may add at most ${ADDED_PATHS_MAX}`
  return new CatalogError('update-invalid', detail, { facts: { filesMax: ADDED_PATHS_MAX } })
}
