import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import { describeCatalog } from '../catalog.contract.ts'
import { appendTo, create } from '../catalog-samples.ts'
import { expectUpToDate, firstSchema } from '../first-schema.ts'
import { BEFORE_FOLDERS_OF_VIEWS, expectFoldersOfViews, makeOldViews } from '../old-views.ts'
import { damageTables } from './damage.ts'

let folder = ''
let fileCount = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-sqlite-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

function newPath(): string {
  fileCount += 1
  return join(folder, `catalog-${fileCount}.db`)
}

describe('SQLite, a file', () => {
  describeCatalog(
    async () => {
      const path = newPath()
      const openAnother = () => openSqliteCatalog({ path })
      return { catalog: await openSqliteCatalog({ path }), openAnother }
    },
    { isShared: true },
  )

  test('a catalog that was closed is there when it is opened again', async () => {
    const path = newPath()
    const first = await openSqliteCatalog({ path })
    await first.migrate()
    const state = await create(first, 'planets')
    const commit = appendTo(state, 2n ** 63n - 1n)
    await first.tables.commit({ tables: [commit], transactions: [] })
    await first.close()
    const second = await openSqliteCatalog({ path })
    await second.migrate()
    const found = await second.tables.find({ namespace: ['sky'], name: 'planets' })
    expect(found).toStrictEqual(commit.state)
    await second.close()
  })

  test('two processes that start at once on a new file both find it migrated', async () => {
    const path = newPath()
    const stores = await Promise.all([1, 2, 3].map(() => openSqliteCatalog({ path })))
    await Promise.all(stores.map((catalog) => catalog.migrate()))
    for (const catalog of stores) {
      expect(await catalog.tables.list({ limit: 1 })).toEqual([])
      await catalog.close()
    }
  })

  test('a database of the first schema is brought up to date, with what is in it', async () => {
    const path = newPath()
    const database = new Sqlite(path)
    database.exec(await firstSchema('sqlite'))
    database.close()
    const catalog = await openSqliteCatalog({ path })
    await expectUpToDate(catalog)
    await catalog.close()
  })

  test('views of an older catalog get their folders, and a line tells of shared ones', async () => {
    const path = newPath()
    const catalog = await openSqliteCatalog({ path })
    await catalog.migrate()
    await makeOldViews(catalog)
    const database = new Sqlite(path)
    database.exec(BEFORE_FOLDERS_OF_VIEWS)
    database.close()
    await expectFoldersOfViews(catalog)
    await catalog.close()
  })

  test('damage of a large file is noticed after the start, unless all is to be read', async () => {
    const path = newPath()
    const first = await openSqliteCatalog({ path })
    await first.migrate()
    const state = await create(first, 'planets')
    const paths = Array.from({ length: 90_000 }, (_, index) => `file:///${index}`)
    await first.tables.commit({ tables: [appendTo(state, 1n, paths)], transactions: [] })
    await first.close()
    damageTables(path, ['known_paths'])
    await expect(openSqliteCatalog({ path, checksWhole: true })).rejects.toThrow(/is damaged/)
    let notice: (found: unknown) => void = () => undefined
    const noticed = new Promise((resolve) => {
      notice = resolve
    })
    const catalog = await openSqliteCatalog({ path, onDamage: notice })
    expect(String(await noticed)).toMatch(/page/i)
    await expect(catalog.ping()).rejects.toMatchObject({ code: 'catalog-damaged' })
    const { tableUuid } = state.definition
    expect(await catalog.tables.find({ tableUuid })).toMatchObject({ name: 'planets' })
    await catalog.close()
  })

  test('an event that a clock ahead has dated keeps none of before and after it', async () => {
    const path = newPath()
    const catalog = await openSqliteCatalog({ path })
    await catalog.migrate()
    for (const name of ['a', 'b', 'c', 'd']) await create(catalog, name)
    const file = new Sqlite(path)
    const at = file.prepare('update events set time_ms = ? where name = ?')
    const hour = 3_600_000
    file.exec(`update events set time_ms = ${hour}`)
    for (const [name, ms] of Object.entries({ b: 9 * hour, d: 3 * hour })) at.run(ms, `sky.${name}`)
    file.close()
    const forget = (nowMs: number) => catalog.events.forget({ beforeMs: nowMs - hour, nowMs })
    expect(await forget(2 * hour)).toBe(0)
    expect(await forget(3 * hour)).toBeGreaterThan(2)
    const { events } = await catalog.events.list({ after: 0n, limit: 9 })
    expect(events.map(({ name }) => name)).toEqual(['sky.d'])
    await catalog.close()
  })

  test('ever so many events that a clock ahead has dated keep none behind them', async () => {
    const path = newPath()
    const catalog = await openSqliteCatalog({ path })
    await catalog.migrate()
    for (const name of ['a', 'b']) await create(catalog, name)
    const [hour, ahead] = [3_600_000, 12_000]
    const { last } = await catalog.events.findRange()
    const file = new Sqlite(path)
    file.exec(`
      update events set time_ms = ${hour};
      update events set position = position + ${ahead} where name = 'sky.b';
      with recursive n (i) as (select 1 union all select i + 1 from n where i < ${ahead})
      insert into events
      select ${last} - 1 + i, 'ahead ' || i, type, subject, name, version, ${9 * hour}, data,
        principal, request_id, address
      from n, (select * from events where name = 'sky.b' limit 1)`)
    file.close()
    const forget = (nowMs: number) => catalog.events.forget({ beforeMs: nowMs - hour, nowMs })
    expect(await forget(2 * hour)).toBe(0)
    expect(await forget(3 * hour)).toBeGreaterThan(ahead)
    expect((await catalog.events.list({ after: 0n, limit: 9 })).events).toEqual([])
    await catalog.close()
  })

  test('a database of a newer version is refused', async () => {
    const path = newPath()
    const catalog = await openSqliteCatalog({ path })
    await catalog.migrate()
    const raw = new Sqlite(path)
    raw.exec(`insert into moraine_migrations values (9999, '9999-future.sql')`)
    raw.close()
    await expect(catalog.migrate()).rejects.toThrow(/schema 9999.*newer Moraine/)
    await catalog.close()
  })

  test('a writer waits for the one of another process, and readers wait for neither', async () => {
    const path = newPath()
    const catalog = await openSqliteCatalog({ path })
    await catalog.migrate()
    const state = await create(catalog, 'planets')
    const { tableUuid } = state.definition
    const other = new Sqlite(path)
    other.exec('begin immediate')
    const waiting = catalog.tables.commit({ tables: [appendTo(state, 1n)], transactions: [] })
    expect(await catalog.tables.find({ tableUuid })).toStrictEqual(state)
    other.exec('commit')
    expect(await waiting).toEqual({ outcome: 'committed' })
    other.close()
    await catalog.close()
  })

  test('a writer who waits for too long is overloaded, and may try again', async () => {
    const path = newPath()
    const catalog = await openSqliteCatalog({ path, contentionMsMax: 50 })
    await catalog.migrate()
    const state = await create(catalog, 'planets')
    const other = new Sqlite(path)
    other.exec('begin immediate')
    const commit = { tables: [appendTo(state, 1n)], transactions: [] }
    await expect(catalog.tables.commit(commit)).rejects.toMatchObject({ code: 'overloaded' })
    other.close()
    expect(await catalog.tables.commit(commit)).toEqual({ outcome: 'committed' })
    await catalog.close()
  })

  test('other work goes on in the middle of a large commit', async () => {
    const catalog = await openSqliteCatalog({ path: newPath() })
    await catalog.migrate()
    const state = await create(catalog, 'planets')
    const paths = Array.from({ length: 100_000 }, (_, index) => `file:///${index}`)
    let isDone = false
    const committing = catalog.tables
      .commit({ tables: [appendTo(state, 1n, paths)], transactions: [] })
      .finally(() => {
        isDone = true
      })
    let turns = 0
    for (; !isDone; turns++) await nextTurn()
    expect(await committing).toEqual({ outcome: 'committed' })
    // Tens, when each lasts ten milliseconds; two, when it is all done in one.
    expect(turns).toBeGreaterThan(5)
    await catalog.close()
  })

  test('a full disk is storage-full, and changes nothing', async () => {
    const path = newPath()
    const catalog = await openSqliteCatalog({ path })
    await catalog.migrate()
    const state = await create(catalog, 'planets')
    await catalog.close()
    // A limit gives SQLITE_FULL, as a full disk does.
    const limited = await openSqliteCatalog({ path, sizeBytesMax: 1 })
    const paths = Array.from({ length: 2_000 }, (_, index) => `file:///${index}`)
    const commit = { tables: [appendTo(state, 1n, paths)], transactions: [] }
    await expect(limited.tables.commit(commit)).rejects.toMatchObject({ code: 'storage-full' })
    const { tableUuid } = state.definition
    expect(await limited.tables.find({ tableUuid })).toStrictEqual(state)
    expect(await limited.paths.findKnown(tableUuid, paths)).toEqual(new Set())
    await limited.close()
  })

  test('a file that is no database is refused, with the ways out', async () => {
    await expect(openSqliteCatalog({ path: new URL(import.meta.url).pathname })).rejects.toThrow(
      /not an SQLite database: restore it from a backup, or run "moraine rebuild"/,
    )
  })
})

describe('SQLite, in memory', () => {
  describeCatalog(
    async () => ({
      catalog: await openSqliteCatalog({ path: ':memory:' }),
      openAnother: undefined,
    }),
    { isShared: false },
  )
})
