import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import { childFields } from '../../core/schema/schema-lookup.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import type { TableState } from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import { type Field, type Schema, type Type, typeName } from '../../core/value/type.ts'
import { type AuthorizeFound, type PolicyOn, restrictionFor } from '../../http/permission.ts'
import {
  getSnapshot,
  getTable,
  type LookupDependencies,
  schemaOfReading,
} from '../../lake/table/table-lookup.ts'
import { NO_SNAPSHOT_ID } from './dump-folder.ts'
import { choiceOf, type DumpFormatChoice, type DumpTarget, requireChoice } from './dump-key.ts'

/**
 * The requested dump. Its columns are those of the schema asked for, else of the table as it is now
 * where the selector moves with it, else of the snapshot. A table without a snapshot has no rows.
 */
export async function getDumpTarget(
  deps: Stores<'tables'> & LookupDependencies,
  request: DumpFormatChoice & {
    readonly table: string
    readonly selector: SnapshotSelector
    readonly schemaId?: number | undefined
    /** As in `Call`. */
    readonly policyOn: PolicyOn
    /** As in `Call`; absent where the table is named by its UUID, for which was asked. */
    readonly authorizeFound?: AuthorizeFound | undefined
  },
): Promise<DumpTarget> {
  requireChoice(request)
  const state = await getTable(deps.catalog, request.table)
  const { table: asked, selector, schemaId } = request
  const { tableUuid } = state.definition
  await request.authorizeFound?.('select', { asked, tableUuid }, 'filtered')
  const isOfNone = selector.snapshotIdentifier === String(NO_SNAPSHOT_ID)
  const found = isOfNone ? undefined : await getSnapshot(deps, state, selector)
  const schema =
    schemaId === undefined
      ? schemaOfReading(state, selector, found)
      : requireSchema(state, schemaId)
  const { policyOn } = request
  const covered = `give schema_id=${state.definition.currentSchemaId}`
  const restriction = restrictionFor(state, { schema, policyOn, covered })
  requireColumns(state, schema)
  requireTypes(schema, request)
  const snapshot = found ?? noSnapshot(state)
  return { state, snapshot, schema, restriction, ...choiceOf(request) }
}

/** Engines make tables without columns, over Iceberg REST; no format of a dump can show one. */
function requireColumns({ namespace, name }: TableState, { fields, schemaId }: Schema): void {
  if (fields.length > 0) return
  throw new CatalogError(
    'not-implemented',
    `${formatTableName(namespace, name)} has no columns to dump in its schema ${schemaId}: ` +
      'add a column to the table, or dump a snapshot or schema that has some',
    { facts: { schemaId } },
  )
}

/** Types that only engines read and write. */
const NEVER_DUMPED: ReadonlySet<string> = new Set(['variant', 'opaque'])
const COLUMNS_TOLD_MAX = 20

/** Begins nothing for a dump that could not be finished. */
function requireTypes({ fields }: Schema, { format }: DumpFormatChoice): void {
  const found: string[] = []
  let first: Type | undefined
  const visit = (field: Field, above: string): void => {
    const path = `${above}${field.name}`
    const { type } = field
    // Row groups are copied as they are; what is converted has no such type.
    const isParquetOnly = type.kind === 'timestamptz_ns'
    if (NEVER_DUMPED.has(type.kind) || (isParquetOnly && format !== 'parquet')) {
      first ??= type
      found.push(path)
    }
    for (const below of childFields(type)) visit(below, `${path}.`)
  }
  for (const field of fields) visit(field, '')
  if (first === undefined) return
  throw new CatalogError(
    'not-implemented',
    `column ${found[0]} is of type ${typeName(first)}, which a dump as ${format} cannot have: ` +
      'read the table with an engine, or dump a schema without such columns (schema_id)',
    { facts: { column: found[0], columns: found.slice(0, COLUMNS_TOLD_MAX) } },
  )
}

/** What a dump of a table without a snapshot shows: no rows, and columns that its name tells. */
function noSnapshot({ lastUpdatedMs }: TableState): Snapshot {
  return {
    snapshotId: NO_SNAPSHOT_ID,
    parentSnapshotId: null,
    sequenceNumber: 0n,
    timestampMs: lastUpdatedMs,
    operation: 'append',
    summary: {},
    manifestList: '',
    schemaId: -1,
  }
}

function requireSchema({ definition, namespace, name }: TableState, schemaId: number): Schema {
  const schema = definition.schemas.find((each) => each.schemaId === schemaId)
  if (schema !== undefined) return schema
  const schemaIds = definition.schemas.map((each) => each.schemaId)
  throw new CatalogError(
    'request-invalid',
    `${formatTableName(namespace, name)} has no schema ${schemaId}: ` +
      `its schemas are ${schemaIds.slice(-20).join(', ')}`,
    { facts: { schemaId, schemaIds: schemaIds.slice(-20) } },
  )
}

/**
 * When the table became what `as_at` (or now) shows. `isExact`: no other change happened in the
 * same second, so an HTTP date identifies the state.
 */
export async function findChangeTime(
  deps: Stores<'snapshots'>,
  { state, snapshot, schema }: DumpTarget,
  asAtMs: number | undefined,
): Promise<{ readonly atMs: number; readonly isExact: boolean } | undefined> {
  const [newest, before] = await deps.catalog.snapshots.pageLog({
    tableUuid: state.definition.tableUuid,
    ...(asAtMs === undefined ? {} : { beforeMs: asAtMs + 1 }),
    limit: 2,
  })
  if (newest === undefined) return undefined
  if (newest.snapshotId !== snapshot.snapshotId) {
    // Logged after the moment that it is shown for, by a clock that is ahead.
    return { atMs: snapshot.timestampMs, isExact: false }
  }
  const isAlone = before === undefined || secondOf(before) < secondOf(newest)
  const { lastUpdatedMs } = state
  // A later change of the columns, or of how they are read, is of a time that nobody knows later.
  const isUnchanged = lastUpdatedMs <= newest.timestampMs
  const isOwn = schema.schemaId === snapshot.schemaId
  return { atMs: isOwn ? newest.timestampMs : lastUpdatedMs, isExact: isAlone && isUnchanged }
}

function secondOf({ timestampMs }: { readonly timestampMs: number }): number {
  return Math.floor(timestampMs / 1000)
}
