import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CatalogStore } from '../../../src/catalog/catalog-store.ts'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import { appendTo, create } from '../catalog-samples.ts'

let folder = ''
let path = ''
let store: CatalogStore

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-write-group-'))
  path = join(folder, 'catalog.db')
  store = await openSqliteCatalog({ path })
  await store.migrate()
})
afterEach(async () => {
  await store.close()
  await rm(folder, { recursive: true, force: true })
})

describe('writers of one turn, who share an fsync', () => {
  test('all succeed together', async () => {
    const states = await Promise.all(range(100).map((i) => create(store, `t${i}`)))
    const tables = await store.listTables({ limit: 1_000 })
    expect(new Set(tables.map((table) => table.tableUuid))).toEqual(
      new Set(states.map((state) => state.definition.tableUuid)),
    )
  })

  test('one that is refused leaves no trace, and harms no other', async () => {
    const state = await create(store, 'planets')
    const late = { ...appendTo(state, 99n, ['file:///late']), expectedVersion: 7 }
    const wrong = { ...late, state: { ...late.state, version: 8 } }
    const [first, refused, other] = await Promise.all([
      store.commit({ tables: [appendTo(state, 1n, ['file:///first'])], transactions: [] }),
      store.commit({ tables: [wrong], transactions: [] }),
      create(store, 'moons'),
    ])
    const { tableUuid } = state.definition
    expect(first).toEqual({ outcome: 'committed' })
    expect(refused).toEqual({ outcome: 'version-mismatch', tableUuid })
    expect(await store.findTable({ tableUuid: other.definition.tableUuid })).toStrictEqual(other)
    expect(await store.findKnownPaths(tableUuid, ['file:///first', 'file:///late'])).toEqual(
      new Set(['file:///first']),
    )
    expect(await store.findSnapshot(tableUuid, 99n)).toBeUndefined()
  })

  test('of two for one version one comes first, and the other is told', async () => {
    const state = await create(store, 'planets')
    const outcomes = await Promise.all(
      [1n, 2n, 3n].map((id) => store.commit({ tables: [appendTo(state, id)], transactions: [] })),
    )
    expect(outcomes.map(({ outcome }) => outcome)).toEqual([
      'committed',
      'version-mismatch',
      'version-mismatch',
    ])
  })

  test('on a disk that becomes full, exactly what was acknowledged is there', async () => {
    const state = await create(store, 'planets')
    await store.close()
    const { size } = await stat(path)
    store = await openSqliteCatalog({ path, sizeBytesMax: size + 64 * 1024 })
    const { tableUuid } = state.definition
    const names = range(400).map((i) => `t${i}`)
    const outcomes = await Promise.allSettled(names.map((name) => create(store, name)))
    await store.close()
    store = await openSqliteCatalog({ path })
    const listed = (await store.listTables({ limit: 1_000 })).map((table) => table.name)
    const acknowledged = names.filter((_, i) => outcomes[i]?.status === 'fulfilled')
    expect(new Set(listed)).toEqual(new Set(['planets', ...acknowledged]))
    expect(acknowledged.length).toBeLessThan(names.length)
    const refusals = outcomes.flatMap((o) => (o.status === 'rejected' ? [o.reason.code] : []))
    expect(new Set(refusals)).toEqual(new Set(['storage-full']))
    expect(await store.findTable({ tableUuid })).toStrictEqual(state)
  })
})

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index)
}
