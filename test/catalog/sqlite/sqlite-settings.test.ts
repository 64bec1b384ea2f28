import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { configure } from '../../../src/catalog/sqlite/sqlite-settings.ts'

const FULL = 2n

describe('a connection to the catalog', () => {
  test('syncs the log at every commit, enforces references, and reads whole numbers', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'moraine-sqlite-settings-'))
    const database = new Sqlite(join(folder, 'catalog.db'))
    configure(database, { busyMs: 1_234, cacheKib: 4_321 })
    const setting = (name: string) => database.pragma(name, { simple: true })
    expect({
      journalMode: setting('journal_mode'),
      synchronous: setting('synchronous'),
      foreignKeys: setting('foreign_keys'),
      cacheSize: setting('cache_size'),
      busyTimeout: setting('busy_timeout'),
      long: database.prepare('select 9007199254740993').pluck().get(),
    }).toEqual({
      journalMode: 'wal',
      synchronous: FULL,
      foreignKeys: 1n,
      cacheSize: -4_321n,
      busyTimeout: 1_234n,
      long: 9_007_199_254_740_993n,
    })
    database.close()
    await rm(folder, { recursive: true })
  })
})
