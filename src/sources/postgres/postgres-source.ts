import pg from 'pg'
import { cancelStatement } from '../../catalog/postgres/cancel-statement.ts'
import { CatalogError } from '../../core/errors.ts'
import type {
  RowSource,
  RunMark,
  SourceSession,
  SourceTransaction,
  SourceWork,
} from '../row-source.ts'
import { countRows } from './count-rows.ts'
import { detachNext } from './detached-partition.ts'
import { PostgresTransaction } from './postgres-transaction.ts'
import { asked, sourceError } from './source-failure.ts'

const CONNECT_MS_MAX = 10_000
/** "export" in ASCII: the first of the two numbers of each task's lock. */
const EXPORT_LOCK = 0x65787031
const LOCK_POLL_MS = 200
const KEEP_ALIVE_MS = 10_000
const CLOSE_MS_MAX = 2_000
/** Between two requests to end a count: one that comes between two statements ends none. */
const CANCEL_MS = 1_000
/** Nobody ends a session by it. */
const NEVER = new AbortController().signal

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
    const client = newClient(this.#options)
    const session = new PostgresSession(client, task, this.#options, signal)
    try {
      await asked(client.connect())
      await this.#lock(client, task, signal)
      return session
    } catch (error) {
      await session.close()
      throw error
    }
  }

  /** Ends when the source has ended it, also where nobody waits any more. */
  async count(task: string, work: SourceWork, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted()
    const client = newClient(this.#options)
    const session = new PostgresSession(client, task, this.#options, NEVER)
    let again: NodeJS.Timeout | undefined
    const cancel = () => {
      cancelStatement(client)
      again ??= setInterval(cancel, CANCEL_MS)
    }
    try {
      await asked(client.connect())
      signal.throwIfAborted()
      signal.addEventListener('abort', cancel, { once: true })
      return await asked(countRows(client, task, work))
    } finally {
      signal.removeEventListener('abort', cancel)
      clearInterval(again)
      await session.close()
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

function newClient({ url }: PostgresSourceOptions): pg.Client {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'moraine export',
    connectionTimeoutMillis: CONNECT_MS_MAX,
    // A network that falls silent is noticed by the system's probes.
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  })
  // Whoever queries next learns of a lost connection; unheard, it would end the process.
  client.on('error', () => undefined)
  return client
}

/** For one transaction. */
const SETTINGS = [
  'set local idle_in_transaction_session_timeout = 0',
  'set local statement_timeout = 0',
  // Numbers have all of their digits, whatever a role is set to.
  'set local extra_float_digits = 3',
  // What is acknowledged, and a mark that is seen, outlives a crash of the server.
  "select set_config('synchronous_commit', 'on', true) " +
    "where current_setting('synchronous_commit') = 'off'",
]

interface Place {
  readonly place: string
  readonly started_at: string
  readonly counts_since: string
  readonly standby: boolean
}

class PostgresSession implements SourceSession {
  readonly #client: pg.Client
  readonly #task: string
  readonly #options: PostgresSourceOptions
  readonly #signal: AbortSignal
  readonly #cut: () => void

  constructor(
    client: pg.Client,
    task: string,
    options: PostgresSourceOptions,
    signal: AbortSignal,
  ) {
    this.#client = client
    this.#task = task
    this.#options = options
    this.#signal = signal
    // Ends a statement that is waited for: nothing is committed without another message. The
    // source would go on with it, and keep its locks, for a connection that is gone.
    this.#cut = () => {
      cancelStatement(client)
      this.#destroy()
    }
    signal.addEventListener('abort', this.#cut, { once: true })
  }

  async outcomeOf(
    mark: RunMark,
    { mayBeForgotten = false } = {},
  ): Promise<'committed' | 'rolled-back' | 'unknown'> {
    if (mark.isWritten && (await this.#isWritten(mark))) return 'committed'
    const { place, startedAt, countsSince } = await this.#where(mark.isWritten)
    if (mark.place !== place) return 'unknown'
    const isProof = mark.isWritten && !mayBeForgotten
    // A crash may give the number to another transaction; without a row this one is no more.
    const hasRestarted = mark.startedAt !== undefined && mark.startedAt !== startedAt
    if (isProof && hasRestarted) return 'rolled-back'
    const isNumberOurs =
      mark.startedAt === startedAt && hasCounted(mark, { startedAt, countsSince })
    const { rows } = await asked(
      this.#client.query<{ status: string | null }>('select txid_status($1::bigint) as status', [
        mark.transactionId,
      ]),
    )
    const status = rows[0]?.status
    if (status === 'aborted') return 'rolled-back'
    if (status === 'in progress') {
      throw new CatalogError('overloaded', 'the transaction of the run is still open at the source')
    }
    if (!isProof) return status === 'committed' && isNumberOurs ? 'committed' : 'unknown'
    // Too old to be remembered, but its mark would be: its row is never deleted before the note.
    return status === null ? 'rolled-back' : 'unknown'
  }

  async forget(mark: RunMark): Promise<void> {
    if (!mark.isWritten || !(await this.#findMarks())) return
    await asked(this.#client.query('delete from moraine_exports where mark = $1', [mark.id]))
  }

  async begin(work: SourceWork): Promise<SourceTransaction> {
    const client = this.#client
    this.#signal.throwIfAborted()
    // The transaction before, of another part, has ended this.
    this.#signal.addEventListener('abort', this.#cut, { once: true })
    const isWritten = work.mode !== 'keep' && (await this.#makeMarks())
    const isPartition = work.mode === 'partition'
    // What a policy hides would be dropped and not copied: it is refused instead.
    if (isPartition) await asked(client.query('set row_security = off'))
    const partition = isPartition ? await detachNext(client, this.#task, work) : undefined
    // A partition is locked, and read as it is then.
    const level = isPartition ? 'read committed' : 'repeatable read'
    await asked(client.query([`begin isolation level ${level}`, ...SETTINGS].join('; ')))
    const { rows } = await asked(client.query<{ id: string }>('select txid_current()::text as id'))
    const where = await this.#where(isWritten)
    const mark = {
      id: this.#options.newId(),
      transactionId: rows[0]?.id ?? '',
      isWritten,
      ...where,
    }
    return new PostgresTransaction(client, {
      ...{ work, mark, task: this.#task, partition },
      cut: this.#cut,
      lookAnew: (look) => this.#lookAnew(look),
      beforeCommit: () => this.#signal.removeEventListener('abort', this.#cut),
    })
  }

  async #lookAnew(look: (client: pg.Client) => Promise<void>): Promise<void> {
    const client = newClient(this.#options)
    const session = new PostgresSession(client, this.#task, this.#options, this.#signal)
    try {
      await asked(client.connect())
      await asked(look(client))
    } finally {
      await session.close()
    }
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
  async #where(hasTable: boolean): Promise<Pick<RunMark, 'place' | 'startedAt' | 'countsSince'>> {
    const table = hasTable ? "coalesce(to_regclass('moraine_exports')::oid::text, '')" : "''"
    const { rows } = await asked(
      this.#client.query<Place>(
        "select (select system_identifier from pg_control_system()) || '/' || oid || '/' || " +
          `${table} as place, pg_is_in_recovery() as standby, ` +
          'extract(epoch from pg_postmaster_start_time())::text as started_at, ' +
          "coalesce((select extract(epoch from stats_reset) from pg_stat_bgwriter)::text, '') " +
          'as counts_since from pg_database where datname = current_database()',
      ),
    )
    if (rows[0]?.standby !== false) {
      throw new CatalogError('overloaded', 'the source is a standby: it takes no deletions')
    }
    const { place, started_at: startedAt, counts_since: countsSince } = rows[0]
    return { place, startedAt, countsSince }
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

/** Whether none of the source's processes has crashed since the mark was made. */
function hasCounted(mark: RunMark, now: Pick<RunMark, 'startedAt' | 'countsSince'>): boolean {
  if (mark.countsSince !== undefined) return mark.countsSince === now.countsSince
  // Notes of before say nothing of it: what was counted already when the server was started does.
  return Boolean(now.countsSince) && Number(now.countsSince) < Number(now.startedAt)
}

/** No right, no schema in the path, made by another at this moment. */
const MAY_MAKE_NONE = new Set(['42501', '3F000', '42P07', '23505'])
