import type { Stores } from '../../catalog/catalog.ts'
import type { NewTable } from '../../catalog/table-store.ts'
import { CatalogError } from '../../core/errors.ts'
import { newTableDefinition } from '../../core/metadata/new-table.ts'
import type { AnswerKeeper } from '../../core/replay.ts'
import { refuseReserved } from '../../core/table/reserved-namespace.ts'
import { shownName } from '../../core/table/shown-name.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { isUnknownState } from '../../core/unknown-state.ts'
import { tableMetadataToJson } from '../../formats/metadata/table-metadata-json.ts'
import { pastDeletions } from '../../lake/deletion/past-deletions.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { metadataName } from '../../lake/publish/json-cache.ts'
import { newMetadataLocation, refsOf } from '../../lake/publish/metadata-pieces.ts'
import { metadataFile } from '../../lake/publish/publisher.ts'
import {
  defaultLocation,
  makeTableFolders,
  requireEmptyLocation,
  requireFreeMetadataFolder,
  requireNoForeignMetadata,
} from '../../lake/table/table-location.ts'
import { getNamespace } from '../namespaces/namespaces.ts'
import { newState } from '../tables/tables.ts'
import { tableAnswer } from './kept-answer.ts'
import type { LoadedTable } from './load-table.ts'
import { parseCreateTableRequest } from './requests/table-request-json.ts'
import { requireRestName } from './rest-name.ts'

export interface CreatedTable extends Omit<LoadedTable, 'metadataLocation'> {
  /** `undefined` if only staged. */
  readonly metadataLocation: string | undefined
}

/**
 * Creates a table (Iceberg REST specification, `CreateTableRequest`). A staged creation only
 * returns the initial metadata.
 */
export async function createTable(
  deps: LakeServices & Stores<'events' | 'locations' | 'namespaces' | 'views'>,
  { namespace, json }: { readonly namespace: readonly string[]; readonly json: unknown },
  keeper: AnswerKeeper,
): Promise<CreatedTable> {
  const request = parseCreateTableRequest(json)
  const name = requireRestName({ namespace, name: request.name })
  refuseReserved(namespace)
  const { levels } = await getNamespace(deps, namespace)
  await refuseTakenName(deps, name)
  const tableUuid = deps.ambient.newUuid()
  const location = request.location ?? defaultLocation(deps, name, tableUuid)
  const { schema, spec, sortOrder, properties } = request
  const definition = newTableDefinition({
    tableUuid,
    location,
    schema,
    properties,
    ...(spec === undefined ? {} : { spec }),
    ...(sortOrder === undefined ? {} : { sortOrder }),
  })
  if (request.location !== undefined) await requireEmptyLocation(deps, definition)
  await requireFreeMetadataFolder(deps, definition)
  await requireNoForeignMetadata(deps, definition, [`${location}/metadata`])
  const state = newState(deps, { namespace: levels, name: request.name, definition })
  if (request.stageCreate) {
    await makeTableFolders(deps, definition)
    const text = jsonOfNew({ state, snapshots: [], snapshotLog: [] })
    return { state, json: [new TextEncoder().encode(text)], metadataLocation: undefined }
  }
  const none = { snapshots: [], snapshotLog: [], addedPaths: [] }
  return addTable(deps, { state, ...none }, keeper)
}

/**
 * Adds the table after its metadata file, which is removed only if the table surely was not
 * created. Throws `table-already-exists` if the name is taken.
 */
export async function addTable(
  deps: Stores<'tables'> & Pick<LakeServices, 'ambient' | 'log' | 'objects' | 'publisher'>,
  table: NewTable,
  keeper: AnswerKeeper,
): Promise<LoadedTable> {
  const { tableUuid } = table.state.definition
  const json = jsonOfNew(table)
  const metadataLocation = newMetadataLocation(table.state, deps.ambient.newUuid())
  await makeTableFolders(deps, table.state.definition)
  await deps.objects.putIfAbsent(metadataLocation, metadataFile(table.state, json))
  const state = { ...table.state, metadataLocation, publishedVersion: table.state.version }
  try {
    const options = keeper.withEffect(tableAnswer(tableUuid))
    const outcome = await pastDeletions(deps, (rewritten) =>
      deps.catalog.tables.create({ ...table, state, rewritten }, options),
    )
    if (outcome !== 'created') throw nameTaken(state, outcome === 'view-exists' ? 'view' : 'table')
  } catch (error) {
    if (!isUnknownState(error)) await deps.objects.delete(metadataLocation).catch(() => undefined)
    throw error
  }
  const pieces = [new TextEncoder().encode(json)]
  deps.publisher.recent.remember(metadataName(metadataLocation, state.version), pieces)
  return { state, metadataLocation, json: pieces }
}

export async function refuseTakenName(
  { catalog }: Stores<'tables' | 'views'>,
  name: NamespacedName,
): Promise<void> {
  const [table, view] = await Promise.all([catalog.tables.find(name), catalog.views.find(name)])
  if (table !== undefined) throw nameTaken(name, 'table')
  if (view !== undefined) throw nameTaken(name, 'view')
}

export function nameTaken(
  name: NamespacedName,
  existing: 'table' | 'view',
  detail?: string,
): CatalogError {
  const table = shownName(name)
  const what = existing === 'view' ? 'View with same name' : 'Table'
  return new CatalogError('table-already-exists', detail ?? `${what} already exists: ${table}`, {
    facts: { table, existing },
  })
}

function jsonOfNew({
  state,
  snapshots,
  snapshotLog,
}: Pick<NewTable, 'state' | 'snapshots' | 'snapshotLog'>): string {
  return tableMetadataToJson({
    definition: state.definition,
    lastSequenceNumber: state.lastSequenceNumber,
    lastUpdatedMs: state.lastUpdatedMs,
    currentSnapshotId: state.currentSnapshot?.snapshotId,
    snapshots,
    snapshotLog,
    metadataLog: [],
    refs: refsOf(state),
  })
}
