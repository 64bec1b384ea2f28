import { join } from 'node:path'
import Sqlite from 'better-sqlite3'

/** Tables about requests, or that housekeeping and publication write at their own times. */
const OTHER_TABLES = new Set([
  ...['replays', 'leases', 'file_holds', 'publications', 'moraine_migrations'],
  ...['event_cursors', 'event_horizon', 'task_ticks'],
  // Copied from events, which are compared, and from requests, by what runs every second.
  ...['audit_rows', 'audit_seals', 'usage_days'],
])
const OTHER_COLUMNS = new Set(['metadata_location', 'published_version', 'position'])
/** Counted up by what deletes files, at its own times. */
const COUNTED_SETTING = 'generation'
/** The rest of a job that runs is written by whoever does it, at its own times. */
const COLUMNS_OF_RUNNING_JOB = new Set(['job_id', 'kind', 'key'])
const RUNNING_KINDS: ReadonlySet<unknown> = new Set(['export'])

/** Everything that requests have changed in the catalog of a service, to compare with later. */
export function databaseState(home: string): Record<string, readonly string[]> {
  const database = new Sqlite(join(home, 'catalog.db'), { readonly: true })
  try {
    const names = database
      .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'")
      .all() as readonly { readonly name: string }[]
    return Object.fromEntries(
      names
        .filter(({ name }) => !OTHER_TABLES.has(name))
        .map(({ name }) => [name, rowsOf(database, name)]),
    )
  } finally {
    database.close()
  }
}

function rowsOf(database: Sqlite.Database, name: string): readonly string[] {
  const rows = database.prepare(`select * from "${name}"`).safeIntegers().all()
  return rows
    .filter((row) => !(name === 'settings' && Object(row).name === COUNTED_SETTING))
    .map((row) => {
      const isRunning = name === 'jobs' && RUNNING_KINDS.has((row as { kind: unknown }).kind)
      const columns = Object.entries(row as object).filter(([key]) =>
        isRunning ? COLUMNS_OF_RUNNING_JOB.has(key) : !OTHER_COLUMNS.has(key),
      )
      return JSON.stringify(columns.map(([key, value]) => [key, String(value)]))
    })
    .sort()
}
