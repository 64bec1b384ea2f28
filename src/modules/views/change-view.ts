import type { Stores } from '../../catalog/catalog.ts'
import type { MutationOptions } from '../../catalog/replay-store.ts'
import type { ViewKey, ViewState } from '../../catalog/view-store.ts'
import type { ViewMetadata } from '../../core/metadata/view-metadata.ts'
import { shownName } from '../../core/table/shown-name.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { parseViewMetadata, viewMetadataToJson } from '../../formats/metadata/view-metadata-json.ts'
import { LostRace, onNewest } from '../../lake/commit/on-newest.ts'
import { isUnknownState } from '../../lake/commit/unknown-state.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { requireFreeLocation } from '../../lake/table/table-location.ts'
import { ProblemError } from '../../problem/problems.ts'

/** Everything that creating and changing a view uses. */
export type ViewDependencies = Stores<'views' | 'tables' | 'locations'> &
  Pick<LakeServices, 'objects' | 'ambient' | 'meter' | 'warehouse'>

/** Property with the folder of metadata files, if not below the location (Iceberg view spec). */
const METADATA_PATH = 'write.metadata.path'

/** The view as the request names it (for messages), and how to find it. */
export interface WantedView {
  readonly key: ViewKey
  readonly shown: string
}

export function wantedByName(name: NamespacedName): WantedView {
  return { key: name, shown: shownName(name) }
}

/** The view; throws `view-not-found`. */
export async function getView(
  { catalog }: Stores<'views'>,
  wanted: WantedView,
): Promise<ViewState> {
  const state = await catalog.views.find(wanted.key)
  if (state === undefined) throw viewNotFound(wanted)
  return state
}

export function viewNotFound({ shown }: WantedView): ProblemError {
  return new ProblemError('view-not-found', `View does not exist: ${shown}`, {
    facts: { view: shown },
  })
}

/** Adds a view, after its metadata file. Throws `view-already-exists` if the name is taken. */
export async function addView(
  deps: Stores<'views' | 'locations'> & Pick<ViewDependencies, 'ambient' | 'objects' | 'warehouse'>,
  view: NamespacedName & { readonly metadata: ViewMetadata; readonly metadataLocation?: string },
  options: (added: ViewState) => MutationOptions,
): Promise<ViewState> {
  const nowMs = deps.ambient.nowMs()
  const { namespace, name, metadata } = view
  await requirePlace(deps, metadata)
  const state = {
    viewUuid: metadata.viewUuid.toLowerCase(),
    namespace,
    name,
    version: 0,
    metadata: viewMetadataToJson(metadata),
    createdAtMs: nowMs,
    lastUpdatedMs: nowMs,
  }
  const add = async (metadataLocation: string) => {
    const added = { ...state, metadataLocation }
    const outcome = await deps.catalog.views.create(added, options(added))
    if (outcome !== 'created') throw viewNameTaken(view, outcome)
    return added
  }
  if (view.metadataLocation !== undefined) return add(view.metadataLocation)
  return withMetadataFile(deps, { metadata, version: 0, json: state.metadata }, add)
}

/** The changed view; `undefined` if it stays as it is. */
export interface ChangedView {
  readonly metadata?: ViewMetadata
  readonly name?: NamespacedName
}

/**
 * Changes a view, and returns it. `change` is called again if another change comes first, so that
 * it always applies to the newest state.
 */
export async function changeView(
  deps: ViewDependencies,
  wanted: WantedView,
  {
    change,
    options,
  }: {
    change(state: ViewState, metadata: ViewMetadata): ChangedView | undefined
    /** Options of the mutation to the next state. */
    options(next: ViewState): MutationOptions
  },
): Promise<{ readonly state: ViewState; readonly isChanged: boolean }> {
  return onNewest(deps, async () => {
    const state = await getView(deps, wanted)
    const base = parseViewMetadata(state.metadata)
    const changed = change(state, base)
    if (changed === undefined) return { state, isChanged: false }
    await requirePlace(deps, changed.metadata ?? base, base)
    const replaced = await tryReplace(deps, { state, changed }, options)
    return replaced === undefined ? new LostRace() : { state: replaced, isChanged: true }
  })
}

/** The changed view; `undefined` if another change came first. */
async function tryReplace(
  deps: Stores<'views'> & Pick<ViewDependencies, 'ambient' | 'objects'>,
  { state, changed }: { readonly state: ViewState; readonly changed: ChangedView },
  options: (next: ViewState) => MutationOptions,
): Promise<ViewState | undefined> {
  const { metadata } = changed
  const version = state.version + 1
  const renamed = {
    ...state,
    ...changed.name,
    version,
    lastUpdatedMs: Math.max(deps.ambient.nowMs(), state.lastUpdatedMs),
  }
  const replace = async (next: ViewState) => {
    const expectedVersion = state.version
    const replacement = { expectedVersion, state: next }
    const outcome = await deps.catalog.views.replace(replacement, options(next))
    if (outcome === 'replaced') return next
    if (outcome === 'version-mismatch') throw new OvertakenError()
    throw viewNameTaken(next, outcome)
  }
  try {
    if (metadata === undefined) return await replace(renamed)
    const json = viewMetadataToJson(metadata)
    return await withMetadataFile(deps, { metadata, version, json }, (metadataLocation) =>
      replace({ ...renamed, metadata: json, metadataLocation }),
    )
  } catch (error) {
    if (error instanceof OvertakenError) return undefined
    throw error
  }
}

class OvertakenError extends Error {}

/** Runs `work` with a new metadata file; removes it only if the catalog surely does not name it. */
async function withMetadataFile<T>(
  deps: Pick<ViewDependencies, 'ambient' | 'objects'>,
  {
    metadata,
    version,
    json,
  }: { readonly metadata: ViewMetadata; readonly version: number; readonly json: string },
  work: (metadataLocation: string) => Promise<T>,
): Promise<T> {
  const { objects, ambient } = deps
  const number = String(version).padStart(5, '0')
  const file = `${number}-${ambient.newUuid()}.metadata.json`
  const metadataLocation = `${metadataFolder(metadata)}/${file}`
  await objects.putIfAbsent(metadataLocation, new TextEncoder().encode(json))
  try {
    return await work(metadataLocation)
  } catch (error) {
    if (!isUnknownState(error)) await objects.delete(metadataLocation).catch(() => undefined)
    throw error
  }
}

/**
 * Requires that the view can write to its folders, and that no table is there: what is below a
 * table's location may be deleted with the table. Folders that it has already stay.
 */
async function requirePlace(
  deps: Stores<'locations'> & Pick<ViewDependencies, 'objects' | 'warehouse'>,
  metadata: ViewMetadata,
  base?: ViewMetadata,
): Promise<void> {
  const tableUuid = metadata.viewUuid.toLowerCase()
  const known = base === undefined ? [] : foldersOf(base)
  for (const location of foldersOf(metadata)) {
    if (!known.includes(location)) await requireFreeLocation(deps, { location, tableUuid })
  }
}

function foldersOf(metadata: ViewMetadata): readonly string[] {
  const folder = metadataFolder(metadata)
  const { location } = metadata
  return folder.startsWith(`${location}/`) ? [location] : [location, folder]
}

function metadataFolder({ location, properties }: ViewMetadata): string {
  const given = Object.hasOwn(properties, METADATA_PATH) ? properties[METADATA_PATH] : undefined
  if (given === undefined) return `${location}/metadata`
  return given.replace(/\/+$/, '')
}

export function viewNameTaken(
  name: NamespacedName,
  outcome: 'view-exists' | 'table-exists',
  detail?: string,
): ProblemError {
  const view = shownName(name)
  const existing = outcome === 'table-exists' ? 'table' : 'view'
  const what = existing === 'table' ? 'Table with same name' : 'View'
  return new ProblemError('view-already-exists', detail ?? `${what} already exists: ${view}`, {
    facts: { view, existing },
  })
}

export async function refuseTakenViewName(
  { catalog }: Stores<'views' | 'tables'>,
  name: NamespacedName,
): Promise<void> {
  const [view, table] = await Promise.all([catalog.views.find(name), catalog.tables.find(name)])
  if (view !== undefined) throw viewNameTaken(name, 'view-exists')
  if (table !== undefined) throw viewNameTaken(name, 'table-exists')
}
