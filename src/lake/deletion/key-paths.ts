import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import type { ManifestFile } from '../../core/file/data-file.ts'
import type { TableState } from '../../core/table/table.ts'
import { keepsFiles } from '../../core/table-properties.ts'
import { Turns } from '../../core/turns.ts'
import { forEachLiveEntry } from '../scan/live-entries.ts'
import type { NamedFilesDependencies } from './named-files.ts'
import { statisticsPaths } from './named-files.ts'

export type KeyDependencies = NamedFilesDependencies & Stores<'paths'>

const TABLES_AT_ONCE = 100
const PUBLICATIONS_MAX = 100_000
/** While the table is committed to. */
const ATTEMPTS_MAX = 10

/**
 * Makes the paths of tables of an older catalog known by their keys, from their manifests. Until
 * then such a table may name any path. One that cannot be read stays so, and is tried again.
 * Returns how many it has keyed.
 */
export async function keyAllPaths(deps: KeyDependencies, signal: AbortSignal): Promise<number> {
  let keyed = 0
  const failed = new Set<string>()
  for (;;) {
    const unkeyed = await deps.catalog.paths.listUnkeyed(TABLES_AT_ONCE + failed.size)
    const next = unkeyed.filter((tableUuid) => !failed.has(tableUuid))
    if (next.length === 0) return keyed
    for (const tableUuid of next) {
      signal.throwIfAborted()
      if (await keyPaths(deps, tableUuid)) keyed += 1
      else failed.add(tableUuid)
    }
  }
}

async function keyPaths(deps: KeyDependencies, tableUuid: string): Promise<boolean> {
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const state = await deps.catalog.tables.find({ tableUuid })
      if (state !== undefined) await addKeys(deps, state)
      const version = state?.version ?? 0
      if ((await deps.catalog.paths.endKeying(tableUuid, version)) === 'ended') return true
    }
    return false
  } catch (err) {
    const told = 'the files of a table could not be read: until then nothing is deleted'
    deps.log.warn({ err, tableUuid }, told)
    return false
  }
}

/** All that the table names, some at a time. */
async function addKeys(deps: KeyDependencies, state: TableState): Promise<void> {
  const { tableUuid } = state.definition
  const add = (paths: readonly string[]) => deps.catalog.paths.addKeys(tableUuid, paths)
  const publications = await deps.catalog.publications.list(tableUuid, PUBLICATIONS_MAX)
  await add(publications.map(({ metadataLocation }) => metadataLocation))
  await add(statisticsPaths(state.definition))
  const seen = new Set<string>()
  const isWhole = keepsFiles(state.definition.properties)
  for await (const page of deps.catalog.snapshots.read(tableUuid)) {
    await add(page.map(({ manifestList }) => manifestList))
    for (const { manifestList } of page) {
      for (const file of await readOr(isWhole, () =>
        deps.manifests.getManifestList(manifestList),
      )) {
        if (seen.has(file.path)) continue
        seen.add(file.path)
        await add([file.path, ...(await pathsIn(deps, file, isWhole))])
      }
    }
  }
}

async function pathsIn(
  { manifests }: Pick<KeyDependencies, 'manifests'>,
  file: ManifestFile,
  isNeeded: boolean,
): Promise<readonly string[]> {
  const [manifest] = await readOr(isNeeded, async () => [await manifests.getManifest(file)])
  const paths: string[] = []
  if (manifest === undefined) return paths
  await forEachLiveEntry(manifest, new Turns(), (i) => {
    paths.push(manifest.path(i))
  })
  return paths
}

/** A file that is missing names nothing, unless the table keeps its files. */
async function readOr<T>(
  isNeeded: boolean,
  read: () => Promise<readonly T[]>,
): Promise<readonly T[]> {
  try {
    return await read()
  } catch (error) {
    const isGone = error instanceof CatalogError && error.code === 'file-not-found'
    if (isGone && !isNeeded) return []
    throw error
  }
}
