import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Compilable } from 'kysely'
import type { Snapshot, SnapshotLogEntry } from '../../core/table/snapshot.ts'
import type { SnapshotLogPageEntry, SnapshotLogQuery, SnapshotStore } from '../snapshot-store.ts'
import type { TableCommit } from '../table-store.ts'
import {
  type Connection,
  chunks,
  read,
  type SqlEngine,
  type SqlTransaction,
} from './engine/sql-engine.ts'
import { type Param, prepared, rowOf } from './engine/sql-prepared.ts'
import type { SnapshotRow } from './engine/sql-schema.ts'
import { noPathInsert, type PathRow, pathInserts } from './paths/path-rows.ts'
import { logRows, SNAPSHOT_COLUMNS, snapshotOf, snapshotRow } from './rows/sql-rows.ts'

export class SqlSnapshots implements SnapshotStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  async find(tableUuid: string, snapshotId: bigint): Promise<Snapshot | undefined> {
    const { rows } = await read(this.#engine, (connection) =>
      connection.executeQuery(snapshotById(connection, { tableUuid, snapshotId })),
    )
    const [row] = rows
    return row === undefined ? undefined : snapshotOf(row)
  }

  async findAsAt(tableUuid: string, asAtMs: number): Promise<Snapshot | undefined> {
    const instant = wholeMs(asAtMs)
    const { rows } = await read(this.#engine, (connection) =>
      connection.executeQuery(snapshotAsAt(connection, { tableUuid, asAtMs: instant })),
    )
    const [row] = rows
    return row === undefined ? undefined : snapshotOf(row)
  }

  async list(tableUuid: string): Promise<readonly Snapshot[]> {
    const rows = await read(this.#engine, (connection) => inOrder(connection, tableUuid).execute())
    return rows.map(snapshotOf)
  }

  read(tableUuid: string): AsyncIterable<readonly Snapshot[]> {
    return inPages((last) =>
      read(this.#engine, (connection) => nextSnapshots(connection, tableUuid, last)),
    )
  }

  readLog(tableUuid: string): AsyncIterable<readonly SnapshotLogEntry[]> {
    return inPages((last: PositionedEntry | undefined) =>
      read(this.#engine, (connection) => nextLogEntries(connection, tableUuid, last)),
    )
  }

  pageLog(query: SnapshotLogQuery): Promise<readonly SnapshotLogPageEntry[]> {
    return read(this.#engine, (connection) => pageSnapshotLog(connection, query))
  }
}

const snapshotById = prepared(
  (connection, param: Param<{ tableUuid: string; snapshotId: bigint }>) =>
    connection
      .selectFrom('snapshots')
      .selectAll()
      .where('table_uuid', '=', param('tableUuid'))
      .where('snapshot_id', '=', param('snapshotId')),
)

const snapshotAsAt = prepared((connection, param: Param<{ tableUuid: string; asAtMs: bigint }>) =>
  connection
    .selectFrom('snapshots')
    .selectAll()
    .where('table_uuid', '=', param('tableUuid'))
    // A subquery, not a join: there is but one plan for it, a seek in the log's key and one in the
    // snapshots'.
    .where('snapshot_id', '=', (from) =>
      from
        .selectFrom('snapshot_log')
        .select('snapshot_id')
        .where('table_uuid', '=', param('tableUuid'))
        .where('timestamp_ms', '<=', param('asAtMs'))
        .orderBy('timestamp_ms', 'desc')
        .orderBy('position', 'desc')
        .limit(1),
    ),
)

/** Oldest first. */
function inOrder(connection: Connection, tableUuid: string) {
  return connection
    .selectFrom('snapshots')
    .selectAll()
    .where('table_uuid', '=', tableUuid)
    .orderBy('sequence_number')
    .orderBy('timestamp_ms')
    .orderBy('snapshot_id')
}

/** One page of a history that is read whole: some milliseconds of work. */
const PAGE_ROWS = 500

/**
 * Lets others work after each page. `next` returns what follows the last item of the page before.
 */
async function* inPages<T>(
  next: (last: T | undefined) => Promise<readonly T[]>,
): AsyncGenerator<readonly T[]> {
  for (let page = await next(undefined); page.length > 0; page = await next(page.at(-1))) {
    yield page
    if (page.length < PAGE_ROWS) return
    await nextTurn()
  }
}

export async function nextSnapshots(
  connection: Connection,
  tableUuid: string,
  last: Snapshot | undefined,
): Promise<readonly Snapshot[]> {
  let page = inOrder(connection, tableUuid).limit(PAGE_ROWS)
  if (last !== undefined) {
    const { sequenceNumber, timestampMs, snapshotId } = last
    page = page.where((where) =>
      where(
        where.refTuple('sequence_number', 'timestamp_ms', 'snapshot_id'),
        '>',
        where.tuple(sequenceNumber, BigInt(timestampMs), snapshotId),
      ),
    )
  }
  return (await page.execute()).map(snapshotOf)
}

interface PositionedEntry extends SnapshotLogEntry {
  readonly position: bigint
}

export async function nextLogEntries(
  connection: Connection,
  tableUuid: string,
  last: PositionedEntry | undefined,
): Promise<readonly PositionedEntry[]> {
  let page = connection
    .selectFrom('snapshot_log')
    .select(['timestamp_ms', 'position', 'snapshot_id'])
    .where('table_uuid', '=', tableUuid)
    .orderBy('timestamp_ms')
    .orderBy('position')
    .limit(PAGE_ROWS)
  if (last !== undefined) {
    page = page.where((where) =>
      where(
        where.refTuple('timestamp_ms', 'position'),
        '>',
        where.tuple(BigInt(last.timestampMs), last.position),
      ),
    )
  }
  return (await page.execute()).map((row) => ({
    timestampMs: Number(row.timestamp_ms),
    snapshotId: row.snapshot_id,
    position: row.position,
  }))
}

async function pageSnapshotLog(
  connection: Connection,
  { tableUuid, beforeMs, afterMs, limit }: SnapshotLogQuery,
): Promise<readonly SnapshotLogPageEntry[]> {
  let page = connection
    .selectFrom('snapshot_log')
    .select(['timestamp_ms as logged_at_ms', 'position', 'snapshot_id as logged_id'])
    .where('table_uuid', '=', tableUuid)
    .orderBy('timestamp_ms', 'desc')
    .orderBy('position', 'desc')
    .limit(limit)
  if (beforeMs !== undefined) page = page.where('timestamp_ms', '<', wholeMs(Math.ceil(beforeMs)))
  if (afterMs !== undefined) page = page.where('timestamp_ms', '>', wholeMs(afterMs))
  const rows = await connection
    .selectFrom(page.as('page'))
    .innerJoin('snapshots as s', 's.snapshot_id', 'page.logged_id')
    .selectAll('s')
    .select('page.logged_at_ms')
    .where('s.table_uuid', '=', tableUuid)
    .orderBy('page.logged_at_ms', 'desc')
    .orderBy('page.position', 'desc')
    .execute()
  return rows.map((row) => ({
    timestampMs: Number(row.logged_at_ms),
    snapshotId: row.snapshot_id,
    snapshot: snapshotOf(row),
  }))
}

function wholeMs(instantMs: number): bigint {
  const { MIN_SAFE_INTEGER, MAX_SAFE_INTEGER } = Number
  // Beyond these nothing happened, and 64 bits would not hold every number.
  return BigInt(Math.floor(Math.min(Math.max(instantMs, MIN_SAFE_INTEGER), MAX_SAFE_INTEGER)))
}

/** Removes what the commit forgets, and the log up to and with it. */
export async function forgetSnapshots(
  transaction: SqlTransaction,
  table: TableCommit,
): Promise<void> {
  const { removedSnapshotIds = [], state } = table
  const current = state.currentSnapshot?.snapshotId
  if (current !== undefined && removedSnapshotIds.includes(current)) {
    throw new Error(`commit that forgets the current snapshot ${current}`)
  }
  const tableUuid = tableUuidOf(table)
  for (const chunk of chunks(removedSnapshotIds)) {
    await transaction
      .deleteFrom('snapshots')
      .where('table_uuid', '=', tableUuid)
      .where('snapshot_id', 'in', chunk)
      .execute()
    await cutLog(transaction, tableUuid, chunk)
  }
}

/** Up to and with the last entry of any of these snapshots. */
async function cutLog(
  transaction: SqlTransaction,
  tableUuid: string,
  snapshotIds: readonly bigint[],
): Promise<void> {
  await transaction
    .deleteFrom('snapshot_log')
    .where('table_uuid', '=', tableUuid)
    .where((where) =>
      where(
        where.refTuple('timestamp_ms', 'position'),
        '<=',
        where
          .selectFrom('snapshot_log as gap')
          .select(['gap.timestamp_ms', 'gap.position'])
          .where('gap.table_uuid', '=', tableUuid)
          .where('gap.snapshot_id', 'in', snapshotIds)
          .orderBy('gap.timestamp_ms', 'desc')
          .orderBy('gap.position', 'desc')
          .limit(1)
          .$asTuple('timestamp_ms', 'position'),
      ),
    )
    .execute()
}

/** What the commit adds to the snapshots, their log and the known paths. */
export function* historyInserts(
  transaction: SqlTransaction,
  tables: readonly TableCommit[],
  {
    firstPositions,
    ahead,
  }: {
    readonly firstPositions: readonly bigint[]
    readonly ahead: ReadonlyMap<TableCommit, { readonly footers: readonly PathRow[] }>
  },
): Generator<Compilable> {
  const snapshots = tables.flatMap((table) =>
    table.newSnapshots.map((snapshot) => snapshotRow(tableUuidOf(table), snapshot)),
  )
  const log = tables.flatMap((table, index) =>
    logRows(tableUuidOf(table), table.newLogEntries, firstPositions[index] ?? 0n),
  )
  const paths = tables.map((table) => {
    const [tableUuid, named] = [tableUuidOf(table), ahead.get(table)]
    if (named !== undefined) return { tableUuid, paths: [], rows: named.footers }
    return { tableUuid, paths: table.addedPaths, footers: table.footers }
  })
  for (const rows of chunks(snapshots)) yield snapshotInsert(transaction, rows)
  for (const rows of chunks(log)) yield transaction.insertInto('snapshot_log').values(rows)
  yield* pathInserts(transaction, paths)
  const isNoneNew = paths.every((table) => table.paths.length === 0)
  const namesAny = ({ addedPaths, pathsNamedAgain = [] }: TableCommit) =>
    addedPaths.length + pathsNamedAgain.length > 0
  if (isNoneNew && tables.some(namesAny)) yield noPathInsert(transaction)
}

/** Most commits bring one snapshot. */
function snapshotInsert(transaction: SqlTransaction, rows: readonly SnapshotRow[]): Compilable {
  const [first, ...others] = rows
  if (first === undefined || others.length > 0) {
    return transaction.insertInto('snapshots').values(rows)
  }
  return { compile: () => oneSnapshotInsert(transaction, first) }
}

const oneSnapshotInsert = prepared((connection, param: Param<SnapshotRow>) =>
  connection.insertInto('snapshots').values(rowOf(SNAPSHOT_COLUMNS, param)),
)

export function tableUuidOf(table: TableCommit): string {
  return table.state.definition.tableUuid
}
