import type { Stores } from '../../catalog/catalog.ts'
import type { ListTablesQuery, TableSummary } from '../../catalog/table-store.ts'
import type { RequirePaths } from '../../core/access/require-paths.ts'
import { CatalogError } from '../../core/errors.ts'
import { TABLE_METADATA_CHARACTERS_MAX } from '../../core/limits.ts'
import { withoutSlashes } from '../../core/metadata/location.ts'
import { withCurrentSchema } from '../../core/metadata/schema-update.ts'
import { PARTITION_FIELD_ID_BASE, UNSORTED } from '../../core/partition/partition-spec.ts'
import { buildPartitionSpec, type PartitioningColumn } from '../../core/partition/partitioning.ts'
import type { Keep } from '../../core/replay.ts'
import { type ColumnDefinition, parseColumns } from '../../core/schema/column-definition.ts'
import { foldName, highestFieldId } from '../../core/schema/schema-lookup.ts'
import { requireBoundedDefinition } from '../../core/table/definition-size.ts'
import { nameKey } from '../../core/table/name-key.ts'
import { schemaIdAfterRollback } from '../../core/table/schema-of-rollback.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import type { TableDefinition, TableState } from '../../core/table/table.ts'
import {
  DEFAULT_NAMESPACE,
  formatTableName,
  type NamespacedName,
  parseNewTableName,
} from '../../core/table/table-name.ts'
import {
  type AliasesById,
  changeAliases,
  changeDescription,
  readDescription,
  type TableDescriptionChange,
  type TableProperties,
} from '../../core/table-properties.ts'
import type { Schema } from '../../core/value/type.ts'
import { changeTable, type TableDifference } from '../../lake/commit/change-table.ts'
import type { CommitDependencies } from '../../lake/commit/commit-dependencies.ts'
import { dataFileLocation } from '../../lake/file/data-file-location.ts'
import { type InferredColumns, inferColumns } from '../../lake/file/infer-columns.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { planScan, type ScanPlan } from '../../lake/scan/plan-files.ts'
import {
  defaultLocation,
  makeTableFolders,
  requireEmptyLocation,
} from '../../lake/table/table-location.ts'
import { getSnapshot, getTable, isCurrent, schemaOfReading } from '../../lake/table/table-lookup.ts'

export interface CreateTableRequest extends TableDescriptionChange {
  readonly name: string
  /** Dotted; `default` if absent. */
  readonly namespace?: string | undefined
  /** Exactly one of these and `inferFrom`. */
  readonly columns?: readonly ColumnDefinition[] | undefined
  /** A Parquet file to infer the columns from. */
  readonly inferFrom?: GivenFile | undefined
  /** Whether its folders `name=value` tell columns, too; true by default. */
  readonly hivePartitioning?: boolean | undefined
  readonly partitioning?: readonly PartitioningColumn[] | undefined
  /** An empty folder of the warehouse for the table's own files. */
  readonly location?: string | undefined
}

/** A table that was made, with what its maker is to know. */
export type CreatedTable = TableState & {
  /** By column of the file that it was inferred from. */
  readonly notes: readonly string[]
  /** Whether its namespace was made with it. */
  readonly isNamespaceNew: boolean
}

/** A file that a caller names. */
export interface GivenFile {
  readonly location: string
  /** Asked before the file is looked at. */
  readonly requirePaths: RequirePaths
}

export interface TableReading {
  readonly state: TableState
  /** `undefined` if the table has none yet. */
  readonly snapshot: Snapshot | undefined
  readonly schema: Schema
  readonly plan: ScanPlan
  /** Newest metadata file; describes exactly this state if no moment was requested. */
  readonly metadataLocation: string | undefined
  /** By how much the last change's stamp is ahead of the clock; mostly negative. */
  readonly aheadMs: number
}

/** Everything that creating a table uses. */
export type NewTableDependencies = Stores<
  'events' | 'locations' | 'namespaces' | 'paths' | 'tables'
> &
  Pick<
    LakeServices,
    'ambient' | 'log' | 'objects' | 'publisher' | 'warehouse' | 'writableLocations'
  >

/** Everything that reading a table uses. */
export type ReadDependencies = Stores<'tables' | 'snapshots'> &
  Pick<LakeServices, 'ambient' | 'log' | 'manifests' | 'publisher'>

/** Creates a table without a snapshot. Names that differ only in case are the same name. */
export async function createTable(
  deps: NewTableDependencies,
  request: CreateTableRequest,
  keep?: Keep<CreatedTable>,
): Promise<CreatedTable> {
  const { namespace, name } = parseNewTableName(request)
  const { fields, aliasesById, pathColumns, notes } = await columnsOf(deps, request)
  const schema: Schema = { schemaId: 0, fields, identifierFieldIds: [] }
  const spec = buildPartitionSpec(schema, partitioningOf(request, pathColumns))
  const tableUuid = deps.ambient.newUuid()
  const location = await locationOf(deps, request, { name, tableUuid })
  const definition: TableDefinition = {
    formatVersion: 2,
    tableUuid,
    location,
    lastColumnId: highestFieldId(schema),
    schemas: [schema],
    currentSchemaId: 0,
    partitionSpecs: [spec],
    defaultSpecId: 0,
    lastPartitionId: PARTITION_FIELD_ID_BASE + spec.fields.length,
    sortOrders: [UNSORTED],
    defaultSortOrderId: 0,
    properties: changeAliases(changeDescription({}, request), aliasesById),
  }
  requireBoundedDefinition(definition)
  const state = newState(deps, { namespace, name, definition })
  const isNamespaceNew = await isNewNamespace(deps, namespace)
  return addTable(deps, { ...state, notes, isNamespaceNew }, keep)
}

/** Whether a table makes its namespace; `default` is no name that anybody mistypes. */
export async function isNewNamespace(
  { catalog }: Stores<'namespaces'>,
  levels: readonly string[],
): Promise<boolean> {
  if (levels.map(nameKey).join('.') === DEFAULT_NAMESPACE.join('.')) return false
  return (await catalog.namespaces.find(levels)) === undefined
}

/** A state of version 0, not yet in any catalog. */
export function newState(
  { ambient }: Pick<LakeServices, 'ambient'>,
  { namespace, name, definition }: Pick<TableState, 'namespace' | 'name' | 'definition'>,
): TableState {
  const nowMs = ambient.nowMs()
  return {
    namespace,
    name,
    definition,
    version: 0,
    lastSequenceNumber: 0n,
    lastUpdatedMs: nowMs,
    createdAtMs: nowMs,
    currentSnapshot: undefined,
    refs: {},
    metadataLocation: undefined,
    publishedVersion: -1,
  }
}

async function addTable(
  deps: Stores<'tables'> & Pick<NewTableDependencies, 'objects' | 'publisher' | 'log'>,
  { notes, isNamespaceNew, ...state }: CreatedTable,
  keep?: Keep<CreatedTable>,
): Promise<CreatedTable> {
  const told = { notes, isNamespaceNew }
  const none = { snapshots: [], snapshotLog: [], addedPaths: [] }
  await makeTableFolders(deps, state.definition)
  const outcome = await deps.catalog.tables.create(
    { state, ...none },
    keep?.({ ...state, ...told }),
  )
  if (outcome !== 'created') throw alreadyExists(state, outcome)
  const metadataLocation = await publishedLocation(deps, state)
  return { ...state, ...told, metadataLocation }
}

export function alreadyExists(
  name: NamespacedName,
  outcome: 'already-exists' | 'view-exists',
): CatalogError {
  return nameTaken(name, outcome === 'view-exists' ? 'view' : 'table')
}

export function nameTaken(
  { namespace, name }: NamespacedName,
  existing: 'table' | 'view',
): CatalogError {
  const table = formatTableName(namespace, name)
  return new CatalogError(
    'table-already-exists',
    `${existing} ${table} already exists: choose another name`,
    {
      facts: { table, existing },
    },
  )
}

async function columnsOf(
  deps: Pick<LakeServices, 'objects' | 'warehouse'>,
  { columns, inferFrom, hivePartitioning: readsPath }: CreateTableRequest,
): Promise<InferredColumns & { aliasesById: AliasesById }> {
  if (columns !== undefined && inferFrom === undefined) {
    return { ...parseColumns(columns), pathColumns: [], notes: [] }
  }
  if (columns === undefined && inferFrom !== undefined) {
    const { location, requirePaths } = inferFrom
    const inferred = await inferColumns(deps, location, { readsPath, requirePaths })
    return { ...inferred, aliasesById: new Map() }
  }
  throw new CatalogError(
    'schema-invalid',
    'give either the columns in "schema" or a data file in "infer_from"',
  )
}

/** Only in a table that is partitioned by them, readers find the values of such columns. */
function partitioningOf(
  { partitioning = [] }: CreateTableRequest,
  pathColumns: readonly string[],
): readonly PartitioningColumn[] {
  const given = new Set(
    partitioning
      .filter(({ transform }) => transform.toLowerCase() === 'identity')
      .map(({ column }) => foldName(column)),
  )
  const missing = pathColumns.filter((column) => !given.has(foldName(column)))
  return [...missing.map((column) => ({ column, transform: 'identity' })), ...partitioning]
}

/** A given one must hold no table's metadata; without one, it is the table's alone. */
async function locationOf(
  deps: NewTableDependencies,
  { location: given }: CreateTableRequest,
  { name, tableUuid }: { readonly name: string; readonly tableUuid: string },
): Promise<string> {
  if (given === undefined) return defaultLocation(deps, { name }, tableUuid)
  const location = withoutSlashes(dataFileLocation(given))
  await requireEmptyLocation(deps, { location, tableUuid })
  return location
}

/** A table as of now or of a moment, with the data files that the filter keeps. */
export async function readTable(
  deps: ReadDependencies,
  request: SnapshotSelector & {
    readonly table: string
    readonly filter?: string | undefined
    readonly signal?: AbortSignal
  },
): Promise<TableReading> {
  const { filter, signal } = request
  const state = await getTable(deps.catalog, request.table)
  const isNow = isCurrent(request)
  const snapshot = await getSnapshot(deps, state, request)
  const schema = schemaOfReading(state, request, snapshot)
  const plan = await planScan(deps, state, { snapshot, schema, filter, signal })
  const metadataLocation = isNow ? await publishedLocation(deps, state) : state.metadataLocation
  const aheadMs = state.lastUpdatedMs - deps.ambient.nowMs()
  return { state, snapshot, schema, plan, metadataLocation, aheadMs }
}

/** Publishes this state; if that fails or is not cheap, returns the newest published location. */
export async function publishedLocation(
  { publisher, log }: Pick<LakeServices, 'publisher' | 'log'>,
  state: TableState,
): Promise<string | undefined> {
  if (state.publishedVersion === state.version) return state.metadataLocation
  if (state.metadataLocation !== undefined && !publisher.isCheap(state)) {
    publisher.schedule(state.definition.tableUuid)
    return state.metadataLocation
  }
  try {
    return await publisher.publish(state.definition.tableUuid)
  } catch (err) {
    log.warn({ err }, 'a metadata file could not be published; it will be tried again')
    publisher.schedule(state.definition.tableUuid)
    return state.metadataLocation
  }
}

export function listTables(
  { catalog }: Stores<'tables'>,
  query: ListTablesQuery,
): Promise<readonly TableSummary[]> {
  return catalog.tables.list(query)
}

export function describeTable(
  deps: CommitDependencies,
  table: string,
  change: TableDescriptionChange,
  keep?: Keep<TableState>,
): Promise<TableState> {
  const described = ({ definition }: TableState) => {
    const properties = changeDescription(definition.properties, change)
    requireDescriptionLength(properties)
    return { definition: { ...definition, properties } }
  }
  return changeTable(deps, table, described, keep)
}

/**
 * Makes an older snapshot current, as a new entry of the log: nothing is lost. The schema stays,
 * unless files of that snapshot have a column that was converted to another type since.
 */
export function rollbackTable(
  deps: CommitDependencies,
  table: string,
  selector: SnapshotSelector,
  keep?: Keep<TableState>,
): Promise<TableState> {
  const rolledBack = async (state: TableState): Promise<TableDifference> => {
    const snapshot = await getSnapshot(deps, state, selector)
    if (snapshot === undefined || snapshot.snapshotId === state.currentSnapshot?.snapshotId)
      return {}
    const { definition } = state
    const schemaId = schemaIdAfterRollback(definition, snapshot.schemaId)
    return { currentSnapshot: snapshot, definition: withCurrentSchema(definition, schemaId) }
  }
  return changeTable(deps, table, rolledBack, keep)
}

/** Requests are small, but the metadata they add up to must be, too: every metadata file has it. */
function requireDescriptionLength(properties: TableProperties): void {
  const { metadata } = readDescription(properties)
  const lengthMax = TABLE_METADATA_CHARACTERS_MAX
  if (JSON.stringify(metadata).length <= lengthMax) return
  throw new CatalogError(
    'request-invalid',
    `a table's "metadata" may have at most ${lengthMax} characters of JSON: ` +
      'remove keys by setting them to null',
    { facts: { lengthMax } },
  )
}
