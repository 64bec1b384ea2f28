import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import { getSchema } from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import { getSnapshot, getTable } from '../../lake/table/table-lookup.ts'
import { choiceOf, type DumpFormatChoice, type DumpTarget, requireChoice } from './dump-key.ts'

/** The requested dump. Its columns are those of the snapshot, so its bytes never change. */
export async function getDumpTarget(
  deps: Stores<'tables' | 'snapshots'>,
  request: DumpFormatChoice & { readonly table: string; readonly selector: SnapshotSelector },
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
  const schema = getSchema(state.definition, snapshot.schemaId)
  return { state, snapshot, schema, ...choiceOf(request) }
}

/**
 * When the table became what `as_at` (or now) shows. `isExact`: no other change happened in the
 * same second, so an HTTP date identifies the state.
 */
export async function findChangeTime(
  deps: Stores<'snapshots'>,
  { state }: DumpTarget,
  asAtMs: number | undefined,
): Promise<{ readonly atMs: number; readonly isExact: boolean } | undefined> {
  const [newest, before] = await deps.catalog.snapshots.pageLog({
    tableUuid: state.definition.tableUuid,
    ...(asAtMs === undefined ? {} : { beforeMs: asAtMs + 1 }),
    limit: 2,
  })
  if (newest === undefined) return undefined
  const isExact = before === undefined || secondOf(before) < secondOf(newest)
  return { atMs: newest.timestampMs, isExact }
}

function secondOf({ timestampMs }: { readonly timestampMs: number }): number {
  return Math.floor(timestampMs / 1000)
}
