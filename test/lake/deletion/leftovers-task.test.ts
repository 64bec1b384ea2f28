import Sqlite from 'better-sqlite3'
import { deletionsModule } from '../../../src/modules/deletions/deletions-module.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { openWorkshop } from '../workshop.ts'

const DAY_MS = 86_400_000

test('what a killed process left of large tables is forgotten every hour', async () => {
  const shop = await openWorkshop()
  const { warehouse, catalog } = shop.deps
  const path = warehouse.replace('file://', '').replace(/warehouse$/, 'catalog.db')
  const database = new Sqlite(path)
  try {
    await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
    const nowMs = shop.deps.ambient.nowMs()
    const isOld = [`file:///old`, nowMs - 2 * DAY_MS] as const
    const isNew = [`file:///new`, nowMs] as const
    for (const [key, dueAtMs] of [isOld, isNew]) {
      database
        .prepare(`insert into file_deletions values (?, '"x"', 'u', 'm', 'purge', 'doomed', ?)`)
        .run(key, dueAtMs)
    }
    database.exec(`
      insert into table_leftovers values ('dropped', null), ('killed', 'claim');
      insert into known_paths (table_uuid, path_hash)
        values ('dropped', 1), ('killed', 1), ('killed', 2), ('other', 2);
      insert into purges values ('over', 'm')`)
    const tasks = deletionsModule(shop.deps).tasks ?? []
    const task = tasks.find(({ name }) => name === 'forget what large tables left in the catalog')
    expect(task).toMatchObject({ everyMs: 3_600_000 })
    await task?.run(new AbortController().signal)
    const rows = (sql: string) => database.prepare(sql).pluck().all()
    expect(rows('select table_uuid from known_paths')).toEqual(['other'])
    expect(rows('select table_uuid from table_leftovers')).toEqual([])
    // Its drop may still come.
    expect(rows('select path_key from file_deletions')).toEqual(['file:///new'])
    expect(rows('select table_uuid from purges')).toEqual([])
    expect(await catalog.deletions.listDue({ nowMs: nowMs + DAY_MS, limit: 9 })).toEqual([])
  } finally {
    database.close()
    await shop.close()
  }
})
