import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import { foldersOf } from '../../core/table/metadata-folder.ts'
import { isReserved } from '../../core/table/reserved-namespace.ts'
import { MAIN_BRANCH } from '../../core/table/snapshot.ts'
import { earliestMsOf } from '../../core/table/snapshot-log.ts'
import type { TableMetadata, TableState } from '../../core/table/table.ts'
import { formatTableName, type NamespacedName } from '../../core/table/table-name.ts'
import { withKeptFiles } from '../../core/table-properties.ts'
import { stringifyExactJson } from '../../formats/json/exact-json.ts'
import { tableMetadataFromJson } from '../../formats/metadata/table-metadata-json.ts'
import { parseViewMetadata, viewMetadataToJson } from '../../formats/metadata/view-metadata-json.ts'
import { statisticsPaths } from '../../lake/deletion/named-files.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { TABLE_NAME_KEY } from '../../lake/publish/publisher.ts'
import { makeManifestLists, writeManifestLists } from '../../lake/table/inline-manifests.ts'
import type { NameMark } from '../../lake/table/name-mark.ts'
import { type WithLater, withLaterSnapshots } from './later-snapshots.ts'
import { findTables, type MetadataFile, readJson, type TableFiles } from './rebuild-files.ts'
import { pathsOf } from './whole-snapshots.ts'

/** Digits of its id in the name of a table whose own name another has. */
const OTHER_NAME_DIGITS = 8

/** A table, or a view. */
export interface RebuiltTable {
  readonly location: string
  /** Dotted; `undefined` if the files do not say. */
  readonly table: string | undefined
  /** `incomplete`: registered, but some of its snapshots cannot be read. */
  readonly outcome: 'registered' | 'incomplete' | 'already-there' | 'dropped' | 'unreadable'
  readonly detail?: string
}

type RebuildDependencies = Stores<'tables' | 'views' | 'locations'> &
  Pick<LakeServices, 'manifests' | 'objects' | 'publisher' | 'warehouse' | 'writableLocations'>

/** What a rebuild does not bring back: for people, in the order of what they miss first. */
export const NOT_REBUILT =
  'keys, roles, grants and policies of rows and columns (tables that had one are closed); ' +
  'datasets, open transactions and what they staged, answers to committed ones (kept for a week) ' +
  'and to repeated requests (an hour), events, jobs, the audit and usage, and when views were ' +
  'made and last changed (their versions tell it about)'

/**
 * Registers every table of the warehouse from its newest metadata file, and later commits from
 * their snapshot files, and every view; namespaces come before (`rebuildNamespaces`). Those already
 * in the catalog stay unchanged. A table whose older snapshots have lost files comes back with all
 * of its snapshots, and keeps its files: nobody knows which of them these name. A commit that a
 * crash interrupted before it was acknowledged may come back, too.
 */
export async function* rebuildCatalog(deps: RebuildDependencies): AsyncIterable<RebuiltTable> {
  for (const files of await findTables(deps)) {
    try {
      yield await rebuildTable(deps, files)
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error)
      yield { location: files.location, table: undefined, outcome: 'unreadable', detail }
    }
  }
}

async function rebuildTable(
  deps: Omit<RebuildDependencies, 'warehouse' | 'writableLocations'>,
  { location, tableUuid, metadata: file, ...found }: TableFiles,
): Promise<RebuiltTable> {
  const json = file === undefined ? {} : await readObject(deps, file.location, found)
  const isView = Object.hasOwn(json, 'view-uuid')
  if (tableUuid !== undefined && !isView) {
    const places = found.isDropped ? [location, ...found.earlierLocations] : found.earlierLocations
    for (const place of places) {
      await deps.catalog.locations.remember({ tableUuid, location: place })
    }
  }
  if (found.isDropped) return { location, table: undefined, outcome: 'dropped' }
  if (file === undefined) {
    throw new CatalogError('metadata-corrupt', 'the folder has snapshot files but no metadata file')
  }
  const { named } = found
  if (isView) return await rebuildView(deps, { location, file, json, named })
  const { namespace, name } = newestName(json, file, named)
  if (isReserved(namespace))
    return await tellDataset(deps, tableUuid, { location, namespace, name })
  const listed = await makeManifestLists(deps, tableMetadataFromJson(json))
  await writeManifestLists(deps, listed.lists)
  const later = await withLaterSnapshots(deps, listed.metadata, found.snapshots)
  const { metadata } = later
  const state = stateOf(metadata, {
    ...{ namespace, name },
    version: Math.max(file.version, named?.version ?? 0),
  })
  const uuid = state.definition.tableUuid
  const { paths, lost } = await pathsOf(deps, metadata)
  const addedPaths = [...new Set([...paths, ...statisticsPaths(metadata.definition)])]
  const { snapshots, snapshotLog } = metadata
  const kept = lost.size === 0 ? state : keepingFiles(state)
  const back = await comeBack(location, { namespace, name }, uuid, {
    isThere: async () => (await deps.catalog.tables.find({ tableUuid: uuid })) !== undefined,
    // As the catalog had it, which may have been one of Moraine 0.1.
    create: async (asNamed) => {
      const outcome = await deps.catalog.tables.create({
        ...{ state: { ...kept, ...asNamed }, snapshots, snapshotLog, addedPaths },
        mayShareLocation: true,
        mayNameAnyPath: lost.size > 0,
      })
      if (outcome === 'created') deps.publisher.schedule(uuid)
      return outcome === 'created'
    },
  })
  return withNotes(back, { later, lost })
}

/** What a dataset is of, and whom it was published for, is in no file. */
async function tellDataset(
  { catalog }: Stores<'tables'>,
  tableUuid: string | undefined,
  { location, namespace, name }: NamespacedName & { readonly location: string },
): Promise<RebuiltTable> {
  const table = formatTableName(namespace, name)
  const found = tableUuid && (await catalog.tables.find({ tableUuid }))
  if (found) return { location, table, outcome: 'already-there' }
  const detail =
    'it is a dataset, and these are not rebuilt: restore a backup to have it again, or clone ' +
    'its source at the snapshot that its metadata file has'
  return { location, table, outcome: 'unreadable', detail }
}

function keepingFiles(state: TableState): TableState {
  const { definition } = state
  const properties = withKeptFiles(definition.properties)
  return { ...state, definition: { ...definition, properties } }
}

/** What of a table that comes back is missing, or in doubt. */
function withNotes(
  back: RebuiltTable,
  { later, lost }: { readonly later: WithLater; readonly lost: ReadonlyMap<bigint, string> },
): RebuiltTable {
  if (back.outcome !== 'registered') return back
  const outcome = lost.size > 0 || later.isLess ? 'incomplete' : back.outcome
  const notes = [back.detail, ...tellLost(later.metadata, lost), ...later.notes]
  const told = notes.filter((note) => note !== undefined)
  return { ...back, outcome, ...(told.length > 0 && { detail: told.join('; ') }) }
}

function tellLost({ refs }: TableMetadata, lost: ReadonlyMap<bigint, string>): readonly string[] {
  if (lost.size === 0) return []
  const each = Array.from(lost, ([snapshotId, file]) => {
    const names = Object.keys(refs).filter((ref) => refs[ref]?.snapshotId === snapshotId)
    const named = names.length === 0 ? '' : ` (${names.join(', ')})`
    return `snapshot ${snapshotId}${named} cannot be read: ${file}`
  })
  return [...each, 'the table keeps its files (gc.enabled is false) until these are expired']
}

/**
 * What is not there yet comes back under its name, or under one made from it where another has its
 * name: files of two may tell the same one when a crash came between two renames.
 */
async function comeBack(
  location: string,
  { namespace, name }: NamespacedName,
  uuid: string,
  {
    isThere,
    create,
  }: {
    isThere(): Promise<boolean>
    create(named: NamespacedName): Promise<boolean>
  },
): Promise<RebuiltTable> {
  const table = formatTableName(namespace, name)
  if (await isThere()) return { location, table, outcome: 'already-there' }
  if (await create({ namespace, name })) return { location, table, outcome: 'registered' }
  if (await isThere()) return { location, table, outcome: 'already-there' }
  const other = `${name}-${uuid.slice(0, OTHER_NAME_DIGITS)}`
  if (await create({ namespace, name: other })) {
    const detail = `${table} is another one: rename it`
    return { location, table: formatTableName(namespace, other), outcome: 'registered', detail }
  }
  throw new CatalogError('table-already-exists', `${table} and ${other} are others`)
}

/** From its newest metadata file, which has all of it. */
async function rebuildView(
  { catalog }: Stores<'views'>,
  found: {
    readonly location: string
    readonly file: MetadataFile
    readonly json: Readonly<Record<string, unknown>>
    readonly named: NameMark | undefined
  },
): Promise<RebuiltTable> {
  const { location, file, json, named } = found
  const name = newestName(json, file, named)
  const metadata = parseViewMetadata(stringifyExactJson(json))
  const timesMs = metadata.versions.map(({ timestampMs }) => timestampMs)
  const viewUuid = metadata.viewUuid.toLowerCase()
  return await comeBack(location, name, viewUuid, {
    isThere: async () => (await catalog.views.find({ viewUuid })) !== undefined,
    create: async (asNamed) => {
      const outcome = await catalog.views.create({
        ...asNamed,
        viewUuid,
        version: Math.max(file.version, named?.version ?? 0),
        metadata: viewMetadataToJson(metadata),
        metadataLocation: file.location,
        createdAtMs: Math.min(...timesMs),
        lastUpdatedMs: Math.max(...timesMs),
        folders: foldersOf(metadata),
        mayShareFolders: true,
      })
      return outcome === 'created'
    },
  })
}

function stateOf(
  metadata: TableMetadata,
  { namespace, name, version }: Pick<TableState, 'namespace' | 'name' | 'version'>,
): TableState {
  const { [MAIN_BRANCH]: _, ...refs } = metadata.refs
  return {
    namespace,
    name,
    definition: metadata.definition,
    // Higher than any published version, so that the next metadata file is the newest.
    version: version + 1,
    lastSequenceNumber: metadata.lastSequenceNumber,
    lastUpdatedMs: metadata.lastUpdatedMs,
    createdAtMs: earliestMsOf(metadata),
    currentSnapshot: metadata.snapshots.find((s) => s.snapshotId === metadata.currentSnapshotId),
    refs,
    metadataLocation: undefined,
    publishedVersion: -1,
  }
}

/** The name in the newest metadata file, or that of a renaming after it. */
function newestName(
  json: Readonly<Record<string, unknown>>,
  { version }: MetadataFile,
  named: NameMark | undefined,
): NamespacedName {
  if (named === undefined || named.version <= version) return nameIn(json)
  return { namespace: named.namespace, name: named.name }
}

function nameIn(json: Record<string, unknown>): Pick<TableState, 'namespace' | 'name'> {
  const named = json[TABLE_NAME_KEY] as Partial<Record<'namespace' | 'name', unknown>> | undefined
  const { namespace, name } = named ?? {}
  const isNamespace = Array.isArray(namespace) && namespace.every((l) => typeof l === 'string')
  if (isNamespace && typeof name === 'string') return { namespace: namespace as string[], name }
  throw new CatalogError(
    'metadata-corrupt',
    'the metadata file does not contain the name of the table',
  )
}

/** What a dropped table had need not be readable. */
async function readObject(
  deps: Pick<LakeServices, 'objects'>,
  location: string,
  { isDropped }: Pick<TableFiles, 'isDropped'>,
): Promise<Record<string, unknown>> {
  const json = await readJson(deps, location).catch((error: unknown) => {
    if (isDropped) return {}
    throw error
  })
  if (typeof json === 'object' && json !== null) return json as Record<string, unknown>
  throw new CatalogError('metadata-corrupt', 'the metadata file is no JSON object')
}
