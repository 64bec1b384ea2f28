import type { Catalog } from '../../src/catalog/catalog.ts'
import {
  create,
  definitionOf,
  idOf,
  newTable,
  recordOf,
  replayOf,
  snapshotOf,
  stateOf,
} from './catalog-samples.ts'

export function describeReplacements(catalog: () => Catalog): void {
  describe('replacing a table', () => {
    const replacementOf = (before: { definition: { tableUuid: string } }, name: string) => {
      const snapshot = snapshotOf(7n)
      const state = stateOf(name, {
        definition: definitionOf(before.definition.tableUuid),
        version: 3,
        publishedVersion: 3,
        metadataLocation: 'file:///m/3.metadata.json',
        currentSnapshot: snapshot,
        lastSequenceNumber: 1n,
      })
      const earlierPublications = [1, 2].map((version) => ({
        ...{
          version,
          metadataLocation: `file:///m/${version}.metadata.json`,
          publishedAtMs: version,
        },
      }))
      return newTable(state, { snapshots: [snapshot], earlierPublications, addedPaths: ['new'] })
    }

    test('the new one has the name and nothing of the old, even under the same UUID', async () => {
      const before = stateOf('Planets')
      const old = newTable(before, { snapshots: [snapshotOf(5n)], addedPaths: ['old'] })
      expect(await catalog().tables.create(old)).toBe('created')
      const { tableUuid } = before.definition
      const table = replacementOf(before, 'Planets')
      expect(await catalog().tables.replace({ tableUuid, expectedVersion: 0, table })).toBe(
        'created',
      )
      expect(await catalog().tables.find({ tableUuid })).toStrictEqual(table.state)
      expect(await catalog().snapshots.list(tableUuid)).toEqual(table.snapshots)
      const known = await catalog().paths.findKnown(tableUuid, ['old', 'new'])
      expect([...known]).toEqual(['new'])
      const publications = await catalog().publications.list(tableUuid, 10)
      expect(publications.map(({ version }) => version)).toEqual([3, 2, 1])
    })

    test('a version that is not the newest, or a taken UUID, changes nothing', async () => {
      const before = await create(catalog(), 'Planets')
      const other = await create(catalog(), 'Moons')
      const { tableUuid } = before.definition
      const replay = replayOf('k')
      const replace = (expectedVersion: number, of: typeof before) =>
        catalog().tables.replace(
          { tableUuid, expectedVersion, table: replacementOf(of, 'Planets') },
          { replay },
        )
      expect(await replace(4, before)).toBe('version-mismatch')
      expect(await replace(0, other)).toBe('already-exists')
      expect(await catalog().tables.find({ tableUuid })).toStrictEqual(before)
      expect(await catalog().replays.find(idOf('k'))).toBeUndefined()
      expect(await replace(0, before)).toBe('created')
      expect(await catalog().replays.find(idOf('k'))).toEqual(recordOf(replay))
    })
  })
}
