import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import { createFromUpdates } from '../../core/metadata/new-table.ts'
import type { TableState } from '../../core/table/table.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { statisticsPaths } from '../../lake/deletion/named-files.ts'
import { requireOwnNames } from '../../lake/file/own-names.ts'
import type { LakeServices } from '../../lake/lake.ts'
import {
  defaultLocation,
  requireEmptyLocation,
  requireFreeMetadataFolder,
  requireNoForeignMetadata,
} from '../../lake/table/table-location.ts'
import { getNamespace } from '../namespaces/namespaces.ts'
import { addTable, nameTaken } from './create-table.ts'
import type { CommitTableRequest } from './requests/table-request-json.ts'
import { pathsOfNewSnapshots } from './snapshots/snapshot-paths.ts'
import type { PathsCall } from './use-case-call.ts'

/** Completes a staged creation. `undefined` if another table took the name in between. */
export async function createByCommit(
  deps: LakeServices & Stores<'events' | 'locations' | 'namespaces' | 'views'>,
  {
    name,
    requirements,
    updates,
  }: Pick<CommitTableRequest, 'requirements' | 'updates'> & { readonly name: NamespacedName },
  { keeper, requirePaths }: Pick<PathsCall, 'keeper' | 'requirePaths'>,
): Promise<TableState | undefined> {
  const { levels } = await getNamespace(deps, name.namespace)
  if ((await deps.catalog.views.find(name)) !== undefined) throw nameTaken(name, 'view')
  const tableUuid = deps.ambient.newUuid()
  const { state, newSnapshots, newLogEntries } = createFromUpdates(requirements, updates, {
    namespace: levels,
    name: name.name,
    tableUuid,
    location: defaultLocation(deps, name, tableUuid),
    nowMs: deps.ambient.nowMs(),
  })
  // The table has nothing yet: its current snapshot is one of the new ones.
  const base = { ...state, currentSnapshot: undefined }
  const change = { state, newSnapshots }
  const paths = await pathsOfNewSnapshots(deps, { base, change, requirePaths })
  const addedPaths = [...paths.added, ...paths.again, ...statisticsPaths(state.definition)]
  await requirePaths(addedPaths, state.definition.location)
  await requireOwnNames(deps.objects, addedPaths)
  await requireEmptyLocation(deps, state.definition, addedPaths)
  await requireFreeMetadataFolder(deps, state.definition, addedPaths)
  await requireNoForeignMetadata(deps, state.definition, [`${state.definition.location}/metadata`])
  const table = { state, snapshots: newSnapshots, snapshotLog: newLogEntries, addedPaths }
  try {
    return (await addTable(deps, table, keeper)).state
  } catch (error) {
    const isTaken = error instanceof CatalogError && error.code === 'table-already-exists'
    if (isTaken && (await deps.catalog.tables.find(name)) !== undefined) return undefined
    throw error
  }
}
