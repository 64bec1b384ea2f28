import type { Stores } from '../../catalog/catalog.ts'
import { originsOf } from '../../catalog/dataset-store.ts'
import type { NewTable } from '../../catalog/table-store.ts'
import { withCurrentSchema } from '../../core/metadata/schema-update.ts'
import type { Keep } from '../../core/replay.ts'
import { METADATA_PATH_PROPERTY } from '../../core/table/metadata-folder.ts'
import { isReserved } from '../../core/table/reserved-namespace.ts'
import { isCovered } from '../../core/table/restriction.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import { nextTimestampMs } from '../../core/table/snapshot-log.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import { currentSchema, type TableDefinition, type TableState } from '../../core/table/table.ts'
import { type NamespacedName, parseNewTableName } from '../../core/table/table-name.ts'
import { CKAN_RESOURCE_PROPERTY, type TableProperties } from '../../core/table-properties.ts'
import { defaultLocation, makeTableFolders } from '../../lake/table/table-location.ts'
import { getSnapshot, getTable, schemaOfReading } from '../../lake/table/table-lookup.ts'
import {
  alreadyExists,
  type CreatedTable,
  isNewNamespace,
  type NewTableDependencies,
  newState,
  publishedLocation,
} from './tables.ts'

/**
 * Creates a table over the same files, without copying a byte: it starts with the source's
 * snapshot and manifests, and the policy on its rows, and the two are independent from then on.
 */
export async function cloneTable(
  deps: NewTableDependencies & Stores<'datasets' | 'snapshots'>,
  request: SnapshotSelector & {
    readonly table: string
    readonly name: string
    readonly namespace?: string | undefined
  },
  keep?: Keep<CreatedTable>,
): Promise<CreatedTable> {
  const source = await getTable(deps.catalog, request.table)
  const found = await getSnapshot(deps, source, request)
  const { namespace, name } = parseNewTableName(request)
  const currentSchemaId = schemaOfReading(source, request, found).schemaId
  const tableUuid = deps.ambient.newUuid()
  const clone = newClone(deps, source, { namespace, name, tableUuid, found, currentSchemaId })
  const { state } = clone
  const table = { ...clone, ...(await policyOfClone(deps, source, clone)) }
  const told = { notes: [], isNamespaceNew: await isNewNamespace(deps, namespace) }
  await makeTableFolders(deps, state.definition)
  const outcome = await deps.catalog.tables.create(table, keep?.({ ...state, ...told }))
  if (outcome !== 'created') throw alreadyExists(state, outcome)
  const metadataLocation = await publishedLocation(deps, state)
  return { ...state, ...told, metadataLocation }
}

type ClonedPolicy = Pick<NewTable, 'copiesPolicy' | 'policiesOf'>

/**
 * A policy says nothing of columns that its table has no more: then nothing is shown. A dataset has
 * none of its own: until it is published, it is read by those of the tables that it was made of.
 */
async function policyOfClone(
  { catalog }: Stores<'datasets'>,
  { namespace, definition }: TableState,
  clone: NewTable,
): Promise<ClonedPolicy> {
  const { tableUuid } = definition
  if (!isReserved(namespace)) {
    const isBound = isCovered(currentSchema(clone.state.definition), definition)
    return { copiesPolicy: isBound ? 'bound' : 'unbound' }
  }
  const dataset = await catalog.datasets.find({ tableUuid })
  if (dataset === undefined || dataset.securable === tableUuid) return {}
  return { copiesPolicy: 'unbound', policiesOf: originsOf(dataset) }
}

/** A table that begins with one snapshot of another, over the same files; it is not there yet. */
export function newClone(
  deps: Pick<NewTableDependencies, 'ambient' | 'warehouse'>,
  source: TableState,
  {
    namespace,
    name,
    tableUuid,
    found,
    currentSchemaId,
  }: NamespacedName & {
    readonly tableUuid: string
    readonly found: Snapshot | undefined
    readonly currentSchemaId: number
  },
): NewTable {
  const location = defaultLocation(deps, { name }, tableUuid)
  const definition: TableDefinition = {
    ...withCurrentSchema(source.definition, currentSchemaId),
    tableUuid,
    location,
    properties: propertiesOfCopy(source.definition.properties),
  }
  const born = newState(deps, { namespace, name, definition })
  const snapshot = found === undefined ? undefined : { ...found, parentSnapshotId: null }
  const state = {
    ...born,
    lastUpdatedMs:
      snapshot === undefined
        ? born.lastUpdatedMs
        : nextTimestampMs(born.lastUpdatedMs, snapshot.timestampMs),
    currentSnapshot: snapshot,
    // The highest sequence number of the files that it starts with.
    lastSequenceNumber: snapshot?.sequenceNumber ?? 0n,
  }
  return {
    state,
    snapshots: snapshot === undefined ? [] : [snapshot],
    snapshotLog:
      snapshot === undefined
        ? []
        : [{ timestampMs: state.lastUpdatedMs, snapshotId: snapshot.snapshotId }],
    addedPaths: [],
    copyPathsFromTableUuid: source.definition.tableUuid,
  }
}

/** A folder has the metadata of one table, and a resource is one table. */
function propertiesOfCopy(properties: TableProperties): TableProperties {
  const {
    [METADATA_PATH_PROPERTY]: _path,
    [CKAN_RESOURCE_PROPERTY]: _resource,
    ...others
  } = properties
  return others
}
