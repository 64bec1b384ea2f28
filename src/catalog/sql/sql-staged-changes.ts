import { sql } from 'kysely'
import type { StagedChange, StagedFile } from '../../core/table/transaction.ts'
import { Turns } from '../../core/turns.ts'
import type { Connection } from './engine/sql-engine.ts'
import { decodeExact } from './rows/tagged-json.ts'

/** More than most transactions have, and less than a millisecond's work. */
const BODIES_PER_TURN = 128

/** One statement, so that staging at the same time is seen whole or not at all. */
export async function stagedRows(
  connection: Connection,
  transactionId: string,
): Promise<readonly StagedRow[]> {
  const { rows } = await sql<StagedRow>`
    select 'table' as kind, table_uuid, position, base_snapshot_id, truncates, '' as body
    from transaction_tables where transaction_id = ${transactionId}
    union all
    select 'file', table_uuid, position, null, 0, staged_file
    from staged_files where transaction_id = ${transactionId}
    union all
    select 'removal', table_uuid, 0, null, 0, path
    from staged_removals where transaction_id = ${transactionId}`.execute(connection)
  return rows
}

interface StagedRow {
  readonly kind: string
  readonly table_uuid: string
  readonly position: bigint
  readonly base_snapshot_id: bigint | null
  readonly truncates: bigint
  readonly body: string
}

/** Others get turns in between: a transaction may have a hundred thousand files. */
export async function stagedChangesOf(
  rows: readonly StagedRow[],
): Promise<readonly StagedChange[]> {
  const turns = new Turns()
  const inOrder = rows.toSorted((a, b) => Number(a.position - b.position))
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

async function bodies<T>(staged: readonly StagedRow[], kind: string, turns: Turns): Promise<T[]> {
  const found: T[] = []
  for (const row of staged) {
    if (row.kind !== kind) continue
    found.push(decodeExact<T>(row.body))
    if (found.length % BODIES_PER_TURN === 0) await turns.take()
  }
  return found
}
