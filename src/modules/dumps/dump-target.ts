import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import type { TableState } from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import type { Schema } from '../../core/value/type.ts'
import { getSnapshot, getTable, schemaOfReading } from '../../lake/table/table-lookup.ts'
import { choiceOf, type DumpFormatChoice, type DumpTarget, requireChoice } from './dump-key.ts'

/**
 * The requested dump. Its columns are those of the schema asked for, else of the table as it is now
 * where the selector moves with it, else of the snapshot.
 */
export async function getDumpTarget(
  deps: Stores<'tables' | 'snapshots'>,
  request: DumpFormatChoice & {
    readonly table: string
    readonly selector: SnapshotSelector
    readonly schemaId?: number | undefined
  },
): Promise<DumpTarget> {
  requireChoice(request)
  const state = await getTable(deps.catalog, request.table)
  const snapshot = await getSnapshot(deps.catalog, state, request.selector)
  if (snapshot === undefined) {
    const table = formatTableName(state.namespace, state.name)
    throw new CatalogError(
      'snapshot-not-found',
      `${table} has no snapshot yet, so there is nothing to dump`,
      {
        facts: { table },
      },
    )
  }
  const { schemaId } = request
  const schema =
    schemaId === undefined
      ? schemaOfReading(state, request.selector, snapshot)
      : requireSchema(state, schemaId)
  return { state, snapshot, schema, ...choiceOf(request) }
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
 * same second, so an HTTP date identifies the state. Columns change without a snapshot, at a time
 * that nobody knows later.
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
  const isAlone = before === undefined || secondOf(before) < secondOf(newest)
  const { lastUpdatedMs, definition } = state
  const hasItsColumns =
    asAtMs !== undefined || definition.schemas.length === 1 || lastUpdatedMs <= newest.timestampMs
  const isOwn = schema.schemaId === snapshot.schemaId
  return { atMs: isOwn ? newest.timestampMs : lastUpdatedMs, isExact: isAlone && hasItsColumns }
}

function secondOf({ timestampMs }: { readonly timestampMs: number }): number {
  return Math.floor(timestampMs / 1000)
}
