import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import type { CatalogStore } from '../../src/catalog/catalog-store.ts'
import { appendTo, create, definitionOf, newTable, snapshotOf, stateOf } from './catalog-samples.ts'

export function describeTables(store: () => CatalogStore): void {
  describe('tables', () => {
    test('a created table is found by name and by UUID, exactly as it was given', async () => {
      const snapshot = snapshotOf(2n ** 63n - 1n, {
        parentSnapshotId: 2n ** 62n + 1n,
        sequenceNumber: 2n ** 61n + 1n,
        firstRowId: 2n ** 60n + 1n,
        addedRows: 7n,
      })
      const state = stateOf('Planets', {
        lastSequenceNumber: snapshot.sequenceNumber,
        currentSnapshot: snapshot,
        refs: { v1: { type: 'tag', snapshotId: snapshot.snapshotId, maxRefAgeMs: 1 } },
        metadataLocation: 'file:///m/00003.metadata.json',
        publishedVersion: 3,
        version: 4,
      })
      const created = await store().createTable(newTable(state, { snapshots: [snapshot] }))
      expect(created).toBe('created')
      const found = await store().findTable({ tableUuid: state.definition.tableUuid })
      expect(found).toStrictEqual(state)
      expect(await store().findTable({ namespace: ['sky'], name: 'Planets' })).toStrictEqual(state)
      expect(await store().findTable({ namespace: ['sky'], name: 'moons' })).toBeUndefined()
      expect(await store().findTable({ namespace: [], name: 'Planets' })).toBeUndefined()
      expect(await store().findTable({ tableUuid: randomUUID() })).toBeUndefined()
    })

    test('names keep their case and compare without it', async () => {
      await create(store(), 'Planets')
      const found = await store().findTable({ namespace: ['SKY'], name: 'pLANETS' })
      expect(found).toMatchObject({ namespace: ['sky'], name: 'Planets' })
      const twin = stateOf('PLANETS', { namespace: ['Sky'] })
      expect(await store().createTable(newTable(twin))).toBe('already-exists')
      await create(store(), 'ΌΔΟΣ')
      expect(await store().findTable({ namespace: ['sky'], name: 'όδοσ' })).toBeDefined()
    })

    test('a refused creation leaves no snapshot, path or namespace behind', async () => {
      const first = await create(store(), 'planets')
      const { tableUuid } = first.definition
      const twin = stateOf('other', { definition: first.definition, namespace: ['elsewhere'] })
      const contents = { snapshots: [snapshotOf(5n)], addedPaths: ['file:///a'] }
      expect(await store().createTable(newTable(twin, contents))).toBe('already-exists')
      expect(await store().listSnapshots(tableUuid)).toEqual([])
      expect(await store().findKnownPaths(tableUuid, ['file:///a'])).toEqual(new Set())
      expect(await store().listNamespaces()).toEqual([['sky']])
    })

    test('of many creations of one name at once, one is created', async () => {
      const names = ['planets', 'Planets', 'PLANETS', 'pLanets', 'plAnets', 'plaNets']
      const outcomes = await Promise.all(
        names.map((name) => store().createTable(newTable(stateOf(name)))),
      )
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1)
    })

    test('a namespace is made with its parents, and listed level by level', async () => {
      for (const namespace of [['b'], ['a', 'x', 'y'], ['a2'], ['A', 'X', 'z'], []]) {
        await store().createTable(newTable(stateOf('t', { namespace })))
      }
      expect(await store().listNamespaces()).toEqual([
        ['a'],
        ['a', 'x'],
        ['a', 'x', 'y'],
        ['A', 'X', 'z'],
        ['a2'],
        ['b'],
      ])
    })

    test('tables are listed by namespace, then name, without case, page by page', async () => {
      const wanted = [
        { namespace: ['a'], name: 'b' },
        { namespace: ['a'], name: 'C' },
        { namespace: ['a', 'deep'], name: 'a' },
        { namespace: ['B'], name: 'A' },
        { namespace: ['b'], name: 'b' },
      ]
      for (const { namespace, name } of wanted.toReversed()) {
        await store().createTable(newTable(stateOf(name, { namespace })))
      }
      const seen = []
      let after: { namespace: readonly string[]; name: string } | undefined
      for (;;) {
        const page = await store().listTables({
          limit: 2,
          ...(after === undefined ? {} : { after }),
        })
        seen.push(...page.map(({ namespace, name }) => ({ namespace, name })))
        const last = page.at(-1)
        if (last === undefined) break
        expect(page.length).toBeLessThanOrEqual(2)
        after = { namespace: last.namespace.map((level) => level.toUpperCase()), name: last.name }
      }
      expect(seen).toEqual(wanted)
      const inA = await store().listTables({ namespace: ['A'], limit: 10 })
      expect(inA.map((table) => table.name)).toEqual(['b', 'C'])
    })

    test('a summary says where the table is and what it holds', async () => {
      const state = await create(store(), 'planets')
      await store().commit({ tables: [appendTo(state, 2n ** 63n - 1n)], transactions: [] })
      expect(await store().listTables({ limit: 1 })).toStrictEqual([
        {
          namespace: ['sky'],
          name: 'planets',
          tableUuid: state.definition.tableUuid,
          location: state.definition.location,
          createdAtMs: 1_000,
          lastUpdatedMs: 1_001,
          currentSnapshotId: 2n ** 63n - 1n,
        },
      ])
    })

    test('a prefix is taken to the letter, whatever it holds', async () => {
      const names = [
        'a%b',
        'a_b',
        'axb',
        'A_c',
        'a\\_d',
        'ab',
        'a',
        'b',
        'a\u{10ffff}z',
        'a\ud7ffz',
      ]
      for (const name of names) await create(store(), name)
      const piece = fc.constantFrom('a', 'A', '%', '_', '\\', 'b', 'x', '\u{10ffff}', '\ud7ff')
      const prefixes = fc.array(piece, { maxLength: 3 }).map((pieces) => pieces.join(''))
      await fc.assert(
        fc.asyncProperty(prefixes, async (prefix) => {
          const listed = await store().listTables({ prefix, limit: 100 })
          const wanted = names.filter((n) => n.toLowerCase().startsWith(prefix.toLowerCase()))
          expect(listed.map((table) => table.name).sort()).toEqual(wanted.sort())
        }),
        { numRuns: 40 },
      )
    })

    test('a dropped table is forgotten, and its name is free', async () => {
      const state = await create(store(), 'planets')
      const { tableUuid } = state.definition
      const commit = appendTo(state, 5n, ['file:///a'])
      await store().commit({ tables: [commit], transactions: [] })
      const publication = { tableUuid, version: 1, metadataLocation: 'm', publishedAtMs: 1 }
      await store().recordPublication(publication)
      expect(await store().dropTable(tableUuid)).toBe('dropped')
      expect(await store().dropTable(tableUuid)).toBe('not-found')
      expect(await store().findTable({ tableUuid })).toBeUndefined()
      expect(await store().listTables({ limit: 10 })).toEqual([])
      const late = appendTo(commit.state, 6n)
      expect(await store().commit({ tables: [late], transactions: [] })).toEqual({
        outcome: 'version-mismatch',
        tableUuid,
      })
      // Under the same UUID, so that anything left over would show.
      const again = stateOf('planets', { definition: state.definition })
      expect(await store().createTable(newTable(again))).toBe('created')
      expect(await store().listSnapshots(tableUuid)).toEqual([])
      expect(await store().listSnapshotLog(tableUuid)).toEqual([])
      expect(await store().findKnownPaths(tableUuid, ['file:///a'])).toEqual(new Set())
      expect(await store().listPublications(tableUuid, 9)).toEqual([])
    })
  })

  describe('publications', () => {
    test('a publication moves forward only, and the newest is the one that is answered', async () => {
      const state = await create(store(), 'planets')
      const { tableUuid } = state.definition
      const publish = (version: number) =>
        store().recordPublication({
          tableUuid,
          version,
          metadataLocation: `file:///m/${version}`,
          publishedAtMs: 10 + version,
        })
      for (const version of [0, 3, 2, 3, 5]) await publish(version)
      expect(await store().findTable({ tableUuid })).toMatchObject({
        metadataLocation: 'file:///m/5',
        publishedVersion: 5,
      })
      expect((await store().listPublications(tableUuid, 2)).map((p) => p.version)).toEqual([5, 3])
      expect(await store().listPublications(tableUuid, 9)).toHaveLength(3)
      expect(await store().listPublications(randomUUID(), 9)).toEqual([])
    })

    test('a table that begins with a metadata file has it in its log', async () => {
      const state = stateOf('planets', { metadataLocation: 'file:///m/0', publishedVersion: 0 })
      await store().createTable(newTable(state))
      expect(await store().listPublications(state.definition.tableUuid, 9)).toEqual([
        {
          tableUuid: state.definition.tableUuid,
          version: 0,
          metadataLocation: 'file:///m/0',
          publishedAtMs: 1_000,
        },
      ])
    })

    test('tables whose newest version is unpublished are listed, the longest waiting first', async () => {
      const late = stateOf('late', { lastUpdatedMs: 3_000 })
      const early = stateOf('early', { lastUpdatedMs: 2_000 })
      for (const state of [late, early]) await store().createTable(newTable(state))
      const uuids = [early.definition.tableUuid, late.definition.tableUuid]
      expect(await store().listUnpublishedTables(10)).toEqual(uuids)
      expect(await store().listUnpublishedTables(1)).toEqual(uuids.slice(0, 1))
      await store().recordPublication({
        tableUuid: early.definition.tableUuid,
        version: 0,
        metadataLocation: 'm',
        publishedAtMs: 1,
      })
      expect(await store().listUnpublishedTables(10)).toEqual(uuids.slice(1))
      await store().commit({ tables: [appendTo(early, 1n)], transactions: [] })
      expect(await store().listUnpublishedTables(10)).toHaveLength(2)
    })

    test('a commit leaves the publication as it was', async () => {
      const state = await create(store(), 'planets')
      const { tableUuid } = state.definition
      await store().recordPublication({
        tableUuid,
        version: 0,
        metadataLocation: 'file:///m/0',
        publishedAtMs: 1,
      })
      await store().commit({ tables: [appendTo(state, 1n)], transactions: [] })
      expect(await store().findTable({ tableUuid })).toMatchObject({
        version: 1,
        metadataLocation: 'file:///m/0',
        publishedVersion: 0,
      })
    })
  })

  test('a definition of many columns and long texts comes back exactly', async () => {
    const definition = definitionOf()
    const fields = Array.from({ length: 2_000 }, (_, index) => ({
      id: index + 1,
      name: `column_${index}`,
      required: false,
      type: { kind: 'string' } as const,
      doc: 'x'.repeat(200),
    }))
    const schemas = [{ schemaId: 0, fields, identifierFieldIds: [] }]
    const state = stateOf('wide', { definition: { ...definition, schemas } })
    await store().createTable(newTable(state))
    expect(await store().findTable({ namespace: ['sky'], name: 'wide' })).toStrictEqual(state)
  })
}
