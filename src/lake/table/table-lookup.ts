import type { Catalog, Stores } from '../../catalog/catalog.ts'
import type { TableKey } from '../../catalog/table-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import { CatalogError } from '../../core/errors.ts'
import { endingAdvice } from '../../core/table/file-endings.ts'
import { schemaIdAfterRollback } from '../../core/table/schema-of-rollback.ts'
import { MAIN_BRANCH, type Snapshot, type SnapshotLogEntry } from '../../core/table/snapshot.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import { currentSchema, getSchema, type TableState } from '../../core/table/table.ts'
import { formatTableName, parseTableIdentifier } from '../../core/table/table-name.ts'
import type { Schema } from '../../core/value/type.ts'

const SNAPSHOT_ID = /^\d{1,19}$/
/** What is called now by a client, whose request takes a while and whose clock differs a little. */
const NOW_MS = 60_000
/** By as much no table is ahead of the clock because it is changed so fast. */
const WRONG_MS = 1_000

export interface LookupDependencies extends Stores<'snapshots'> {
  readonly ambient: Pick<Ambient, 'nowMs'>
}

export async function getTable(
  catalog: Pick<Catalog, 'tables'>,
  identifier: string,
): Promise<TableState> {
  const key = parseTableIdentifier(identifier)
  const state = await catalog.tables.find(key)
  if (state === undefined) throw tableNotFound(key)
  return state
}

export function tableNotFound(key: TableKey): CatalogError {
  const table = 'tableUuid' in key ? key.tableUuid : formatTableName(key.namespace, key.name)
  return new CatalogError('table-not-found', `there is no table ${table}`, { facts: { table } })
}

/**
 * `undefined` when the table has no snapshot yet and none in particular was asked for. A moment
 * that is now shows every change that was acknowledged, whatever its stamp.
 */
export async function getSnapshot(
  deps: LookupDependencies,
  state: TableState,
  selector: SnapshotSelector,
): Promise<Snapshot | undefined> {
  const { asAtMs, ref, snapshotIdentifier = ref } = selector
  if (asAtMs !== undefined) return getSnapshotAsAt(deps, state, asAtMs)
  if (snapshotIdentifier === undefined || isCurrent(selector)) return state.currentSnapshot
  const snapshotId =
    ref === undefined && SNAPSHOT_ID.test(snapshotIdentifier)
      ? BigInt(snapshotIdentifier)
      : state.refs[snapshotIdentifier]?.snapshotId
  const snapshot =
    snapshotId === undefined ? undefined : await findSnapshot(deps.catalog, state, snapshotId)
  if (snapshot === undefined) {
    const table = formatTableName(state.namespace, state.name)
    const shortened = snapshotIdentifier.slice(0, 100)
    throw new CatalogError(
      'snapshot-not-found',
      `${table} has no snapshot or ref ${shortened}${endingAdvice([table, state.name], shortened)}`,
      { facts: { snapshot: shortened, refs: Object.keys(state.refs) } },
    )
  }
  return snapshot
}

/** Whether it means the table as it is now. */
export function isCurrent({ asAtMs, snapshotIdentifier, ref }: SnapshotSelector): boolean {
  if (asAtMs !== undefined) return false
  if (ref !== undefined) return ref === MAIN_BRANCH
  return snapshotIdentifier === undefined || ['latest', MAIN_BRANCH].includes(snapshotIdentifier)
}

/**
 * The columns that a reading shows: the table's current ones where it moves with the table (now, or
 * a branch), else those of the snapshot, as in Iceberg's own readers; those of the snapshot, too,
 * where a column was converted since, which its files do not have.
 */
export function schemaOfReading(
  { definition, refs }: TableState,
  selector: SnapshotSelector,
  snapshot: Snapshot | undefined,
): Schema {
  if (isCurrent(selector) || snapshot === undefined) return currentSchema(definition)
  const { schemaId } = snapshot
  const isOfBranch = meansBranch(refs, selector)
  return getSchema(definition, isOfBranch ? schemaIdAfterRollback(definition, schemaId) : schemaId)
}

/** Whether it means another branch than that of the table itself. */
function meansBranch(refs: TableState['refs'], selector: SnapshotSelector): boolean {
  const { asAtMs, snapshotIdentifier = '', ref } = selector
  if (asAtMs !== undefined || (ref === undefined && SNAPSHOT_ID.test(snapshotIdentifier)))
    return false
  return refs[ref ?? snapshotIdentifier]?.type === 'branch'
}

async function findSnapshot(
  catalog: Pick<Catalog, 'snapshots'>,
  state: TableState,
  snapshotId: bigint,
): Promise<Snapshot | undefined> {
  if (snapshotId === state.currentSnapshot?.snapshotId) return state.currentSnapshot
  if (snapshotId >= 2n ** 63n) return undefined
  return catalog.snapshots.find(state.definition.tableUuid, snapshotId)
}

/** As milliseconds it is of 1970 to 1973; as seconds, of up to the year 5138. */
const LIKELY_SECONDS_MAX = 100_000_000_000

async function getSnapshotAsAt(
  { catalog, ambient }: LookupDependencies,
  state: TableState,
  asAtMs: number,
): Promise<Snapshot> {
  if (await isNow(catalog, state, { asAtMs, nowMs: ambient.nowMs() })) {
    if (state.currentSnapshot !== undefined) return state.currentSnapshot
  }
  const snapshot = await catalog.snapshots.findAsAt(state.definition.tableUuid, asAtMs)
  if (snapshot !== undefined) return snapshot
  const first = await findFirstEntry(catalog, state)
  const name = formatTableName(state.namespace, state.name)
  const facts = {
    asAt: new Date(asAtMs).toISOString(),
    firstSnapshotAt: first === undefined ? null : new Date(first.timestampMs).toISOString(),
  }
  const detail =
    first === undefined
      ? `${name} has no snapshot yet`
      : `${name} had no snapshot at ${facts.asAt}; its first is of ${facts.firstSnapshotAt}` +
        (asAtMs > 0 && asAtMs < LIKELY_SECONDS_MAX ? ' (a number is of milliseconds)' : '')
  throw new CatalogError('as-at-before-first-snapshot', detail, { facts })
}

/**
 * Whether a moment shows all that was acknowledged because the log is ahead of the clock: it was
 * written by a clock that was wrong, or faster than one change a millisecond. A moment that is the
 * stamp of a change is always that change's.
 */
async function isNow(
  catalog: Pick<Catalog, 'snapshots'>,
  { definition, lastUpdatedMs }: TableState,
  { asAtMs, nowMs }: { readonly asAtMs: number; readonly nowMs: number },
): Promise<boolean> {
  if (lastUpdatedMs <= nowMs || Math.abs(asAtMs - nowMs) > NOW_MS) return false
  const { tableUuid } = definition
  const [[newest], [before]] = await Promise.all([
    catalog.snapshots.pageLog({ tableUuid, limit: 1 }),
    catalog.snapshots.pageLog({ tableUuid, beforeMs: asAtMs + 1, limit: 1 }),
  ])
  if (newest === undefined || newest.timestampMs <= nowMs) return false
  const isClockWrong = newest.timestampMs - nowMs > WRONG_MS
  return before?.timestampMs !== asAtMs && (isClockWrong || asAtMs >= nowMs)
}

async function findFirstEntry(
  catalog: Pick<Catalog, 'snapshots'>,
  { definition }: TableState,
): Promise<SnapshotLogEntry | undefined> {
  for await (const page of catalog.snapshots.readLog(definition.tableUuid)) return page[0]
  return undefined
}
