import type { Catalog } from '../../src/catalog/catalog.ts'
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
  })
}
