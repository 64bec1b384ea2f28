import type { CatalogStore } from '../../src/catalog/catalog-store.ts'
import { create, definitionOf, newTable, snapshotOf, stateOf } from './catalog-samples.ts'

export function describeReplacements(store: () => CatalogStore): void {
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

    test('the new one has the name and nothing of the old one, even under the same UUID', async () => {
      const before = stateOf('Planets')
      const old = newTable(before, { snapshots: [snapshotOf(5n)], addedPaths: ['old'] })
      expect(await store().createTable(old)).toBe('created')
      const { tableUuid } = before.definition
      const table = replacementOf(before, 'Planets')
      expect(await store().replaceTable({ tableUuid, expectedVersion: 0, table })).toBe('created')
      expect(await store().findTable({ tableUuid })).toStrictEqual(table.state)
      expect(await store().listSnapshots(tableUuid)).toEqual(table.snapshots)
      const known = await store().findKnownPaths(tableUuid, ['old', 'new'])
      expect([...known]).toEqual(['new'])
      const publications = await store().listPublications(tableUuid, 10)
      expect(publications.map(({ version }) => version)).toEqual([3, 2, 1])
    })

    test('a version that is not the newest, or a taken UUID, changes nothing', async () => {
      const before = await create(store(), 'Planets')
      const other = await create(store(), 'Moons')
      const { tableUuid } = before.definition
      const replay = { key: 'k', requestHash: 'h', status: 200, body: '', expiresAtMs: 1 }
      const replace = (expectedVersion: number, of: typeof before) =>
        store().replaceTable(
          { tableUuid, expectedVersion, table: replacementOf(of, 'Planets') },
          { replay },
        )
      expect(await replace(4, before)).toBe('version-mismatch')
      expect(await replace(0, other)).toBe('already-exists')
      expect(await store().findTable({ tableUuid })).toStrictEqual(before)
      expect(await store().findReplay('k')).toBeUndefined()
      expect(await replace(0, before)).toBe('created')
      expect(await store().findReplay('k')).toEqual(replay)
    })
  })
}
