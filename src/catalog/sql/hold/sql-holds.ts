import { AHEAD_MS_MAX, LEASE_MS } from '../../../core/limits.ts'
import type { FileHold, HoldStore } from '../../hold/hold-store.ts'
import { chunks, read, type SqlEngine, write } from '../engine/sql-engine.ts'
import type { Database } from '../engine/sql-schema.ts'
import { decodeExact, encodeExact } from '../rows/tagged-json.ts'
import { Unchanged } from './unchanged.ts'

type HoldRow = Database['file_holds']

export class SqlHolds implements HoldStore {
  readonly #engine: SqlEngine
  readonly #ahead = new Unchanged()

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  async keep(holds: readonly FileHold[], expiresAtMs: number): Promise<void> {
    for (const chunk of chunks(holds)) {
      await write(this.#engine, (transaction) =>
        transaction
          .insertInto('file_holds')
          .values(chunk.map((hold) => rowOf(hold, expiresAtMs)))
          .onConflict((conflict) =>
            conflict
              .column('hold_id')
              .doUpdateSet((row) => ({ expires_at_ms: row.ref('excluded.expires_at_ms') })),
          )
          .execute(),
      )
    }
  }

  async list(nowMs: number): Promise<readonly FileHold[]> {
    // A damaged database says "nothing" of what it has lost.
    this.#engine.damage.refuse()
    const askedAtMs = performance.now()
    const rows = await read(this.#engine, (connection) =>
      connection
        .selectFrom('file_holds')
        .selectAll()
        .where('expires_at_ms', '>', BigInt(Math.floor(nowMs)))
        .orderBy('hold_id')
        .execute(),
    )
    const isAhead = (row: HoldRow) => row.expires_at_ms > Math.floor(nowMs + AHEAD_MS_MAX)
    this.#ahead.keepOnly(new Set(rows.filter(isAhead).map((row) => row.hold_id)))
    const isLeft = ({ hold_id, expires_at_ms }: HoldRow) =>
      this.#ahead.isOver(hold_id, `${expires_at_ms}`, { askedAtMs, forMs: LEASE_MS })
    return rows.filter((row) => !(isAhead(row) && isLeft(row))).map(holdOf)
  }

  async end(holdIds: readonly string[]): Promise<void> {
    for (const chunk of chunks(holdIds)) {
      await write(this.#engine, (transaction) =>
        transaction.deleteFrom('file_holds').where('hold_id', 'in', chunk).execute(),
      )
    }
  }

  forget(beforeMs: number): Promise<number> {
    return write(this.#engine, async (transaction) => {
      const deleted = await transaction
        .deleteFrom('file_holds')
        .where('expires_at_ms', '<', BigInt(Math.ceil(beforeMs)))
        .executeTakeFirst()
      return Number(deleted.numDeletedRows)
    })
  }
}

function rowOf(hold: FileHold, expiresAtMs: number): HoldRow {
  return {
    hold_id: hold.holdId,
    table_uuid: hold.tableUuid,
    snapshot_id: hold.snapshotId,
    manifest_list: hold.manifestList,
    kind: hold.kind,
    name: encodeExact(hold.name),
    expires_at_ms: BigInt(Math.ceil(expiresAtMs)),
  }
}

function holdOf(row: HoldRow): FileHold {
  return {
    holdId: row.hold_id,
    tableUuid: row.table_uuid,
    snapshotId: row.snapshot_id,
    manifestList: row.manifest_list,
    kind: row.kind,
    name: decodeExact<string>(row.name),
  }
}
