import type { RequirePaths } from '../../../core/access/require-paths.ts'
import { mapBounded } from '../../../core/bounded.ts'
import { CatalogError } from '../../../core/errors.ts'
import type { ManifestFile } from '../../../core/file/data-file.ts'
import type { Snapshot } from '../../../core/table/snapshot.ts'
import type { TableState } from '../../../core/table/table.ts'
import { isTurnDue, Turns } from '../../../core/turns.ts'
import { AllowedFiles } from '../../../lake/file/allowed-files.ts'
import type { LakeServices } from '../../../lake/lake.ts'
import { refsOf } from '../../../lake/publish/metadata-pieces.ts'
import { requireSpecOf } from './manifest-spec.ts'
import { readable } from './readable.ts'

const LISTS_AT_ONCE = 8
const MANIFESTS_AT_ONCE = 16
const PATHS_MAX = 5_000_000
const SHOWN_LENGTH_MAX = 200

/**
 * Every path referenced by the snapshots of an imported table. Snapshots of branches and tags must
 * be complete; files of older ones may have been deleted. All must be where files may be read:
 * throws `location-not-allowed`, or `location-invalid` of what no store here can hold.
 */
export async function pathsOfImported(
  deps: Pick<LakeServices, 'objects'> & {
    readonly requirePaths: RequirePaths
    readonly manifests: Pick<LakeServices['manifests'], 'getManifest' | 'getManifestList'>
  },
  state: TableState,
  snapshots: readonly Snapshot[],
): Promise<readonly string[]> {
  const current = new Set(Object.values(refsOf(state)).map(({ snapshotId }) => snapshotId))
  const paths = new Set<string>()
  const allowed = new AllowedFiles(deps.objects)
  const specs = new Map(state.definition.partitionSpecs.map((spec) => [spec.specId, spec]))
  const manifests = new Map<string, { file: ManifestFile; isCurrent: boolean }>()
  await mapBounded(snapshots, LISTS_AT_ONCE, async ({ snapshotId, manifestList }) => {
    requireReachable(allowed, manifestList)
    add(paths, manifestList)
    const isCurrent = current.has(snapshotId)
    const files = await readOr(isCurrent, `manifest list ${manifestList}`, () =>
      deps.manifests.getManifestList(manifestList),
    )
    for (const file of files ?? []) {
      const known = manifests.get(file.path)
      manifests.set(file.path, { file, isCurrent: isCurrent || known?.isCurrent === true })
    }
  })
  await deps.requirePaths([...manifests.keys()])
  await mapBounded([...manifests.values()], MANIFESTS_AT_ONCE, async ({ file, isCurrent }) => {
    requireReachable(allowed, file.path)
    add(paths, file.path)
    const manifest = await readOr(isCurrent, `manifest ${file.path}`, () =>
      deps.manifests.getManifest(file),
    )
    if (isCurrent && manifest !== undefined) requireSpecOf(specs, file, manifest)
    const turns = new Turns()
    await readable(`manifest ${file.path}`, async () => {
      for (let i = 0; i < (manifest?.entryCount ?? 0); i++) {
        if (isTurnDue(i)) await turns.take()
        const path = manifest?.path(i) ?? ''
        if (manifest?.isLive(i)) requireReachable(allowed, path)
        add(paths, path)
      }
    })
  })
  return [...paths]
}

/** A path without a folder is of the place where its writer ran, which nobody knows here. */
function requireReachable(allowed: AllowedFiles, path: string): void {
  allowed.require(path)
  if (/^(?:\/|[a-z][a-z0-9+.-]*:)/i.test(path)) return
  const file = path.slice(0, SHOWN_LENGTH_MAX)
  throw new CatalogError(
    'location-not-allowed',
    `Location not allowed: ${file}: the table names a file by a relative path`,
    { facts: { location: file } },
  )
}

async function readOr<T>(
  isNeeded: boolean,
  what: string,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await readable(what, read)
  } catch (error) {
    const isGone = error instanceof CatalogError && error.code === 'update-invalid'
    if (isNeeded || !isGone) throw error
    return undefined
  }
}

function add(paths: Set<string>, path: string): void {
  paths.add(path)
  if (paths.size > PATHS_MAX) {
    throw new CatalogError(
      'update-invalid',
      `The table has more than ${PATHS_MAX} files, which cannot be registered`,
    )
  }
}
