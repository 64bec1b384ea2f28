/** A thread with a connection of its own, for transactions of many rows. */
import Sqlite from 'better-sqlite3'
import { answerTasks } from '../../threads/answer-tasks.ts'
import { configure } from './sqlite-settings.ts'
import type { SqliteResult, SqliteTask } from './sqlite-thread-message.ts'

/** Nobody else works in this thread, so it waits for other processes by itself. */
const BUSY_MS = 100
const CACHE_KIB = 64 * 1024

let database: Sqlite.Database | undefined

answerTasks(answer, () => [])

function answer(task: SqliteTask): SqliteResult {
  try {
    return perform(task)
  } catch (error) {
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : ''
    const message = error instanceof Error ? error.message : String(error)
    return { failure: { message, code: String(code) } }
  }
}

function perform(task: SqliteTask): SqliteResult {
  if (task.kind === 'begin') begin(task)
  else if (task.kind === 'query') return query(task)
  else if (task.kind === 'commit') commit()
  else if (task.kind === 'rollback') rollback()
  else close()
  return { rows: [] }
}

function begin({ path, pagesMax }: Extract<SqliteTask, { kind: 'begin' }>): void {
  database ??= open(path)
  if (pagesMax !== undefined) database.pragma(`max_page_count = ${pagesMax}`)
  database.exec('begin immediate')
}

function open(path: string): Sqlite.Database {
  const opened = new Sqlite(path, { fileMustExist: true })
  try {
    configure(opened, { busyMs: BUSY_MS, cacheKib: CACHE_KIB })
    return opened
  } catch (error) {
    opened.close()
    throw error
  }
}

function query({ sql, parameters }: Extract<SqliteTask, { kind: 'query' }>): SqliteResult {
  const statement = inTransaction().prepare<unknown[], unknown>(sql)
  if (statement.reader) return { rows: statement.all(parameters) }
  return { rows: [], changes: BigInt(statement.run(parameters).changes) }
}

/** Also moves what it wrote into the file: else the next commit of the event loop's would. */
function commit(): void {
  const committed = inTransaction()
  committed.exec('commit')
  try {
    committed.pragma('wal_checkpoint(PASSIVE)')
    committed.pragma('shrink_memory')
  } catch {
    // It is committed all the same.
  }
}

function rollback(): void {
  // SQLite rolls back by itself after some failures.
  if (database?.inTransaction === true) database.exec('rollback')
}

function close(): void {
  database?.close()
  database = undefined
}

/** A thread that ended took its transaction with it: the rest of it must not run alone. */
function inTransaction(): Sqlite.Database {
  if (database?.inTransaction === true) return database
  throw Object.assign(new Error('the transaction is over'), { code: 'SQLITE_IOERR' })
}
