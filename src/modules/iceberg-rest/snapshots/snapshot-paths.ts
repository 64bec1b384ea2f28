import type { Stores } from '../../../catalog/catalog.ts'
import type { RequirePaths } from '../../../core/access/require-paths.ts'
import { mapBounded } from '../../../core/bounded.ts'
import { CatalogError } from '../../../core/errors.ts'
import { liveFilesCount, type ManifestFile } from '../../../core/file/data-file.ts'
import type { TableChange } from '../../../core/metadata/table-update.ts'
import { invalidUpdate } from '../../../core/metadata/update-problem.ts'
import type { PartitionSpec } from '../../../core/partition/partition-spec.ts'
import type { Snapshot } from '../../../core/table/snapshot.ts'
import type { TableDefinition, TableState } from '../../../core/table/table.ts'
import { isTurnDue, Turns } from '../../../core/turns.ts'
import type { DecodedManifest } from '../../../formats/manifest/manifest-reader.ts'
import { AllowedFiles } from '../../../lake/file/allowed-files.ts'
import type { LakeServices } from '../../../lake/lake.ts'
import { requireSpecOf } from './manifest-spec.ts'
import { requireOneSpelling } from './one-spelling.ts'
import { readable } from './readable.ts'
import { readingOfNew, requireUnconverted } from './unconverted-files.ts'

const LISTS_AT_ONCE = 4
const MANIFESTS_AT_ONCE = 16
/** Largest number of paths that one commit adds. */
const ADDED_PATHS_MAX = 1_000_000

type PathDependencies = Stores<'paths' | 'snapshots'> & Pick<LakeServices, 'manifests' | 'objects'>

/** Paths of new snapshots that may be deleted unless they are taken from deletion. */
export interface NewPaths {
  /** Those that the table does not know. */
  readonly added: readonly string[]
  /** Those that it knows: whether a snapshot named them all the time is not. */
  readonly again: readonly string[]
}

/** What new snapshots name, and what their table is known to name already. */
interface Known {
  readonly tableUuid: string
  /** Manifests of the current snapshot, and of those that the new ones follow. */
  readonly manifests: ReadonlySet<string>
  readonly allowed: AllowedFiles
  readonly requirePaths: RequirePaths
  readonly specs: ReadonlyMap<number, PartitionSpec>
  /** The table as a new snapshot is read. */
  readonly readAs: (snapshot: Snapshot) => TableDefinition
}

/**
 * Paths that new snapshots add to the table, or name again: their manifest lists, the manifests
 * that the snapshots before them do not have, and the files of those, in whichever snapshot they
 * are said to be added: what no table is known to name may be deleted, and so may what only removed
 * snapshots of the table named. Throws `update-invalid` if one is missing or damaged or has a
 * partition spec that the table does not have, or has otherwise, `location-not-allowed` if a file
 * is where none may be read, and `commit-conflict` if files lack a column that was converted since.
 */
export async function pathsOfNewSnapshots(
  deps: PathDependencies,
  {
    base,
    change,
    requirePaths,
  }: {
    readonly base: TableState
    readonly change: Pick<TableChange, 'state' | 'newSnapshots'>
    /** Asked before any of the files is read. */
    readonly requirePaths: RequirePaths
  },
): Promise<NewPaths> {
  const { newSnapshots: snapshots, state } = change
  if (snapshots.length === 0) return { added: [], again: [] }
  const known = {
    readAs: readingOfNew(base, state, snapshots),
    specs: new Map(state.definition.partitionSpecs.map((spec) => [spec.specId, spec])),
    tableUuid: base.definition.tableUuid,
    manifests: await manifestsBefore(deps, base, snapshots),
    allowed: new AllowedFiles(deps.objects),
    requirePaths: (paths: readonly string[]) => requirePaths(paths, state.definition.location),
  }
  const ofSnapshots = await mapBounded(snapshots, LISTS_AT_ONCE, (s) =>
    pathsOfSnapshot(deps, s, known),
  )
  const added = await distinct(ofSnapshots.map((paths) => paths.added))
  if (added.length > ADDED_PATHS_MAX) throw tooManyPaths()
  return { added, again: ofSnapshots.flatMap((paths) => paths.again) }
}

/** All paths of the lists, each once. */
async function distinct(lists: readonly (readonly string[])[]): Promise<readonly string[]> {
  const turns = new Turns()
  const paths = new Set<string>()
  for (const list of lists) {
    for (const [i, path] of list.entries()) {
      if (isTurnDue(i)) await turns.take()
      paths.add(path)
    }
  }
  return [...paths]
}

/**
 * Manifests that the table names until the commit, which fails if another removes their snapshot
 * first: so that their files are known and not being deleted.
 */
async function manifestsBefore(
  { catalog, manifests }: PathDependencies,
  { currentSnapshot, definition: { tableUuid } }: TableState,
  snapshots: readonly Snapshot[],
): Promise<ReadonlySet<string>> {
  const parentIds = new Set(snapshots.map(({ parentSnapshotId }) => parentSnapshotId))
  const others = [...parentIds].filter((id) => id !== null && id !== currentSnapshot?.snapshotId)
  const parents = await mapBounded(others, LISTS_AT_ONCE, (id) =>
    catalog.snapshots.find(tableUuid, id as bigint),
  )
  const lists = await mapBounded([currentSnapshot, ...parents], LISTS_AT_ONCE, (snapshot) =>
    manifestsOf(manifests, snapshot),
  )
  return new Set(lists.flat())
}

/** Empty if the list cannot be read: then the catalog is asked. */
async function manifestsOf(
  manifests: LakeServices['manifests'],
  snapshot: Snapshot | undefined,
): Promise<readonly string[]> {
  if (snapshot === undefined) return []
  try {
    return (await manifests.getManifestList(snapshot.manifestList)).map(({ path }) => path)
  } catch (error) {
    if (error instanceof CatalogError) return []
    throw error
  }
}

async function pathsOfSnapshot(
  deps: PathDependencies,
  snapshot: Snapshot,
  known: Known,
): Promise<NewPaths> {
  const { snapshotId, manifestList } = snapshot
  await known.requirePaths([manifestList])
  const listed = await readable(`manifest list ${manifestList}`, () =>
    deps.manifests.getManifestList(manifestList),
  )
  const unknown = listed.find(({ specId }) => !known.specs.has(specId))
  if (unknown !== undefined) throw unknownSpec(snapshotId, unknown)
  const isOwn = ({ addedSnapshotId }: ManifestFile) => addedSnapshotId === snapshotId
  const others = listed.filter((file) => !isOwn(file) && !known.manifests.has(file.path))
  const otherPaths = others.map(({ path }) => path)
  const found = await deps.catalog.paths.findKnown(known.tableUuid, otherPaths)
  const read = [...listed.filter(isOwn), ...others]
  const files = read.reduce((sum, manifest) => sum + manifest.addedFilesCount, 0)
  if (files > ADDED_PATHS_MAX) throw tooManyPaths()
  const paths = read.map(({ path }) => path)
  const added = paths.filter((path) => !found.has(path))
  // What a table may have named for all that is known is not what it has named.
  const own = await deps.catalog.paths.findRecorded(known.tableUuid, [...found])
  await known.requirePaths(paths.filter((path) => !own.has(path)))
  const readAs = known.readAs(snapshot)
  const ofManifests = await mapBounded(read, MANIFESTS_AT_ONCE, (m) =>
    newFiles(deps, m, { ...known, readAs: isOwn(m) ? readAs : undefined }),
  )
  const { tableUuid } = known
  const dataFiles = ofManifests.flatMap(({ dataFiles }) => dataFiles)
  await requireOneSpelling(deps, { tableUuid, listed, added: dataFiles })
  return {
    added: [manifestList, ...added, ...ofManifests.flatMap((paths) => paths.added)],
    again: [...found, ...ofManifests.flatMap((paths) => paths.again)],
  }
}

interface NewFiles extends NewPaths {
  /** Data files that are said to be added. */
  readonly dataFiles: readonly string[]
}

/** What is said to exist already the table knows, or it is new to it all the same. */
async function newFiles(
  deps: PathDependencies,
  file: ManifestFile,
  {
    tableUuid,
    allowed,
    specs,
    readAs,
  }: Pick<Known, 'allowed' | 'specs' | 'tableUuid'> & {
    /** Where the manifest is the snapshot's own. */
    readonly readAs: TableDefinition | undefined
  },
): Promise<NewFiles> {
  const manifest = await readable(`manifest ${file.path}`, () => deps.manifests.getManifest(file))
  requireSpecOf(specs, file, manifest)
  const { added, existing } = await readable(`manifest ${file.path}`, () =>
    filesIn(manifest, allowed),
  )
  if (readAs !== undefined && added.length > 0) requireUnconverted(readAs, file, manifest)
  if (liveFilesCount(file) === 0 && added.length + existing.length > 0) throw calledEmpty(file)
  const found = await deps.catalog.paths.findKnown(tableUuid, existing)
  return {
    added: [...added, ...existing.filter((path) => !found.has(path))],
    again: [...found],
    dataFiles: file.content === 'data' ? added : [],
  }
}

async function filesIn(
  manifest: DecodedManifest,
  allowed: AllowedFiles,
): Promise<Readonly<Record<'added' | 'existing', readonly string[]>>> {
  const turns = new Turns()
  const added: string[] = []
  const existing: string[] = []
  for (let i = 0; i < manifest.entryCount; i++) {
    if (isTurnDue(i)) await turns.take()
    if (!manifest.isLive(i)) continue
    const path = manifest.path(i)
    allowed.require(path)
    if (manifest.status(i) === 'added') added.push(path)
    else existing.push(path)
  }
  return { added, existing }
}

function unknownSpec(snapshotId: bigint, { path, specId }: ManifestFile): CatalogError {
  const detail =
    `Cannot add snapshot ${snapshotId}: manifest ${path.slice(0, 1_000)} has the unknown ` +
    `partition spec ${specId}`
  return invalidUpdate(detail, { specId, snapshotId: String(snapshotId) })
}

/** No scan would read it, and the next commit would leave it out. */
function calledEmpty({ path }: ManifestFile): CatalogError {
  const detail =
    `Manifest ${path.slice(0, 1_000)} has live files, but the manifest list says that it ` +
    'has no live files: write its counts into the list'
  return invalidUpdate(detail, { location: path })
}

function tooManyPaths(): CatalogError {
  const detail = `Too many files: a commit may add at most ${ADDED_PATHS_MAX}`
  return new CatalogError('update-invalid', detail, { facts: { filesMax: ADDED_PATHS_MAX } })
}
