import { closeSync, openSync, writeSync } from 'node:fs'
import Sqlite from 'better-sqlite3'

/**
 * Overwrites the first page of each of these tables, as a bad disk would. A process that has the
 * file open notices at its next read: its cache is invalid after another's write.
 */
export function damageTables(path: string, tables: readonly string[]): void {
  const other = new Sqlite(path)
  other.pragma('wal_checkpoint(truncate)')
  const pageBytes = Number(other.pragma('page_size', { simple: true }))
  const rootOf = other.prepare('select rootpage from sqlite_schema where name = ?').pluck()
  const roots = tables.map((table) => Number(rootOf.get(table)))
  const file = openSync(path, 'r+')
  for (const root of roots) {
    writeSync(file, Buffer.alloc(pageBytes, 0xa5), 0, pageBytes, (root - 1) * pageBytes)
  }
  closeSync(file)
  other.exec(`insert into event_cursors values ('other', 0, 0) on conflict (name)
    do update set fencing_token = fencing_token + 1`)
  other.close()
}

/** Overwrites the first bytes of a file that nobody has open. */
export function damageHeader(path: string): void {
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(100, 0xa5))
  closeSync(file)
}
