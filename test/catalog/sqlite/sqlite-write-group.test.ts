import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import {
  CompiledQuery,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import type { Database } from '../../../src/catalog/sql/engine/sql-schema.ts'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import { SqliteDriver } from '../../../src/catalog/sqlite/sqlite-driver.ts'
import { SqliteWriteGroup } from '../../../src/catalog/sqlite/sqlite-write-group.ts'
import { appendTo, create } from '../catalog-samples.ts'

let folder = ''
let path = ''
let catalog: Catalog

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-write-group-'))
  path = join(folder, 'catalog.db')
  catalog = await openSqliteCatalog({ path })
  await catalog.migrate()
})
afterEach(async () => {
  await catalog.close()
  await rm(folder, { recursive: true, force: true })
})

describe('writers of one turn, who share an fsync', () => {
  test('all succeed together', async () => {
    const states = await Promise.all(range(100).map((i) => create(catalog, `t${i}`)))
    const tables = await catalog.tables.list({ limit: 1_000 })
    expect(new Set(tables.map((table) => table.tableUuid))).toEqual(
      new Set(states.map((state) => state.definition.tableUuid)),
    )
  })

  test('one that is refused leaves no trace, and harms no other', async () => {
    const state = await create(catalog, 'planets')
    const late = { ...appendTo(state, 99n, ['file:///late']), expectedVersion: 7 }
    const wrong = { ...late, state: { ...late.state, version: 8 } }
    const [first, refused, other] = await Promise.all([
      catalog.tables.commit({ tables: [appendTo(state, 1n, ['file:///first'])], transactions: [] }),
      catalog.tables.commit({ tables: [wrong], transactions: [] }),
      create(catalog, 'moons'),
    ])
    const { tableUuid } = state.definition
    expect(first).toEqual({ outcome: 'committed' })
    expect(refused).toEqual({ outcome: 'version-mismatch', tableUuid })
    expect(await catalog.tables.find({ tableUuid: other.definition.tableUuid })).toStrictEqual(
      other,
    )
    expect(await catalog.paths.findKnown(tableUuid, ['file:///first', 'file:///late'])).toEqual(
      new Set(['file:///first']),
    )
    expect(await catalog.snapshots.find(tableUuid, 99n)).toBeUndefined()
  })

  test('one that is refused after it wrote takes back what it wrote, and no more', async () => {
    const database = new Sqlite(join(folder, 'group.db'))
    database.exec('create table written (n integer)')
    const connection = new Kysely<Database>({
      dialect: {
        createAdapter: () => new SqliteAdapter(),
        createDriver: () => new SqliteDriver(database),
        createIntrospector: (kysely) => new SqliteIntrospector(kysely),
        createQueryCompiler: () => new SqliteQueryCompiler(),
      },
    })
    const group = new SqliteWriteGroup(connection, {
      isInTransaction: () => database.inTransaction,
    })
    const writeOf = (n: number) =>
      group.transact(async (transaction) => {
        await transaction.executeQuery(CompiledQuery.raw(`insert into written values (${n})`))
        if (n === 2) throw new Error('refused after it wrote')
      })
    const outcomes = await Promise.allSettled([1, 2, 3].map(writeOf))
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(database.prepare('select n from written').pluck().all()).toEqual([1, 3])
    await connection.destroy()
  })

  test('of two for one version one comes first, and the other learns of it', async () => {
    const state = await create(catalog, 'planets')
    const outcomes = await Promise.all(
      [1n, 2n, 3n].map((id) =>
        catalog.tables.commit({ tables: [appendTo(state, id)], transactions: [] }),
      ),
    )
    expect(outcomes.map(({ outcome }) => outcome)).toEqual([
      'committed',
      'version-mismatch',
      'version-mismatch',
    ])
  })

  test('on a disk that becomes full, exactly what was acknowledged is there', async () => {
    const state = await create(catalog, 'planets')
    await catalog.close()
    const { size } = await stat(path)
    catalog = await openSqliteCatalog({ path, sizeBytesMax: size + 64 * 1024 })
    const { tableUuid } = state.definition
    const names = range(400).map((i) => `t${i}`)
    const outcomes = await Promise.allSettled(names.map((name) => create(catalog, name)))
    await catalog.close()
    catalog = await openSqliteCatalog({ path })
    const listed = (await catalog.tables.list({ limit: 1_000 })).map((table) => table.name)
    const acknowledged = names.filter((_, i) => outcomes[i]?.status === 'fulfilled')
    expect(new Set(listed)).toEqual(new Set(['planets', ...acknowledged]))
    expect(acknowledged.length).toBeLessThan(names.length)
    const refusals = outcomes.flatMap((o) => (o.status === 'rejected' ? [o.reason.code] : []))
    expect(new Set(refusals)).toEqual(new Set(['storage-full']))
    expect(await catalog.tables.find({ tableUuid })).toStrictEqual(state)
  })
})

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index)
}
