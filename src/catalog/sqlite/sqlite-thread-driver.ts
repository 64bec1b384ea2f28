import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely'
import { TaskThread } from '../../threads/task-thread.ts'
import type { SqliteResult, SqliteTask } from './sqlite-thread-message.ts'

export interface SqliteThreadOptions {
  readonly path: string
  readonly pagesMax: number | undefined
}

/**
 * Transactions in a thread, on a connection of its own: however long a statement or a COMMIT of
 * theirs takes, the event loop goes on, and so do its reads. For one transaction at a time, and
 * nothing else.
 */
export class SqliteThreadDriver implements Driver {
  readonly #options: SqliteThreadOptions
  readonly #thread = new TaskThread<SqliteTask, SqliteResult>({
    ...{ from: import.meta.url, path: './sqlite-worker', name: 'moraine-catalog' },
  })
  readonly #connection: DatabaseConnection
  #isStarted = false

  constructor(options: SqliteThreadOptions) {
    this.#options = options
    this.#connection = {
      executeQuery: (query) => this.#executeQuery(query),
      // biome-ignore lint/correctness/useYield: the interface asks for it; nothing here streams.
      streamQuery: async function* () {
        throw new Error('the thread of the catalog does not stream')
      },
    }
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection
  }

  async releaseConnection(): Promise<void> {}

  async beginTransaction(): Promise<void> {
    this.#isStarted = true
    await this.#run({ kind: 'begin', ...this.#options })
  }

  async commitTransaction(): Promise<void> {
    await this.#run({ kind: 'commit' })
  }

  async rollbackTransaction(): Promise<void> {
    await this.#run({ kind: 'rollback' })
  }

  async destroy(): Promise<void> {
    if (!this.#isStarted) return
    await this.#run({ kind: 'close' })
    await this.#thread.close()
  }

  async #executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changes } = await this.#run({ kind: 'query', sql, parameters })
    const answer = { rows: rows as R[] }
    return changes === undefined ? answer : { ...answer, numAffectedRows: changes }
  }

  async #run(task: SqliteTask): Promise<Exclude<SqliteResult, { readonly failure: unknown }>> {
    const result = await this.#thread.run(task).catch((cause: unknown) => {
      // As when the disk fails: its transaction is over, and of a COMMIT nobody knows.
      throw Object.assign(new Error('the thread of the catalog ended', { cause }), {
        code: 'SQLITE_IOERR',
      })
    })
    if (!('failure' in result)) return result
    const { message, code } = result.failure
    throw Object.assign(new Error(message), { code })
  }
}
