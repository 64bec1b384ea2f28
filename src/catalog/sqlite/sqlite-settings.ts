import type Sqlite from 'better-sqlite3'

export interface SqliteSettings {
  /** How long a statement waits for the writers of other processes, and blocks its thread. */
  readonly busyMs: number
  readonly cacheKib: number
}

/** Makes a new connection one of the catalog's. */
export function configure(database: Sqlite.Database, { busyMs, cacheKib }: SqliteSettings): void {
  database.pragma('journal_mode = WAL')
  // FULL: an acknowledged commit survives power loss.
  database.pragma('synchronous = FULL')
  database.pragma('foreign_keys = ON')
  database.pragma(`cache_size = -${cacheKib}`)
  database.pragma(`busy_timeout = ${busyMs}`)
  database.defaultSafeIntegers(true)
}
