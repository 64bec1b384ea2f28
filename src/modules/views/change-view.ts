import type { Stores } from '../../catalog/catalog.ts'
import type { MutationOptions } from '../../catalog/replay-store.ts'
import type { ViewKey, ViewState } from '../../catalog/view-store.ts'
import type { ViewMetadata } from '../../core/metadata/view-metadata.ts'
import { requireBoundedView } from '../../core/table/definition-size.ts'
import {
  foldersOf,
  METADATA_PATH_PROPERTY,
  metadataFolder,
} from '../../core/table/metadata-folder.ts'
import { shownName } from '../../core/table/shown-name.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { isUnknownState } from '../../core/unknown-state.ts'
import { withMembers } from '../../formats/json/json-text.ts'
import { parseViewMetadata, viewMetadataToJson } from '../../formats/metadata/view-metadata-json.ts'
import { LostRace, onNewest } from '../../lake/commit/on-newest.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { namedMember } from '../../lake/publish/publisher.ts'
import { forgetDrop, markDropped } from '../../lake/table/drop-mark.ts'
import { markNamed } from '../../lake/table/name-mark.ts'
import { type NewPlaceDependencies, requireFreeLocation } from '../../lake/table/table-location.ts'
import { ProblemError } from '../../problem/problems.ts'
import { deleteOldViewMetadata } from './old-view-metadata.ts'

/** Everything that creating and changing a view uses. */
export type ViewDependencies = NewPlaceDependencies &
  Stores<'views' | 'tables' | 'leases'> &
  Pick<LakeServices, 'commits' | 'ambient' | 'log' | 'meter'>

/** Everything that creating a view uses. */
export type NewViewDependencies = Omit<ViewDependencies, 'commits' | 'meter'>

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
  deps: NewViewDependencies,
  view: NamespacedName & { readonly metadata: ViewMetadata; readonly metadataLocation?: string },
  options: (added: ViewState) => MutationOptions,
): Promise<ViewState> {
  const nowMs = deps.ambient.nowMs()
  const { namespace, name, metadata } = view
  const text = viewMetadataToJson(metadata)
  if (view.metadataLocation === undefined) requireBoundedView(text)
  const folders = await newFolders(deps, metadata)
  const viewUuid = metadata.viewUuid.toLowerCase()
  const last = await deps.catalog.locations.findLastVersion(viewUuid)
  const state = {
    viewUuid,
    namespace,
    name,
    version: last === undefined ? 0 : last + 1,
    metadata: text,
    createdAtMs: nowMs,
    lastUpdatedMs: nowMs,
  }
  const add = async (metadataLocation: string) => {
    const added = { ...state, metadataLocation }
    const outcome = await deps.catalog.views.create({ ...added, folders }, options(added))
    if (outcome !== 'created') throw viewNameTaken(view, outcome)
    return added
  }
  if (view.metadataLocation === undefined) {
    return withMetadataFile(deps, { metadata, state }, add)
  }
  const added = await add(view.metadataLocation)
  for (const location of foldersOf(metadata)) {
    await forgetDrop(deps, { tableUuid: added.viewUuid, location })
  }
  return added
}

/** The changed view; `undefined` if it stays as it is. */
export interface ChangedView {
  readonly metadata?: ViewMetadata
  readonly name?: NamespacedName
}

/**
 * Changes a view, in its turn among the changes of all processes, and returns it. `change` is
 * called again if another change comes first, so that it always applies to the newest state.
 */
export async function changeView(
  deps: ViewDependencies,
  wanted: WantedView,
  {
    change,
    options,
    isConflict = false,
  }: {
    change(state: ViewState, metadata: ViewMetadata): ChangedView | undefined
    /** Options of the mutation to the next state, which has this metadata. */
    options(next: ViewState, metadata: ViewMetadata): MutationOptions
    /** Whether lost races are a conflict, as `onNewest` takes it. */
    readonly isConflict?: boolean
  },
): Promise<{
  readonly state: ViewState
  readonly metadata: ViewMetadata
  readonly isChanged: boolean
}> {
  const attempt = async () => {
    const state = await getView(deps, wanted)
    const base = parseViewMetadata(state.metadata)
    const changed = change(state, base)
    if (changed === undefined) return { state, metadata: base, isChanged: false }
    const { metadata, name } = changed
    const text = metadata === undefined ? state.metadata : viewMetadataToJson(metadata)
    if (metadata !== undefined) requireBoundedView(text, state.metadata)
    const folders = metadata === undefined ? [] : await newFolders(deps, metadata, base)
    const replacement = { state, base, metadata, text, name, folders }
    const replaced = await tryReplace(deps, replacement, (next) => options(next, metadata ?? base))
    if (replaced === undefined) return new LostRace()
    return { state: replaced, metadata: metadata ?? base, isChanged: true }
  }
  const { viewUuid } = await getView(deps, wanted)
  return deps.commits.inTurns([viewUuid], (turn) => onNewest(deps, attempt, { turn, isConflict }))
}

interface ViewReplacement {
  readonly state: ViewState
  readonly base: ViewMetadata
  /** `undefined` if it stays, and its file with it: so do those of Iceberg's catalogs. */
  readonly metadata: ViewMetadata | undefined
  /** The metadata that it has with the change, as text. */
  readonly text: string
  /** `undefined` if it stays. */
  readonly name: NamespacedName | undefined
  /** That it takes with the change. */
  readonly folders: readonly string[]
}

/** The changed view; `undefined` if another change came first. */
async function tryReplace(
  deps: ViewDependencies,
  { state, base, metadata, text, name, folders }: ViewReplacement,
  options: (next: ViewState) => MutationOptions,
): Promise<ViewState | undefined> {
  const changed = {
    ...state,
    ...name,
    version: state.version + 1,
    metadata: text,
    lastUpdatedMs: Math.max(deps.ambient.nowMs(), state.lastUpdatedMs),
  }
  const replace = async (metadataLocation: string) => {
    const next = { ...changed, metadataLocation }
    const replacement = { expectedVersion: state.version, state: next, folders }
    const outcome = await deps.catalog.views.replace(replacement, options(next))
    if (outcome === 'replaced') return next
    if (outcome === 'version-mismatch') throw new OvertakenError()
    throw viewNameTaken(next, outcome)
  }
  try {
    if (metadata === undefined) {
      const next = await replace(state.metadataLocation)
      const { location } = base
      await markNamed(deps, { ...next, tableUuid: next.viewUuid, location })
      return next
    }
    const next = await withMetadataFile(deps, { metadata, state: changed }, replace)
    await deleteOldViewMetadata(deps, next, metadata)
    return next
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
    state,
  }: {
    readonly metadata: ViewMetadata
    readonly state: NamespacedName & Pick<ViewState, 'version' | 'metadata'>
  },
  work: (metadataLocation: string) => Promise<T>,
): Promise<T> {
  const { objects, ambient } = deps
  const number = String(state.version).padStart(5, '0')
  const file = `${number}-${ambient.newUuid()}.metadata.json`
  const metadataLocation = `${metadataFolder(metadata)}/${file}`
  const json = withMembers(state.metadata, namedMember(state))
  await objects.putIfAbsent(metadataLocation, new TextEncoder().encode(json))
  try {
    return await work(metadataLocation)
  } catch (error) {
    if (!isUnknownState(error)) await objects.delete(metadataLocation).catch(() => undefined)
    throw error
  }
}

/**
 * The folders that the view does not have yet. It must be able to write to them, and no table or
 * other view may be there: what is below a table's location may be deleted with the table.
 */
async function newFolders(
  deps: NewPlaceDependencies,
  metadata: ViewMetadata,
  base?: ViewMetadata,
): Promise<readonly string[]> {
  const tableUuid = metadata.viewUuid.toLowerCase()
  const known = base === undefined ? [] : foldersOf(base)
  const folders = foldersOf(metadata).filter((folder) => !known.includes(folder))
  // Left out of the folders, since it gives none; old views may have it.
  const path = metadata.properties[METADATA_PATH_PROPERTY]
  const isOld = path === base?.properties[METADATA_PATH_PROPERTY]
  if (path === '' && !isOld) deps.objects.requireReadable(path)
  for (const location of folders) await requireFreeLocation(deps, { location, tableUuid })
  return folders
}

/**
 * Drops the view, and marks it among its files, which stay, so that a catalog rebuilt from files
 * does not revive it.
 */
export async function dropViewOf(
  deps: Stores<'views'> & Pick<ViewDependencies, 'objects' | 'log'>,
  { viewUuid, metadata }: Pick<ViewState, 'viewUuid' | 'metadata'>,
  options?: MutationOptions,
): Promise<'dropped' | 'not-found'> {
  const outcome = await deps.catalog.views.drop(viewUuid, options)
  if (outcome === 'dropped') {
    const { location } = parseViewMetadata(metadata)
    const isBack = async () => (await deps.catalog.views.find({ viewUuid })) !== undefined
    await markDropped(deps, { tableUuid: viewUuid, location }, isBack)
  }
  return outcome
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
