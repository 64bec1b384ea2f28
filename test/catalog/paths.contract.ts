import type { Catalog } from '../../src/catalog/catalog.ts'
import type { TableCommit } from '../../src/catalog/table-store.ts'
import type { TableState } from '../../src/core/table/table.ts'
import { appendTo, create, newTable, stateOf } from './catalog-samples.ts'

export function describePaths(catalog: () => Catalog): void {
  describe('known paths', () => {
    test('paths are known to the table that has them, to others as those of another', async () => {
      const planets = await create(catalog(), 'planets')
      const moons = await create(catalog(), 'moons')
      const paths = ['file:///a', 'file:///b']
      await catalog().tables.commit({ tables: [appendTo(planets, 1n, paths)], transactions: [] })
      await catalog().tables.commit({
        tables: [appendTo(moons, 1n, ['file:///b'])],
        transactions: [],
      })
      const asked = ['file:///a', 'file:///b', 'file:///A', 'file:///c', 'file:///a']
      const ofPlanets = planets.definition.tableUuid
      const ofMoons = moons.definition.tableUuid
      expect(await catalog().paths.findKnown(ofPlanets, asked)).toEqual(new Set(paths))
      expect(await catalog().paths.findKnown(ofMoons, asked)).toEqual(new Set(['file:///b']))
      const tables = await catalog().paths.findTables(asked)
      expect([...tables.keys()].sort()).toEqual(paths)
      expect(tables.get('file:///a')).toEqual([ofPlanets])
      expect(tables.get('file:///b')?.toSorted()).toEqual([ofPlanets, ofMoons].sort())
      expect(await catalog().paths.findKnown(ofPlanets, [])).toEqual(new Set())
    })

    test('a path is known under any spelling, in a bucket under its own only', async () => {
      const state = await create(catalog(), 'planets')
      const added = ['file:/a//b', 's3a://bucket/a//b']
      await catalog().tables.commit({ tables: [appendTo(state, 1n, added)], transactions: [] })
      const asked = ['file:///a/b', '/a/b/', 's3://bucket/a//b', 's3://bucket/a/b', 'file:///a']
      const known = await catalog().paths.findKnown(state.definition.tableUuid, asked)
      expect([...known]).toEqual(['file:///a/b', '/a/b/', 's3://bucket/a//b'])
    })

    test('a path that comes twice is no failure', async () => {
      const state = await create(catalog(), 'planets')
      const first = appendTo(state, 1n, ['file:///a', 'file:///a'])
      await catalog().tables.commit({ tables: [first], transactions: [] })
      const second = appendTo(first.state, 2n, [
        'file:///a',
        `file:///${'long'.repeat(2_000)}\u0000`,
      ])
      const outcome = await catalog().tables.commit({ tables: [second], transactions: [] })
      expect(outcome).toEqual({ outcome: 'committed' })
      const known = await catalog().paths.findKnown(state.definition.tableUuid, second.addedPaths)
      expect(known).toEqual(new Set(second.addedPaths))
    })

    test('a clone takes over thousands of paths, and keeps them when its origin goes', async () => {
      const origin = await create(catalog(), 'origin')
      const paths = Array.from({ length: 5_000 }, (_, index) => `file:///data/${index}.parquet`)
      await catalog().tables.commit({ tables: [appendTo(origin, 1n, paths)], transactions: [] })
      const clone = stateOf('clone')
      const originUuid = origin.definition.tableUuid
      await catalog().tables.create(
        newTable(clone, { addedPaths: ['file:///own'], copyPathsFromTableUuid: originUuid }),
      )
      const asked = [...paths, 'file:///own', 'file:///none']
      const known = await catalog().paths.findKnown(clone.definition.tableUuid, asked)
      expect(known.size).toBe(5_001)
      expect((await catalog().paths.findTables(asked)).size).toBe(5_001)
      await catalog().tables.drop({ tableUuid: originUuid, expectedVersion: 1 })
      expect((await catalog().paths.findKnown(clone.definition.tableUuid, asked)).size).toBe(5_001)
      expect((await catalog().paths.findKnown(originUuid, asked)).size).toBe(0)
    })

    const [A, B] = ['a1', 'b2'].map((digits) => digits.repeat(32)) as [string, string]
    const start = (sha256: string) => sha256.slice(0, 32)
    const footers = async ({ definition: { tableUuid } }: TableState, paths: readonly string[]) =>
      [...(await catalog().paths.findFooters(tableUuid, paths))].toSorted()
    const many = (count: number) =>
      Array.from({ length: count }, (_, i) => `file:///data/${i}.parquet`)
    const all = (paths: readonly string[], sha256: string): ReadonlyMap<string, string> =>
      new Map(paths.map((path) => [path, sha256]))

    test.each([
      ['few', 3],
      ['very many', 5_001],
    ])('of %s files the footers of the newest commit are known', async (_, count) => {
      const state = await create(catalog(), 'planets')
      const other = await create(catalog(), 'moons')
      const paths = many(count)
      const first = appendTo(state, 1n, [...paths, 'file:///manifest'])
      const commit = (table: TableCommit) =>
        catalog().tables.commit({ tables: [table], transactions: [] })
      await commit({ ...first, footers: all(paths, A) })
      const asked = [...paths, 'file:/data//0.parquet', 'file:///manifest', 'file:///none']
      const known = [...paths, 'file:/data//0.parquet']
      expect(await footers(state, asked)).toEqual(known.map((path) => [path, start(A)]).toSorted())
      expect(await footers(other, asked)).toEqual([])
      expect(await footers(state, [])).toEqual([])

      const [one = '', two = '', ...rest] = paths
      const second = appendTo(first.state, 2n, [one, two])
      await commit({ ...second, footers: all([one], B) })
      // Nobody has read the second one.
      const left = [[one, start(B)], ...rest.map((path) => [path, start(A)])]
      expect(await footers(state, paths)).toEqual(left.toSorted())
      await catalog().paths.addKeys(state.definition.tableUuid, paths)
      expect(await footers(state, paths)).toEqual(left.toSorted())
      await commit({ ...appendTo(second.state, 3n, paths), footers: all(paths, B) })
      expect(await footers(state, paths)).toEqual(paths.map((path) => [path, start(B)]).toSorted())
    })

    test('a path that comes twice with a footer is no failure', async () => {
      const state = await create(catalog(), 'planets')
      const paths = ['file:///a', 'file:/a', 'file:///a']
      const twice = { ...appendTo(state, 1n, paths), footers: all(paths, A) }
      const outcome = await catalog().tables.commit({ tables: [twice], transactions: [] })
      expect(outcome).toEqual({ outcome: 'committed' })
      expect(await footers(state, ['file:///a'])).toEqual([['file:///a', start(A)]])
    })

    test.each([
      ['few', 3],
      ['very many', 5_001],
    ])('a clone of %s files has their footers, and a table that comes back', async (_, count) => {
      const paths = many(count)
      const state = stateOf('planets')
      const table = newTable(state, { addedPaths: paths, footers: all(paths, A) })
      await catalog().tables.create(table)
      const expected = paths.map((path) => [path, start(A)]).toSorted()
      expect(await footers(state, paths)).toEqual(expected)
      const { tableUuid } = state.definition
      const clone = stateOf('clone')
      await catalog().tables.create(newTable(clone, { copyPathsFromTableUuid: tableUuid }))
      expect(await footers(clone, paths)).toEqual(expected)
      for (const [version, sha256] of [A, B].entries()) {
        await catalog().tables.drop({ tableUuid, expectedVersion: 2 * version })
        await catalog().paths.forgetLeftovers()
        expect(await footers(state, paths)).toEqual([])
        const back = { ...state, version: 2 * version + 1 }
        await catalog().tables.create(newTable(back, { addedPaths: paths }))
        const known = paths.map((path) => [path, start(sha256)]).toSorted()
        expect(await footers(state, paths)).toEqual(known)
        // So that the next drop has another one to keep.
        const change = { ...appendTo(back, BigInt(version + 1), paths), footers: all(paths, B) }
        await catalog().tables.commit({ tables: [change], transactions: [] })
      }
    })

    test.each([3, 1_500, 5_001])(
      'a table of %s files that is registered over itself has no footers of before',
      async (count) => {
        const paths = many(count)
        const state = stateOf('planets')
        const { tableUuid } = state.definition
        await catalog().tables.create(
          newTable(state, { addedPaths: paths, footers: all(paths, A) }),
        )
        const table = newTable({ ...state, version: 1 }, { addedPaths: paths })
        await catalog().tables.replace({ tableUuid, expectedVersion: 0, table })
        expect(await footers(state, paths)).toEqual([])
      },
    )

    const dropped = async (paths: readonly string[]) =>
      [...(await catalog().paths.findDropped(paths))].toSorted()

    test.each([
      ['few', 3],
      ['very many', 5_001],
    ])(
      'of %s paths of a table that is dropped without a purge none is forgotten',
      async (_, count) => {
        const state = stateOf('planets')
        const { tableUuid } = state.definition
        const paths = Array.from({ length: count }, (_, i) => `file:///data/${i}.parquet`)
        await catalog().tables.create(newTable(state, { addedPaths: paths }))
        expect(await dropped(paths)).toEqual([])
        await catalog().tables.drop({ tableUuid, expectedVersion: 0 })
        await catalog().paths.forgetLeftovers()
        const asked = [...paths, 'file:///none', 'file:/data//0.parquet']
        expect(await dropped(asked)).toEqual(
          [...paths, 'file:/data//0.parquet'].map((path) => [path, [tableUuid]]).toSorted(),
        )
        expect((await catalog().paths.findTables(asked)).size).toBe(0)
        const again = newTable({ ...state, version: 1 }, { addedPaths: paths.slice(1) })
        await catalog().tables.create(again)
        expect(await dropped(asked)).toEqual([])
        const purge = { path: paths[1] ?? '', tableUuid, mark: 'm', reason: 'purge' } as const
        const deletions = [{ ...purge, dueAtMs: 1 }]
        await catalog().tables.drop({ tableUuid, expectedVersion: 1, deletions })
        await catalog().paths.forgetLeftovers()
        expect(await dropped(asked)).toEqual([])
        // Those of before the purge are gone, so a later life leaves its own only.
        const own = 'file:///own'
        const last = newTable({ ...state, version: 2 }, { addedPaths: [own] })
        await catalog().tables.create(last)
        await catalog().tables.drop({ tableUuid, expectedVersion: 2 })
        expect(await dropped([...asked, own])).toEqual([[own, [tableUuid]]])
      },
    )

    test('a replaced table leaves its paths, unless it is the same one', async () => {
      const state = stateOf('planets')
      const { tableUuid } = state.definition
      const [first, second] = ['file:///first', 'file:///second']
      await catalog().tables.create(newTable(state, { addedPaths: [first] }))
      const same = newTable({ ...state, version: 1 }, { addedPaths: [second] })
      await catalog().tables.replace({ tableUuid, expectedVersion: 0, table: same })
      expect(await dropped([first, second])).toEqual([])
      const other = newTable(stateOf('planets', { version: 2 }))
      await catalog().tables.replace({ tableUuid, expectedVersion: 1, table: other })
      expect(await dropped([first, second])).toEqual([[second, [tableUuid]]])
    })

    test('a dropped table whose last location is given to others leaves none', async () => {
      const state = stateOf('planets')
      const { tableUuid, location } = state.definition
      await catalog().tables.create(newTable(state, { addedPaths: ['file:///a'] }))
      await catalog().tables.drop({ tableUuid, expectedVersion: 0 })
      const elsewhere = 'file:///elsewhere'
      await catalog().locations.remember({ tableUuid, location: elsewhere })
      await catalog().locations.forget({ tableUuid, location })
      expect(await dropped(['file:///a'])).toHaveLength(1)
      await catalog().locations.forget({ tableUuid, location: elsewhere })
      expect(await dropped(['file:///a'])).toEqual([])
      expect(await catalog().paths.forgetLeftovers()).toBe(1)
    })
  })
}
