import type { DueRun, NewJob, NextRun, ScheduleStore, SubmittedJob } from '../../job-store.ts'
import { read, type SqlEngine, type SqlTransaction, write } from '../engine/sql-engine.ts'
import type { Database } from '../engine/sql-schema.ts'
import { instant, submitJob } from './submit-job.ts'

export class SqlSchedules implements ScheduleStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  async list(): Promise<ReadonlyMap<string, NextRun>> {
    const rows = await read(this.#engine, (connection) =>
      connection.selectFrom('schedules').selectAll().execute(),
    )
    return new Map(rows.map((row) => [row.name, nextOf(row)]))
  }

  async find(name: string): Promise<NextRun | undefined> {
    const row = await read(this.#engine, (connection) =>
      connection.selectFrom('schedules').selectAll().where('name', '=', name).executeTakeFirst(),
    )
    return row === undefined ? undefined : nextOf(row)
  }

  set(name: string, next: NextRun, before: NextRun | undefined): Promise<'set' | 'changed'> {
    const columns = { digest: next.digest, next_at_ms: instant(next.nextAtMs) }
    return write(this.#engine, async (transaction) => {
      const changed =
        before === undefined
          ? await transaction
              .insertInto('schedules')
              .values({ name, ...columns })
              .onConflict((conflict) => conflict.column('name').doNothing())
              .returning('name')
              .executeTakeFirst()
          : await transaction
              .updateTable('schedules')
              .set(columns)
              .where('name', '=', name)
              .where('digest', '=', before.digest)
              .where('next_at_ms', '=', instant(before.nextAtMs))
              .returning('name')
              .executeTakeFirst()
      return changed === undefined ? 'changed' : 'set'
    })
  }

  claim({ name, dueAtMs, nextAtMs }: DueRun, job: NewJob): Promise<SubmittedJob | undefined> {
    return write(this.#engine, async (transaction) => {
      if (!(await move(transaction, { name, from: dueAtMs, to: nextAtMs }))) return undefined
      const submitted = await submitJob(transaction, job)
      if (!submitted.isNew) await move(transaction, { name, from: nextAtMs, to: dueAtMs })
      return submitted
    })
  }

  async forget(name: string): Promise<void> {
    await write(this.#engine, (transaction) =>
      transaction.deleteFrom('schedules').where('name', '=', name).execute(),
    )
  }
}

function nextOf({ digest, next_at_ms }: Database['schedules']): NextRun {
  return { digest, nextAtMs: Number(next_at_ms) }
}

/** One statement: of all who move it from there, one does. */
async function move(
  transaction: SqlTransaction,
  { name, from, to }: { readonly name: string; readonly from: number; readonly to: number },
): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable('schedules')
    .set({ next_at_ms: instant(to) })
    .where('name', '=', name)
    .where('next_at_ms', '=', instant(from))
    .executeTakeFirst()
  return numUpdatedRows === 1n
}
