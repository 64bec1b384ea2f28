import { randomUUID } from 'node:crypto'
import type { Catalog } from '../../src/catalog/catalog.ts'
import { appendTo, create, newTable, stateOf } from './catalog-samples.ts'

export function describePublications(catalog: () => Catalog): void {
  describe('publications', () => {
    test('a publication moves forward only, and the newest is the one that counts', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const publish = (version: number) =>
        catalog().publications.record({
          tableUuid,
          version,
          metadataLocation: `file:///m/${version}`,
          publishedAtMs: 10 + version,
        })
      for (const version of [0, 3, 2, 3, 5]) await publish(version)
      expect(await catalog().tables.find({ tableUuid })).toMatchObject({
        metadataLocation: 'file:///m/5',
        publishedVersion: 5,
      })
      expect((await catalog().publications.list(tableUuid, 2)).map((p) => p.version)).toEqual([
        5, 3,
      ])
      expect(await catalog().publications.list(tableUuid, 9)).toHaveLength(3)
      expect(await catalog().publications.list(randomUUID(), 9)).toEqual([])
    })

    test('old ones are listed oldest first, and forgotten', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      for (let version = 0; version < 6; version++) {
        const publication = { tableUuid, version, metadataLocation: `file:///m/${version}` }
        await catalog().publications.record({ ...publication, publishedAtMs: version })
      }
      const { publications } = catalog()
      const olderThan = async (beforeVersion: number, limit: number) =>
        (await publications.listBefore({ tableUuid, beforeVersion, limit })).map((p) => p.version)
      expect(await olderThan(4, 9)).toEqual([0, 1, 2, 3])
      expect(await olderThan(4, 2)).toEqual([0, 1])
      await publications.forget(tableUuid, [0, 1, 77])
      await publications.forget(tableUuid, [])
      expect(await olderThan(4, 9)).toEqual([2, 3])
      expect((await publications.list(tableUuid, 9)).map((p) => p.version)).toEqual([5, 4, 3, 2])
    })

    test('a table that begins with a metadata file has it in its log', async () => {
      const state = stateOf('planets', { metadataLocation: 'file:///m/0', publishedVersion: 0 })
      await catalog().tables.create(newTable(state))
      expect(await catalog().publications.list(state.definition.tableUuid, 9)).toEqual([
        {
          tableUuid: state.definition.tableUuid,
          version: 0,
          metadataLocation: 'file:///m/0',
          publishedAtMs: 1_000,
        },
      ])
    })

    test('tables with an unpublished version are listed, the longest waiting first', async () => {
      const late = stateOf('late', { lastUpdatedMs: 3_000 })
      const early = stateOf('early', { lastUpdatedMs: 2_000 })
      for (const state of [late, early]) await catalog().tables.create(newTable(state))
      const uuids = [early.definition.tableUuid, late.definition.tableUuid]
      expect(await catalog().publications.listUnpublishedTables(10)).toEqual(uuids)
      expect(await catalog().publications.listUnpublishedTables(1)).toEqual(uuids.slice(0, 1))
      await catalog().publications.record({
        tableUuid: early.definition.tableUuid,
        version: 0,
        metadataLocation: 'm',
        publishedAtMs: 1,
      })
      expect(await catalog().publications.listUnpublishedTables(10)).toEqual(uuids.slice(1))
      await catalog().tables.commit({ tables: [appendTo(early, 1n)], transactions: [] })
      expect(await catalog().publications.listUnpublishedTables(10)).toHaveLength(2)
    })

    test('a commit leaves the publication as it was', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      await catalog().publications.record({
        tableUuid,
        version: 0,
        metadataLocation: 'file:///m/0',
        publishedAtMs: 1,
      })
      await catalog().tables.commit({ tables: [appendTo(state, 1n)], transactions: [] })
      expect(await catalog().tables.find({ tableUuid })).toMatchObject({
        version: 1,
        metadataLocation: 'file:///m/0',
        publishedVersion: 0,
      })
    })
  })
}
