import type {
  AuditDecision,
  AuditQuery,
  AuditRow,
  AuditSeal,
  AuditStore,
  NewAuditRow,
  SealedRow,
  SealQuery,
} from '../../audit/audit-store.ts'
import {
  type Connection,
  chunks,
  forgetInRounds,
  read,
  type SqlEngine,
  type SqlTransaction,
  write,
} from '../engine/sql-engine.ts'
import type { AuditRowColumns, AuditSealColumns } from '../engine/sql-schema.ts'

/** Rows of one statement that adds them, of one transaction, and of one that removes them. */
const ADDED_BY_STATEMENT = 50
const ADDED_AT_ONCE = 500
const PRUNED_AT_ONCE = 5_000

export class SqlAudit implements AuditStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  async add(rows: readonly NewAuditRow[]): Promise<void> {
    for (const some of chunks(rows, ADDED_AT_ONCE)) {
      await write(this.#engine, async (transaction) => {
        for (const values of chunks(some, ADDED_BY_STATEMENT)) {
          await transaction
            .insertInto('audit_rows')
            .values(values.map(columnsOf))
            .onConflict((conflict) => conflict.column('row_id').doNothing())
            .execute()
        }
      })
    }
  }

  /** Each decision by its own index, in the order of the whole. */
  async list(query: AuditQuery): Promise<readonly AuditRow[]> {
    const { decisions, limit } = query
    const wanted = decisions === undefined ? [undefined] : new Set(decisions)
    const rows: AuditRow[] = []
    for (const decision of wanted) {
      const some = await read(this.#engine, (connection) =>
        selectRows(connection, { ...query, decision }).execute(),
      )
      rows.push(...some.map(rowOf))
    }
    return decisions === undefined ? rows : rows.sort(newestFirst).slice(0, limit)
  }

  async listOfSeal({ seal, after = 0n, limit }: SealQuery): Promise<readonly AuditRow[]> {
    const rows = await read(this.#engine, (connection) =>
      connection
        .selectFrom('audit_rows')
        .selectAll()
        .where('seal', seal === null ? 'is' : '=', seal)
        .where('position', '>', after)
        .orderBy('position')
        .limit(limit)
        .execute(),
    )
    return rows.map(rowOf)
  }

  async findLastSeal(): Promise<AuditSeal | undefined> {
    const row = await read(this.#engine, (connection) =>
      connection
        .selectFrom('audit_seals')
        .selectAll()
        .orderBy('seal', 'desc')
        .limit(1)
        .executeTakeFirst(),
    )
    return row && sealOf(row)
  }

  async listSeals(query: {
    readonly after: bigint
    readonly limit: number
  }): Promise<readonly AuditSeal[]> {
    const rows = await read(this.#engine, (connection) =>
      connection
        .selectFrom('audit_seals')
        .selectAll()
        .where('seal', '>', query.after)
        .orderBy('seal')
        .limit(query.limit)
        .execute(),
    )
    return rows.map(sealOf)
  }

  async findBeyond(lastSeal: bigint): Promise<AuditRow | undefined> {
    const row = await read(this.#engine, (connection) =>
      connection
        .selectFrom('audit_rows')
        .selectAll()
        .where((where) => where.or([where('seal', '>', lastSeal), where('seal', '<', 1n)]))
        .orderBy('seal')
        .limit(1)
        .executeTakeFirst(),
    )
    return row && rowOf(row)
  }

  addSeal(seal: AuditSeal, rows: readonly SealedRow[]): Promise<void> {
    return write(this.#engine, (transaction) => addSeal(transaction, seal, rows))
  }

  async findLastOlder(beforeMs: number): Promise<bigint> {
    const row = await read(this.#engine, async (connection) => {
      const young = await connection
        .selectFrom('audit_seals')
        .select('seal')
        .where('newest_ms', '>=', BigInt(Math.ceil(beforeMs)))
        .orderBy('seal')
        .limit(1)
        .executeTakeFirst()
      if (young !== undefined) return { last: young.seal - 1n }
      return connection
        .selectFrom('audit_seals')
        .select((column) => column.fn.max('seal').as('last'))
        .executeTakeFirst()
    })
    return row?.last ?? 0n
  }

  async findLastBetween(fromMs: number, beforeMs: number): Promise<bigint> {
    const row = await read(this.#engine, (connection) =>
      connection
        .selectFrom('audit_seals')
        .select((column) => column.fn.max('seal').as('last'))
        .where('newest_ms', '>=', BigInt(Math.ceil(fromMs)))
        .where('newest_ms', '<', BigInt(Math.ceil(beforeMs)))
        .executeTakeFirst(),
    )
    return row?.last ?? 0n
  }

  prune(throughSeal: bigint): Promise<number> {
    return forgetInRounds(this.#engine, PRUNED_AT_ONCE, async (transaction) => {
      const some = transaction
        .selectFrom('audit_rows')
        .select('position')
        .where('seal', '<=', throughSeal)
        .orderBy('seal')
        .limit(PRUNED_AT_ONCE)
      const deleted = await transaction
        .deleteFrom('audit_rows')
        .where('position', 'in', some)
        .executeTakeFirst()
      return Number(deleted.numDeletedRows)
    })
  }
}

function columnsOf(row: NewAuditRow): Omit<AuditRowColumns, 'position' | 'seal'> {
  const { rowId, timeMs, ...same } = row
  return { ...same, row_id: rowId, time_ms: BigInt(timeMs) }
}

function sealOf({ seal, hash, newest_ms, pruned_through }: AuditSealColumns): AuditSeal {
  return { seal, hash, newestMs: Number(newest_ms), prunedThrough: pruned_through }
}

function rowOf({ row_id, time_ms, decision, ...same }: AuditRowColumns): AuditRow {
  return {
    ...same,
    rowId: row_id,
    timeMs: Number(time_ms),
    decision: decision as AuditDecision,
  }
}

function newestFirst(a: AuditRow, b: AuditRow): number {
  return b.timeMs - a.timeMs || (b.position < a.position ? -1 : 1)
}

function selectRows(
  connection: Connection,
  query: AuditQuery & { readonly decision: AuditDecision | undefined },
) {
  const { principal, action, subject, decision, fromMs, toMs, before, limit } = query
  let rows = connection
    .selectFrom('audit_rows')
    .selectAll()
    .orderBy('time_ms', 'desc')
    .orderBy('position', 'desc')
    .limit(limit)
  if (principal !== undefined) rows = rows.where('principal', '=', principal)
  if (action !== undefined) rows = rows.where('action', '=', action)
  if (subject !== undefined) rows = rows.where('subject', '=', subject)
  if (decision !== undefined) rows = rows.where('decision', '=', decision)
  if (fromMs !== undefined) rows = rows.where('time_ms', '>=', BigInt(Math.ceil(fromMs)))
  if (toMs !== undefined) rows = rows.where('time_ms', '<', BigInt(Math.ceil(toMs)))
  if (before === undefined) return rows
  const timeMs = BigInt(before.timeMs)
  return rows
    .where('time_ms', '<=', timeMs)
    .where((where) =>
      where.or([where('time_ms', '<', timeMs), where('position', '<', before.position)]),
    )
}

async function addSeal(
  transaction: SqlTransaction,
  { seal, hash, newestMs, prunedThrough }: AuditSeal,
  rows: readonly SealedRow[],
): Promise<void> {
  await transaction
    .insertInto('audit_seals')
    .values({ seal, hash, newest_ms: BigInt(newestMs), pruned_through: prunedThrough })
    .onConflict((conflict) => conflict.column('seal').doNothing())
    .execute()
  for (const some of chunks(rows)) {
    const sealed = new Map(some.map((row) => [row.position, row.hash]))
    const found = await transaction
      .selectFrom('audit_rows')
      .select(['position', 'hash'])
      .where('position', 'in', [...sealed.keys()])
      .where('seal', 'is', null)
      .execute()
    const same = found.filter((row) => sealed.get(row.position) === row.hash)
    if (same.length === 0) continue
    await transaction
      .updateTable('audit_rows')
      .set({ seal })
      .where(
        'position',
        'in',
        same.map(({ position }) => position),
      )
      .execute()
  }
}
