import type { Catalog, Stores } from '../../catalog/catalog.ts'
import type { TableKey } from '../../catalog/table-store.ts'
import { CatalogError } from '../../core/errors.ts'
import { shownName } from '../../core/table/shown-name.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { TableState } from '../../core/table/table.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { metadataName } from '../../lake/publish/json-cache.ts'
import {
  type HistoryText,
  metadataPieces,
  readFrame,
  refsOf,
} from '../../lake/publish/metadata-pieces.ts'
import { findAmongAll, readLog, TableHistory } from '../../lake/publish/table-history.ts'
import { requireRestName } from './rest-name.ts'
import { accessTag, type TableAccess } from './vending/table-access.ts'

/** Snapshots in the metadata: all, or only those of branches and tags. */
export type SnapshotMode = 'all' | 'refs'

export interface LoadedTable {
  /** The state that the file and the JSON describe. */
  readonly state: TableState
  readonly metadataLocation: string
  /** The metadata as JSON in UTF-8, in pieces that other responses may share. */
  readonly json: readonly Uint8Array[]
}

/** Everything that loading a table uses. */
export type LoadDependencies = Stores<'tables' | 'snapshots' | 'publications'> &
  Pick<LakeServices, 'objects' | 'publisher'>

/** Above this, one query for all snapshots is cheaper than one for each. */
const SINGLE_LOOKUPS_MAX = 32
const ATTEMPTS_MAX = 20

export async function getRestTable(
  { catalog }: Stores<'tables'>,
  name: NamespacedName,
): Promise<TableState> {
  const state = await catalog.tables.find(requireRestName(name))
  if (state === undefined) throw tableDoesNotExist(name)
  return state
}

export function tableDoesNotExist(name: NamespacedName): CatalogError {
  const table = shownName(name)
  return new CatalogError('table-not-found', `Table does not exist: ${table}`, { facts: { table } })
}

/** An entity tag, which differs by version, by the snapshots shown and by what clients are told. */
export function tableTag(
  { definition, version }: TableState,
  mode: SnapshotMode,
  access: TableAccess,
): string {
  return `"${definition.tableUuid}-${version}-${mode}${accessTag(access)}"`
}

/** The newest state of the table. Throws `file-not-found` if its metadata file has vanished. */
export async function requirePublishedFile(
  deps: Pick<LakeServices, 'objects'>,
  { metadataLocation }: TableState,
): Promise<void> {
  if (metadataLocation !== undefined) await requireFile(deps, metadataLocation)
}

/**
 * This version or a later one, in an existing metadata file. `undefined` if the table was dropped.
 */
export async function loadTable(
  deps: LoadDependencies,
  state: TableState,
  mode: SnapshotMode,
): Promise<LoadedTable | undefined> {
  let newest: TableState | undefined = state
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const published = await publishedOf(deps, newest)
    if (published === undefined) return undefined
    await requireFile(deps, published.metadataLocation)
    const json = await jsonOf(deps, published, mode)
    if (json !== undefined) return { ...published, json }
    newest = await deps.catalog.tables.find(keyOf(state))
    if (newest === undefined) return undefined
  }
  throw new CatalogError(
    'overloaded',
    'The table changed several times while it was being read: try again',
  )
}

function keyOf({ definition }: TableState): TableKey {
  return { tableUuid: definition.tableUuid }
}

async function publishedOf(
  { publisher }: Pick<LakeServices, 'publisher'>,
  state: TableState,
): Promise<Omit<LoadedTable, 'json'> | undefined> {
  const { metadataLocation, publishedVersion, version } = state
  if (publishedVersion === version && metadataLocation !== undefined) {
    return { state, metadataLocation }
  }
  return publisher.publishMetadata(state.definition.tableUuid)
}

/**
 * Refuses a table whose metadata file is missing, as Iceberg's own catalogs do: clients that read
 * files need it.
 */
async function requireFile(
  { objects }: Pick<LakeServices, 'objects'>,
  location: string,
): Promise<void> {
  if ((await objects.find(location)) === undefined) throw metadataFileMissing(location)
}

export function metadataFileMissing(location: string): CatalogError {
  const detail = `Failed to open input stream for file: ${location.slice(0, 1_000)}`
  return new CatalogError('file-not-found', detail)
}

/** `undefined` if a later version has removed something that this one needs. */
async function jsonOf(
  deps: LoadDependencies,
  { state, metadataLocation }: Omit<LoadedTable, 'json'>,
  mode: SnapshotMode,
): Promise<readonly Uint8Array[] | undefined> {
  const { catalog, publisher } = deps
  const name = metadataName(metadataLocation, state.version)
  const key = mode === 'all' ? name : `${name}#refs`
  const recent = publisher.recent.find(key)
  if (recent !== undefined) return recent
  const history = await (mode === 'all' ? historyOf(deps, state) : historyOfRefs(deps, state))
  if (history === undefined) return undefined
  const json = metadataPieces(await readFrame(catalog, state), history)
  publisher.recent.remember(key, json)
  return json
}

async function historyOf(
  { publisher: { histories } }: Pick<LakeServices, 'publisher'>,
  state: TableState,
): Promise<HistoryText | undefined> {
  return histories.find(state) ?? (await histories.read(state))
}

/** The snapshots of branches and tags, and the whole log. `undefined` if one is missing. */
async function historyOfRefs(
  { catalog, publisher: { histories } }: LoadDependencies,
  state: TableState,
): Promise<HistoryText | undefined> {
  const ids = new Set(Object.values(refsOf(state)).map(({ snapshotId }) => snapshotId))
  const snapshots = await findSnapshots(catalog, state, ids)
  if (snapshots.length < ids.size) return undefined
  const history = new TableHistory(state)
  history.addSnapshots(snapshots)
  const log = histories.find(state)?.log
  if (log === undefined) await readLog(catalog, state, history)
  return { ...history.text, ...(log !== undefined && { log }) }
}

/** Sorted by sequence number; fewer if some are missing. */
async function findSnapshots(
  catalog: Pick<Catalog, 'snapshots'>,
  { definition: { tableUuid }, currentSnapshot }: TableState,
  ids: ReadonlySet<bigint>,
): Promise<readonly Snapshot[]> {
  if (ids.size > SINGLE_LOOKUPS_MAX) return findAmongAll(catalog, tableUuid, ids)
  const found = await Promise.all(
    [...ids].map((id) =>
      id === currentSnapshot?.snapshotId ? currentSnapshot : catalog.snapshots.find(tableUuid, id),
    ),
  )
  const snapshots = found.filter((snapshot) => snapshot !== undefined)
  return snapshots.sort((left, right) => (left.sequenceNumber < right.sequenceNumber ? -1 : 1))
}

/** `undefined` if the table no longer exists. */
export async function loadTableByUuid(
  deps: LoadDependencies,
  tableUuid: string,
): Promise<LoadedTable | undefined> {
  const state = await deps.catalog.tables.find({ tableUuid })
  return state === undefined ? undefined : loadTable(deps, state, 'all')
}
