import { type RawBuilder, sql } from 'kysely'
import type { StagedChange, StagedFile } from '../../../core/table/transaction.ts'
import { sortInTurns, Turns } from '../../../core/turns.ts'
import type { Connection } from '../engine/sql-engine.ts'
import { decodeExact } from './tagged-json.ts'

/** More than most transactions have, and less than a millisecond's work. */
const BODIES_PER_TURN = 128

/** Rows of one statement: their conversion takes some milliseconds, in which nobody else works. */
const ROWS_PER_PAGE = 1_000
/** A list that others add to all the time. */
const ATTEMPTS_MAX = 20

/**
 * What is staged, all of one moment: staging at the same time is seen whole or not at all. One
 * statement for most transactions; what is longer is read page by page, and again when somebody
 * staged in between. `undefined` if that goes on for ever.
 */
export async function stagedRows(
  connection: Connection,
  transactionId: string,
): Promise<readonly StagedRow[] | undefined> {
  const first = await firstPage(connection, transactionId)
  if (!isFull(first, 'file') && !isFull(first, 'removal')) return first
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const before = await revisionOf(connection, transactionId)
    const rows = (await firstPage(connection, transactionId)).filter(({ kind }) => kind === 'table')
    for await (const page of pagesOf(connection, 'file', transactionId)) rows.push(...page)
    for await (const page of pagesOf(connection, 'removal', transactionId)) rows.push(...page)
    if ((await revisionOf(connection, transactionId)) === before) return rows
  }
  return undefined
}

function isFull(rows: readonly StagedRow[], kind: StagedRow['kind']): boolean {
  return rows.reduce((count, row) => count + Number(row.kind === kind), 0) === ROWS_PER_PAGE
}

/** Changes with each staging, and when the transaction ends: then what was staged is deleted. */
async function revisionOf(connection: Connection, transactionId: string): Promise<string> {
  const row = await connection
    .selectFrom('transactions')
    .select(['revision', 'state'])
    .where('transaction_id', '=', transactionId)
    .executeTakeFirst()
  return row === undefined ? '' : `${row.state} ${row.revision}`
}

async function firstPage(connection: Connection, transactionId: string): Promise<StagedRow[]> {
  const { rows } = await sql<StagedRow>`
    select 'table' as kind, table_uuid, position, base_snapshot_id, truncates, '' as path_key,
      '' as body
    from transaction_tables where transaction_id = ${transactionId}
    union all
    select * from (${pageQuery('file', transactionId, undefined)}) as files
    union all
    select * from (${pageQuery('removal', transactionId, undefined)}) as removals`.execute(
    connection,
  )
  return rows
}

async function* pagesOf(
  connection: Connection,
  kind: 'file' | 'removal',
  transactionId: string,
): AsyncGenerator<readonly StagedRow[]> {
  for (let last: StagedRow | undefined; ; ) {
    const { rows } = await pageQuery(kind, transactionId, last).execute(connection)
    yield rows
    last = rows.at(-1)
    if (rows.length < ROWS_PER_PAGE) return
  }
}

function pageQuery(
  kind: 'file' | 'removal',
  transactionId: string,
  after: StagedRow | undefined,
): RawBuilder<StagedRow> {
  const [position, body] =
    kind === 'file' ? [sql`position`, 'staged_file'] : [sql`cast(0 as bigint)`, 'path']
  const rest =
    after === undefined
      ? sql``
      : sql`and (table_uuid, path_key) > (${after.table_uuid}, ${after.path_key})`
  return sql<StagedRow>`
    select ${sql.lit(kind)} as kind, table_uuid, ${position} as position,
      cast(null as bigint) as base_snapshot_id, cast(0 as bigint) as truncates,
      path_key, ${sql.ref(body)} as body
    from ${sql.table(`staged_${kind}s`)}
    where transaction_id = ${transactionId} ${rest}
    order by table_uuid, path_key limit ${sql.lit(ROWS_PER_PAGE)}`
}

interface StagedRow {
  readonly kind: string
  readonly table_uuid: string
  readonly position: bigint
  readonly base_snapshot_id: bigint | null
  readonly truncates: bigint
  readonly path_key: string
  readonly body: string
}

/** Others get turns in between: a transaction may have a hundred thousand files. */
export async function stagedChangesOf(
  rows: readonly StagedRow[],
): Promise<readonly StagedChange[]> {
  const turns = new Turns()
  const inOrder = await sortInTurns(rows, byPosition, turns)
  const touches = inOrder.filter((row) => row.kind === 'table')
  const byTable = new Map<string, StagedRow[]>(touches.map((row) => [row.table_uuid, []]))
  for (const row of inOrder) byTable.get(row.table_uuid)?.push(row)
  const changes: StagedChange[] = []
  for (const touch of touches) {
    const staged = byTable.get(touch.table_uuid) ?? []
    changes.push({
      tableUuid: touch.table_uuid,
      baseSnapshotId: touch.base_snapshot_id,
      truncate: touch.truncates === 1n,
      removedPaths: (await bodies<string>(staged, 'removal', turns)).sort(),
      addedFiles: await bodies<StagedFile>(staged, 'file', turns),
    })
  }
  return changes
}

function byPosition(left: StagedRow, right: StagedRow): number {
  return Number(left.position) - Number(right.position)
}

async function bodies<T>(staged: readonly StagedRow[], kind: string, turns: Turns): Promise<T[]> {
  const found: T[] = []
  for (const row of staged) {
    if (row.kind !== kind) continue
    found.push(decodeExact<T>(row.body))
    if (found.length % BODIES_PER_TURN === 0) await turns.take()
  }
  return found
}
