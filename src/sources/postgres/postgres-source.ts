import pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { CatalogError } from '../../core/errors.ts'
import {
  type RowSource,
  type RunMark,
  type SourceColumn,
  SourceConflictError,
  type SourceCounts,
  type SourceSession,
  type SourceTransaction,
  type SourceWork,
} from '../row-source.ts'
import { columnsOf } from './column-types.ts'
import {
  copyOf,
  deleteReturning,
  deletionOf,
  oneStatement,
  selectFrom,
  selectOf,
  tableName,
  tableOfDeletion,
} from './export-statements.ts'
import { deleteByKeys, findKeys, notingKeys, requireAlone } from './key-proof.ts'
import { sourceError } from './source-failure.ts'

const CONNECT_MS_MAX = 10_000
/** "export" in ASCII: the first of the two numbers of each task's lock. */
const EXPORT_LOCK = 0x65787031
const LOCK_POLL_MS = 200
const COMMIT_MS_MAX = 60_000
const ROLLBACK_MS_MAX = 10_000
const KEEP_ALIVE_MS = 10_000
const CLOSE_MS_MAX = 2_000

export interface PostgresSourceOptions {
  readonly url: string
  readonly newId: () => string
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

/** Rows of a PostgreSQL database, version 12 or newer. Connects for each run only. */
export class PostgresSource implements RowSource {
  readonly #options: PostgresSourceOptions

  constructor(options: PostgresSourceOptions) {
    this.#options = options
  }

  async open(task: string, signal: AbortSignal): Promise<SourceSession> {
    signal.throwIfAborted()
    const client = new pg.Client({
      connectionString: this.#options.url,
      application_name: 'moraine export',
      connectionTimeoutMillis: CONNECT_MS_MAX,
      // A network that falls silent is noticed by the system's probes.
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    })
    // Whoever queries next learns of a lost connection; unheard, it would end the process.
    client.on('error', () => undefined)
    const session = new PostgresSession(client, task, this.#options.newId, signal)
    try {
      await asked(client.connect())
      await this.#lock(client, task, signal)
      return session
    } catch (error) {
      await session.close()
      throw error
    }
  }

  /**
   * Held by the session, not by a transaction: the transaction of a run must see what the run
   * before it left. Polled, so that a wait can be ended.
   */
  async #lock(client: pg.Client, task: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { rows } = await asked(
        client.query<{ held: boolean }>('select pg_try_advisory_lock($1, hashtext($2)) as held', [
          EXPORT_LOCK,
          task,
        ]),
      )
      if (rows[0]?.held === true) return
      await this.#options.sleep(LOCK_POLL_MS, signal)
      signal.throwIfAborted()
    }
  }
}

class PostgresSession implements SourceSession {
  readonly #client: pg.Client
  readonly #task: string
  readonly #newId: () => string
  readonly #signal: AbortSignal
  readonly #cut: () => void

  constructor(client: pg.Client, task: string, newId: () => string, signal: AbortSignal) {
    this.#client = client
    this.#task = task
    this.#newId = newId
    this.#signal = signal
    // Ends a statement that is waited for: nothing is committed without another message.
    this.#cut = () => this.#destroy()
    signal.addEventListener('abort', this.#cut, { once: true })
  }

  async outcomeOf(mark: RunMark): Promise<'committed' | 'rolled-back' | 'unknown'> {
    if (mark.isWritten && (await this.#isWritten(mark))) return 'committed'
    if (mark.place !== (await this.#place(mark.isWritten))) return 'unknown'
    const { rows } = await asked(
      this.#client.query<{ status: string | null }>('select txid_status($1::bigint) as status', [
        mark.transactionId,
      ]),
    )
    const status = rows[0]?.status
    if (status === 'aborted') return 'rolled-back'
    if (!mark.isWritten) return status === 'committed' ? 'committed' : 'unknown'
    // Too old to be remembered, but its mark would be: its row is never deleted before the note.
    return status === null ? 'rolled-back' : 'unknown'
  }

  async forget(mark: RunMark): Promise<void> {
    if (!mark.isWritten || !(await this.#findMarks())) return
    await asked(this.#client.query('delete from moraine_exports where mark = $1', [mark.id]))
  }

  async begin(work: SourceWork): Promise<SourceTransaction> {
    const client = this.#client
    const isWritten = work.mode !== 'keep' && (await this.#makeMarks())
    await asked(
      client.query(
        'begin isolation level repeatable read; ' +
          'set local idle_in_transaction_session_timeout = 0; set local statement_timeout = 0',
      ),
    )
    const { rows } = await asked(client.query<{ id: string }>('select txid_current()::text as id'))
    const place = await this.#place(isWritten)
    const mark = { id: this.#newId(), transactionId: rows[0]?.id ?? '', isWritten, place }
    return new PostgresTransaction(client, {
      ...{ work, mark, task: this.#task },
      cut: () => this.#destroy(),
      beforeCommit: () => this.#signal.removeEventListener('abort', this.#cut),
    })
  }

  async close(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#cut)
    const late = setTimeout(() => this.#destroy(), CLOSE_MS_MAX)
    await this.#client.end().catch(() => undefined)
    clearTimeout(late)
    this.#destroy()
  }

  #destroy(): void {
    const { connection } = this.#client as unknown as {
      connection?: { stream?: { destroy(): void } }
    }
    connection?.stream?.destroy()
  }

  /** Throws `overloaded` at a standby: it may not know yet what its primary does. */
  async #place(hasTable: boolean): Promise<string> {
    const table = hasTable ? "coalesce(to_regclass('moraine_exports')::oid::text, '')" : "''"
    const { rows } = await asked(
      this.#client.query<{ place: string; standby: boolean }>(
        "select (select system_identifier from pg_control_system()) || '/' || oid || '/' || " +
          `${table} as place, pg_is_in_recovery() as standby ` +
          'from pg_database where datname = current_database()',
      ),
    )
    if (rows[0]?.standby !== false) {
      throw new CatalogError('overloaded', 'the source is a standby: it takes no deletions')
    }
    return rows[0].place
  }

  async #isWritten({ id }: RunMark): Promise<boolean> {
    if (!(await this.#findMarks())) return false
    const { rows } = await asked(
      this.#client.query('select 1 from moraine_exports where mark = $1', [id]),
    )
    return rows.length > 0
  }

  async #findMarks(): Promise<boolean> {
    const { rows } = await asked(
      this.#client.query<{ found: boolean }>(
        "select to_regclass('moraine_exports') is not null as found",
      ),
    )
    return rows[0]?.found === true
  }

  /** Whether there is a table for marks: a role that may make none goes without. */
  async #makeMarks(): Promise<boolean> {
    if (!(await this.#findMarks())) {
      try {
        await this.#client.query(
          'create table if not exists moraine_exports (mark text primary key, ' +
            'task text not null, rows bigint not null, at timestamptz not null default now())',
        )
      } catch (error) {
        if (!(error instanceof pg.DatabaseError)) throw sourceError(error)
        if (!MAY_MAKE_NONE.has(error.code ?? '')) throw sourceError(error)
        return false
      }
    }
    const { rows } = await asked(
      this.#client.query<{ may: boolean }>(
        "select has_table_privilege('moraine_exports', 'insert') " +
          "and has_table_privilege('moraine_exports', 'select') as may",
      ),
    )
    return rows[0]?.may === true
  }
}

/** No right, no schema in the path, made by another at this moment. */
const MAY_MAKE_NONE = new Set(['42501', '3F000', '42P07', '23505'])

const ONE_FORM =
  "set local datestyle = 'ISO, YMD'; set local timezone = 'UTC'; set local bytea_output = 'hex'; " +
  'set local extra_float_digits = 1'

interface TransactionOptions {
  readonly work: SourceWork
  readonly mark: RunMark
  readonly task: string
  /** From here on nothing but its answer ends the transaction. */
  readonly beforeCommit: () => void
  /** Ends the connection, and with it the transaction. */
  readonly cut: () => void
}

class PostgresTransaction implements SourceTransaction {
  readonly mark: RunMark
  readonly #client: pg.Client
  readonly #work: SourceWork
  readonly #task: string
  readonly #beforeCommit: () => void
  readonly #cut: () => void
  /** Whether rows are on their way that nobody reads any more: nothing else can be asked. */
  #isCopying = false
  #copied: number | undefined
  #keys: readonly string[] | undefined

  constructor(client: pg.Client, { work, mark, task, beforeCommit, cut }: TransactionOptions) {
    this.#cut = cut
    this.#client = client
    this.#work = work
    this.#task = task
    this.#beforeCommit = beforeCommit
    this.mark = mark
  }

  async describe(): Promise<readonly SourceColumn[]> {
    await asked(this.#client.query(ONE_FORM))
    const work = this.#work
    const query =
      work.mode === 'atomic' ? selectFrom({ ...work, where: 'false' }) : this.#statement()
    const text = `select * from (${query}\n) as exported limit 0`
    const { fields } = await asked(this.#client.query(oneStatement(text)))
    return columnsOf(fields)
  }

  get rows(): AsyncIterable<Uint8Array> {
    return this.#copy()
  }

  async finish(): Promise<SourceCounts> {
    const copied = this.#copied
    if (copied === undefined) throw new Error('the rows were not read to their end')
    const counts = await this.#deleted(copied)
    if (counts.deleted !== copied && counts.proof !== 'none deleted') {
      throw new CatalogError(
        'export-count-mismatch',
        `${copied} rows were copied, and ${counts.deleted} would have been deleted: nothing was`,
        { facts: { copied, deleted: counts.deleted } },
      )
    }
    if (this.mark.isWritten) {
      await asked(
        this.#client.query('insert into moraine_exports (mark, task, rows) values ($1, $2, $3)', [
          this.mark.id,
          this.#task,
          counts.deleted,
        ]),
      )
    }
    return counts
  }

  async commit(): Promise<void> {
    this.#beforeCommit()
    const commit = { text: 'commit', query_timeout: COMMIT_MS_MAX }
    const { command } = await asked(this.#client.query(commit))
    // A transaction that failed before answers a COMMIT with a ROLLBACK.
    if (command !== 'COMMIT') throw new SourceConflictError('the transaction was rolled back')
  }

  async rollback(): Promise<void> {
    if (this.#isCopying) {
      this.#cut()
      return
    }
    const rollback = { text: 'rollback', query_timeout: ROLLBACK_MS_MAX }
    await this.#client.query(rollback).catch(() => this.#cut())
  }

  async *#copy(): AsyncGenerator<Uint8Array> {
    const statement = this.#statement()
    await this.#requireOne(statement)
    const copy = this.#client.query(copyTo(copyOf(await this.#noting(statement))))
    this.#isCopying = true
    try {
      for await (const chunk of copy as AsyncIterable<Uint8Array>) yield chunk
    } catch (error) {
      // The source has ended it.
      this.#isCopying = false
      throw sourceError(error)
    }
    this.#isCopying = false
    this.#copied = copy.rowCount ?? undefined
  }

  #statement(): string {
    const work = this.#work
    if (work.mode === 'atomic') return deleteReturning(work)
    return work.select === undefined ? selectFrom(work) : selectOf(work.select)
  }

  /** Before the COPY, which would run every statement of its text. */
  async #requireOne(query: string): Promise<void> {
    const { mode } = this.#work
    const text =
      mode === 'atomic' ? `explain ${query}` : `select * from (${query}\n) as exported limit 0`
    await asked(this.#client.query(oneStatement(text)))
    const table = this.#table()
    if (table !== undefined) await asked(requireAlone(this.#client, table))
  }

  /** The table that rows are deleted from, in quotes, if it can be seen. */
  #table(): string | undefined {
    const work = this.#work
    if (work.mode === 'keep') return undefined
    return work.mode === 'atomic' ? tableName(work.table) : tableOfDeletion(work.remove)
  }

  /** Keeps the keys of the rows that are copied, where they are to be compared. */
  async #noting(statement: string): Promise<string> {
    const work = this.#work
    if (work.mode !== 'snapshot') return statement
    const remove = deletionOf(work.remove)
    this.#keys = await asked(findKeys(this.#client, { select: statement, remove }))
    if (this.#keys === undefined) return statement
    return asked(notingKeys(this.#client, this.#keys, statement))
  }

  async #deleted(copied: number): Promise<SourceCounts> {
    const work = this.#work
    if (work.mode === 'keep') return { copied, deleted: 0, proof: 'none deleted' }
    if (work.mode === 'atomic') return { copied, deleted: copied, proof: 'one statement' }
    const remove = deletionOf(work.remove)
    if (this.#keys !== undefined) {
      const deleted = await asked(deleteByKeys(this.#client, this.#keys, remove))
      return { copied, deleted, proof: 'keys' }
    }
    const { command, rowCount } = await asked(this.#client.query(oneStatement(remove)))
    if (command !== 'DELETE') {
      throw new CatalogError('export-task-invalid', `the deletion is a ${command}`)
    }
    return { copied, deleted: rowCount ?? 0, proof: 'count' }
  }
}

async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw sourceError(error)
  }
}
