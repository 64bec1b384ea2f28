import type { Stores } from '../../catalog/catalog.ts'
import type { ListTablesQuery, TableSummary } from '../../catalog/table-store.ts'
import { CatalogError } from '../../core/errors.ts'
import { TABLE_METADATA_CHARACTERS_MAX } from '../../core/limits.ts'
import { PARTITION_FIELD_ID_BASE, UNSORTED } from '../../core/partition/partition-spec.ts'
import { buildPartitionSpec, type PartitioningColumn } from '../../core/partition/partitioning.ts'
import type { Keep } from '../../core/replay.ts'
import { type ColumnDefinition, parseColumns } from '../../core/schema/column-definition.ts'
import { highestFieldId } from '../../core/schema/schema-lookup.ts'
import { requireValidFields } from '../../core/schema/schema-rules.ts'
import { schemaIdAfterRollback } from '../../core/table/schema-of-rollback.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import {
  currentSchema,
  getSchema,
  type TableDefinition,
  type TableState,
} from '../../core/table/table.ts'
import { formatTableName, parseNewTableName } from '../../core/table/table-name.ts'
import {
  type AliasesById,
  changeAliases,
  changeDescription,
  readDescription,
  type TableDescriptionChange,
  type TableProperties,
} from '../../core/table-properties.ts'
import type { Field, Schema } from '../../core/value/type.ts'
import { inferSchemaFields } from '../../formats/parquet/schema/parquet-schema.ts'
import { changeTable, type TableDifference } from '../../lake/commit/change-table.ts'
import type { CommitDependencies } from '../../lake/commit/commit-dependencies.ts'
import { dataFileLocation } from '../../lake/file/data-file-location.ts'
import { readFooterOf } from '../../lake/file/read-footer.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { planScan, type ScanPlan } from '../../lake/scan/plan-files.ts'
import { getSnapshot, getTable, isCurrent } from '../../lake/table/table-lookup.ts'

/** Below one of these lie the files of another table, or what is swept. */
const RESERVED_FOLDERS = ['metadata', 'data', 'dumps']

export interface CreateTableRequest extends TableDescriptionChange {
  readonly name: string
  /** Dotted; `default` when absent. */
  readonly namespace?: string | undefined
  /** These, or `inferFrom`: exactly one. */
  readonly columns?: readonly ColumnDefinition[] | undefined
  /** Location of a data file to take the columns from. */
  readonly inferFrom?: string | undefined
  readonly partitioning?: readonly PartitioningColumn[] | undefined
  /** An empty folder of the warehouse for the table's own files. */
  readonly location?: string | undefined
}

export interface TableReading {
  readonly state: TableState
  /** `undefined` while the table has none. */
  readonly snapshot: Snapshot | undefined
  readonly schema: Schema
  readonly plan: ScanPlan
  /** Newest metadata file; it holds this very state when no moment was asked for. */
  readonly metadataLocation: string | undefined
}

/** What making a table takes. */
export type NewTableDependencies = Stores<'tables'> &
  Pick<LakeServices, 'ambient' | 'log' | 'objects' | 'publisher' | 'warehouse'>

/** What reading a table takes. */
export type ReadDependencies = Stores<'tables' | 'snapshots'> &
  Pick<LakeServices, 'log' | 'manifests' | 'publisher'>

/**
 * A table is born with a schema and no snapshot. `table-already-exists` compares names without
 * case.
 */
export async function createTable(
  deps: NewTableDependencies,
  request: CreateTableRequest,
  keep?: Keep<TableState>,
): Promise<TableState> {
  const { namespace, name } = parseNewTableName(request)
  const { fields, aliasesById } = await columnsOf(deps, request)
  const schema: Schema = { schemaId: 0, fields, identifierFieldIds: [] }
  const spec = buildPartitionSpec(schema, request.partitioning ?? [])
  const tableUuid = deps.ambient.newUuid()
  const location = await newLocation(deps, request.location, { namespace, name, tableUuid })
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
  return addTable(deps, newState(deps, { namespace, name, definition }), keep)
}

/** A state of version 0 that no catalog has yet. */
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
  deps: Stores<'tables'> & Pick<NewTableDependencies, 'publisher' | 'log'>,
  state: TableState,
  keep?: Keep<TableState>,
): Promise<TableState> {
  const none = { snapshots: [], snapshotLog: [], addedPaths: [] }
  const outcome = await deps.catalog.tables.create({ state, ...none }, keep?.(state))
  if (outcome !== 'created') throw alreadyExists(state, outcome)
  const metadataLocation = await publishedLocation(deps, state)
  return { ...state, metadataLocation }
}

export function alreadyExists(
  { namespace, name }: TableState,
  outcome: 'already-exists' | 'view-exists',
): CatalogError {
  const table = formatTableName(namespace, name)
  const existing = outcome === 'view-exists' ? 'view' : 'table'
  return new CatalogError('table-already-exists', `there is a ${existing} ${table} already`, {
    facts: { table, existing },
  })
}

async function columnsOf(
  { objects }: Pick<LakeServices, 'objects'>,
  { columns, inferFrom }: CreateTableRequest,
): Promise<{ fields: readonly Field[]; aliasesById: AliasesById }> {
  if (columns !== undefined && inferFrom === undefined) return parseColumns(columns)
  if (columns === undefined && inferFrom !== undefined) {
    const { footer } = await readFooterOf(objects, dataFileLocation(inferFrom))
    const fields = inferSchemaFields(footer)
    requireValidFields(fields)
    return { fields, aliasesById: new Map() }
  }
  throw new CatalogError(
    'schema-invalid',
    'give the columns in "schema", or a data file in "infer_from": one of the two',
  )
}

/**
 * The default is unique to the table. A given one must be in the warehouse and hold no table's
 * metadata.
 */
export async function newLocation(
  { objects, warehouse }: Pick<LakeServices, 'objects' | 'warehouse'>,
  given: string | undefined,
  table: {
    readonly namespace: readonly string[]
    readonly name: string
    readonly tableUuid: string
  },
): Promise<string> {
  if (given === undefined) {
    return `${warehouse}/${table.namespace.join('/')}/${table.name}-${table.tableUuid}`
  }
  const location = dataFileLocation(given).replace(/\/+$/, '')
  if (!location.startsWith(`${warehouse}/`)) {
    throw new CatalogError('location-not-allowed', `a table's location is below the warehouse`, {
      facts: { location, warehouse },
    })
  }
  const segments = location.slice(warehouse.length).split('/')
  const reserved = segments.find((segment) => RESERVED_FOLDERS.includes(segment))
  if (reserved !== undefined) {
    throw new CatalogError(
      'location-not-allowed',
      `a table's location cannot have a folder named ${reserved}: tables and dumps keep their ` +
        'own files there',
      { facts: { location, reserved: RESERVED_FOLDERS } },
    )
  }
  for await (const _ of objects.list(`${location}/metadata`)) {
    throw new CatalogError('location-not-allowed', `${location} holds the metadata of a table`, {
      facts: { location },
    })
  }
  return location
}

/** A table now or at a moment, with the data files that the filter keeps. */
export async function readTable(
  deps: ReadDependencies,
  request: SnapshotSelector & { readonly table: string; readonly filter?: string | undefined },
): Promise<TableReading> {
  const state = await getTable(deps.catalog, request.table)
  const isNow = request.asAtMs === undefined && isCurrent(request.snapshotIdentifier)
  const snapshot = await getSnapshot(deps.catalog, state, request)
  const schema =
    isNow || snapshot === undefined
      ? currentSchema(state.definition)
      : getSchema(state.definition, snapshot.schemaId)
  const plan = await planScan(deps, state, { snapshot, schema, filter: request.filter })
  const metadataLocation = isNow ? await publishedLocation(deps, state) : state.metadataLocation
  return { state, snapshot, schema, plan, metadataLocation }
}

/**
 * Waits for the publication of this state; when that fails, or is not cheap, the newest that
 * exists.
 */
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
    log.warn({ err }, 'metadata file could not be published')
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
 * Makes an older snapshot current, as a new entry of the log: nothing is forgotten. The schema
 * stays, unless files of that snapshot hold a column that was converted to another type since.
 */
export function rollbackTable(
  deps: CommitDependencies,
  table: string,
  selector: SnapshotSelector,
  keep?: Keep<TableState>,
): Promise<TableState> {
  const rolledBack = async (state: TableState): Promise<TableDifference> => {
    const snapshot = await getSnapshot(deps.catalog, state, selector)
    if (snapshot === undefined || snapshot.snapshotId === state.currentSnapshot?.snapshotId)
      return {}
    const { definition } = state
    const currentSchemaId = schemaIdAfterRollback(definition, snapshot.schemaId)
    return currentSchemaId === definition.currentSchemaId
      ? { currentSnapshot: snapshot }
      : { currentSnapshot: snapshot, definition: { ...definition, currentSchemaId } }
  }
  return changeTable(deps, table, rolledBack, keep)
}

/**
 * Each request is small, but what they merge into must stay so, too: it is part of every metadata
 * file.
 */
function requireDescriptionLength(properties: TableProperties): void {
  const { metadata } = readDescription(properties)
  const lengthMax = TABLE_METADATA_CHARACTERS_MAX
  if (JSON.stringify(metadata).length <= lengthMax) return
  throw new CatalogError(
    'request-invalid',
    `a table's "metadata" can have at most ${lengthMax} characters of JSON: remove keys by ` +
      'setting them to null',
    { facts: { lengthMax } },
  )
}
