import type { Stores } from '../../catalog/catalog.ts'
import type { MutationOptions } from '../../catalog/replay-store.ts'
import type { NewTable } from '../../catalog/table-store.ts'
import type { AnswerKeeper } from '../../core/replay.ts'
import type { TableState } from '../../core/table/table.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { afterCommit } from '../../core/unknown-state.ts'
import { tableMetadataToJson } from '../../formats/metadata/table-metadata-json.ts'
import { LostRace, onNewest } from '../../lake/commit/on-newest.ts'
import type { SharedTurn } from '../../lake/commit/shared-turns.ts'
import { pastDeletions } from '../../lake/deletion/past-deletions.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { forgetDrop } from '../../lake/table/drop-mark.ts'
import { markNamed, registeredMetadata } from '../../lake/table/name-mark.ts'
import { makeTableFolders } from '../../lake/table/table-location.ts'
import { getNamespace } from '../namespaces/namespaces.ts'
import { markTableDropped } from '../tables/drop-table.ts'
import { nameTaken, refuseTakenName } from './create-table.ts'
import { metadataFileAnswer, tableAnswer } from './kept-answer.ts'
import { getRestTable, type LoadedTable, loadTable, tableDoesNotExist } from './load-table.ts'
import { importTable, readMetadataAt } from './metadata-import.ts'
import { readName, requestNode } from './requests/table-request-json.ts'
import { requireRestName } from './rest-name.ts'
import type { RestServices } from './rest-services.ts'
import type { PathsCall } from './use-case-call.ts'

/**
 * Registers a table (Iceberg REST specification, `RegisterTableRequest`). With `overwrite`,
 * replaces the table of that name; the UUID in the file must not be that of another table.
 */
export async function registerTable(
  deps: RestServices,
  { namespace, json }: { readonly namespace: readonly string[]; readonly json: unknown },
  { keeper, authorize, requirePaths }: PathsCall,
): Promise<LoadedTable> {
  const node = requestNode(json)
  const name = requireRestName({ namespace, name: readName(node.get('name')) })
  const metadataLocation = node.get('metadata-location').string()
  const overwrite = node.find('overwrite')?.boolean() ?? false
  await authorize('create', [{ on: 'namespace', name: namespace }])
  if (overwrite) await authorize('own', [{ on: 'table', name }])
  const { levels } = await getNamespace(deps, namespace)
  const before = overwrite ? await deps.catalog.tables.find(name) : undefined
  if (before === undefined) await refuseTakenName(deps, name)
  await requirePaths([metadataLocation])
  const metadata = await readMetadataAt(deps, metadataLocation)
  const importAt = async (versionMin: number) => {
    const table = await importTable(deps, metadata, {
      metadataLocation,
      versionMin,
      requirePaths,
      name: { namespace: levels, name: name.name },
    })
    await makeTableFolders(deps, table.state.definition)
    return table
  }
  const tableUuid = metadata.definition.tableUuid.toLowerCase()
  const uuids = before === undefined ? [tableUuid] : [tableUuid, before.definition.tableUuid]
  const state = await deps.commits.inTurns(uuids, (turn) =>
    overwrite
      ? replaceByImported(deps, { name, importAt, turn }, keeper)
      : addImported(deps, importAt(0), keeper),
  )
  return afterCommit('The table was registered', async () => {
    await forgetDrop(deps, state.definition)
    // The file has no name, or that of the table that it was.
    const named = { ...state, ...state.definition, version: state.version + 1 }
    await markNamed(deps, { ...named, ...registeredMetadata(state) })
    const loaded = await loadTable(deps, state, 'all')
    if (loaded === undefined) throw tableDoesNotExist(name)
    return loaded
  })
}

async function addImported(
  deps: Stores<'tables'> & Pick<LakeServices, 'objects'>,
  importing: Promise<NewTable>,
  keeper: AnswerKeeper,
): Promise<TableState> {
  const table = await importing
  const { tableUuid } = table.state.definition
  requireCreated(await create(deps, table, keeper.withEffect(tableAnswer(tableUuid))), table)
  return table.state
}

function create(
  deps: Stores<'tables'> & Pick<LakeServices, 'objects'>,
  table: NewTable,
  options: MutationOptions,
): Promise<'created' | 'already-exists' | 'view-exists'> {
  return pastDeletions(deps, (rewritten) =>
    deps.catalog.tables.create({ ...table, rewritten }, options),
  )
}

/** Adds the table, or puts it in the place of whichever has its name at that moment. */
async function replaceByImported(
  deps: Stores<'tables'> & Pick<LakeServices, 'ambient' | 'meter' | 'objects'>,
  {
    name,
    importAt,
    turn,
  }: {
    readonly name: NamespacedName
    importAt(versionMin: number): Promise<NewTable>
    readonly turn: SharedTurn
  },
  keeper: AnswerKeeper,
): Promise<TableState> {
  const attempt = async () => {
    const before = await deps.catalog.tables.find(name)
    const table = await importAt(before === undefined ? 0 : before.version + 1)
    const { tableUuid } = table.state.definition
    const options = keeper.withEffect(tableAnswer(tableUuid))
    if (before === undefined) {
      const outcome = await create(deps, table, options)
      const isTaken = outcome === 'already-exists' && (await deps.catalog.tables.find(name))
      if (isTaken) return new LostRace()
      requireCreated(outcome, table)
      return table.state
    }
    const replacement = {
      table,
      tableUuid: before.definition.tableUuid,
      expectedVersion: before.version,
    }
    const outcome = await pastDeletions(deps, (rewritten) =>
      deps.catalog.tables.replace({ ...replacement, table: { ...table, rewritten } }, options),
    )
    if (outcome === 'version-mismatch') return new LostRace()
    requireCreated(outcome, table)
    return table.state
  }
  return onNewest(deps, attempt, { turn })
}

function requireCreated(
  outcome: 'created' | 'already-exists' | 'view-exists',
  { state }: NewTable,
): void {
  if (outcome === 'created') return
  if (outcome === 'view-exists') throw nameTaken(state, 'view')
  const { tableUuid } = state.definition
  throw nameTaken(
    state,
    'table',
    `Table already exists: another table has the name, or the UUID ${tableUuid} of the ` +
      'metadata file',
  )
}

/**
 * Removes the table from the catalog, and returns where its metadata is, that of its very last
 * version: whoever registers it again loses nothing. All files stay.
 */
export async function unregisterTable(
  deps: RestServices,
  name: NamespacedName,
  keeper: AnswerKeeper,
): Promise<LoadedTable> {
  const { tableUuid } = (await getRestTable(deps, name)).definition
  const unregistered = await deps.commits.inTurns([tableUuid], (turn) => {
    const attempt = async () => {
      const loaded = await loadTable(deps, await getRestTable(deps, name), 'all')
      if (loaded === undefined) throw tableDoesNotExist(name)
      const { definition, version } = loaded.state
      const expected = {
        ...{ tableUuid: definition.tableUuid, expectedVersion: version, isUnregistered: true },
      }
      const options = keeper.withEffect(metadataFileAnswer(loaded.metadataLocation))
      const outcome = await deps.catalog.tables.drop(expected, options)
      if (outcome === 'not-found') throw tableDoesNotExist(name)
      return outcome === 'dropped' ? loaded : new LostRace()
    }
    return onNewest(deps, attempt, { turn })
  })
  await markTableDropped(deps, unregistered.state.definition)
  return unregistered
}

/** The result of an earlier unregistration. */
export async function readUnregistered(
  deps: Pick<LakeServices, 'objects' | 'readTableMetadata'>,
  metadataLocation: string,
): Promise<Pick<LoadedTable, 'metadataLocation' | 'json'>> {
  const text = tableMetadataToJson(await readMetadataAt(deps, metadataLocation))
  return { metadataLocation, json: [new TextEncoder().encode(text)] }
}
