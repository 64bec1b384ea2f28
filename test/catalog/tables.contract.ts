import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import type { Catalog } from '../../src/catalog/catalog.ts'
import {
  allNamespaces,
  appendTo,
  create,
  definitionOf,
  logOf,
  newTable,
  snapshotOf,
  stateOf,
} from './catalog-samples.ts'

export function describeTables(catalog: () => Catalog): void {
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
      const created = await catalog().tables.create(newTable(state, { snapshots: [snapshot] }))
      expect(created).toBe('created')
      const found = await catalog().tables.find({ tableUuid: state.definition.tableUuid })
      expect(found).toStrictEqual(state)
      expect(await catalog().tables.find({ namespace: ['sky'], name: 'Planets' })).toStrictEqual(
        state,
      )
      expect(await catalog().tables.find({ namespace: ['sky'], name: 'moons' })).toBeUndefined()
      expect(await catalog().tables.find({ namespace: [], name: 'Planets' })).toBeUndefined()
      expect(await catalog().tables.find({ tableUuid: randomUUID() })).toBeUndefined()
    })

    test('names keep their case and compare without it', async () => {
      await create(catalog(), 'Planets')
      const found = await catalog().tables.find({ namespace: ['SKY'], name: 'pLANETS' })
      expect(found).toMatchObject({ namespace: ['sky'], name: 'Planets' })
      const twin = stateOf('PLANETS', { namespace: ['Sky'] })
      expect(await catalog().tables.create(newTable(twin))).toBe('already-exists')
      await create(catalog(), 'ΌΔΟΣ')
      expect(await catalog().tables.find({ namespace: ['sky'], name: 'όδοσ' })).toBeDefined()
    })

    test('a refused creation leaves no snapshot, path or namespace behind', async () => {
      const first = await create(catalog(), 'planets')
      const { tableUuid } = first.definition
      const twin = stateOf('other', { definition: first.definition, namespace: ['elsewhere'] })
      const contents = { snapshots: [snapshotOf(5n)], addedPaths: ['file:///a'] }
      expect(await catalog().tables.create(newTable(twin, contents))).toBe('already-exists')
      expect(await catalog().snapshots.list(tableUuid)).toEqual([])
      expect(await catalog().paths.findKnown(tableUuid, ['file:///a'])).toEqual(new Set())
      expect(await allNamespaces(catalog())).toEqual([['sky']])
    })

    test('of many creations of one name at once, one is created', async () => {
      const names = ['planets', 'Planets', 'PLANETS', 'pLanets', 'plAnets', 'plaNets']
      const outcomes = await Promise.all(
        names.map((name) => catalog().tables.create(newTable(stateOf(name)))),
      )
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1)
    })

    test('a namespace is made with its parents, and listed level by level', async () => {
      for (const namespace of [['b'], ['a', 'x', 'y'], ['a2'], ['A', 'X', 'z'], []]) {
        await catalog().tables.create(newTable(stateOf('t', { namespace })))
      }
      expect(await allNamespaces(catalog())).toEqual([
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
        await catalog().tables.create(newTable(stateOf(name, { namespace })))
      }
      const seen = []
      let after: { namespace: readonly string[]; name: string } | undefined
      for (;;) {
        const page = await catalog().tables.list({
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
      const inA = await catalog().tables.list({ namespace: ['A'], limit: 10 })
      expect(inA.map((table) => table.name)).toEqual(['b', 'C'])
    })

    test('a summary says where the table is and what it holds', async () => {
      const state = await create(catalog(), 'planets')
      await catalog().tables.commit({ tables: [appendTo(state, 2n ** 63n - 1n)], transactions: [] })
      expect(await catalog().tables.list({ limit: 1 })).toStrictEqual([
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

    test('a prefix is taken verbatim, whatever it holds', async () => {
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
      for (const name of names) await create(catalog(), name)
      const piece = fc.constantFrom('a', 'A', '%', '_', '\\', 'b', 'x', '\u{10ffff}', '\ud7ff')
      const prefixes = fc.array(piece, { maxLength: 3 }).map((pieces) => pieces.join(''))
      await fc.assert(
        fc.asyncProperty(prefixes, async (prefix) => {
          const listed = await catalog().tables.list({ prefix, limit: 100 })
          const wanted = names.filter((n) => n.toLowerCase().startsWith(prefix.toLowerCase()))
          expect(listed.map((table) => table.name).sort()).toEqual(wanted.sort())
        }),
        { numRuns: 40 },
      )
    })

    test('a dropped table is forgotten, and its name is free', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const commit = appendTo(state, 5n, ['file:///a'])
      await catalog().tables.commit({ tables: [commit], transactions: [] })
      const publication = { tableUuid, version: 1, metadataLocation: 'm', publishedAtMs: 1 }
      await catalog().publications.record(publication)
      const drop = (expectedVersion: number) =>
        catalog().tables.drop({ tableUuid, expectedVersion })
      expect(await drop(0)).toBe('version-mismatch')
      expect(await catalog().tables.find({ tableUuid })).toMatchObject({ version: 1 })
      expect(await drop(1)).toBe('dropped')
      expect(await drop(1)).toBe('not-found')
      expect(await catalog().tables.find({ tableUuid })).toBeUndefined()
      expect(await catalog().tables.list({ limit: 10 })).toEqual([])
      const late = appendTo(commit.state, 6n)
      expect(await catalog().tables.commit({ tables: [late], transactions: [] })).toEqual({
        outcome: 'version-mismatch',
        tableUuid,
      })
      // Under the same UUID, so that anything left over would show.
      const again = stateOf('planets', { definition: state.definition, version: 2 })
      expect(await catalog().tables.create(newTable(again))).toBe('created')
      expect(await catalog().snapshots.list(tableUuid)).toEqual([])
      expect(await logOf(catalog(), tableUuid)).toEqual([])
      expect(await catalog().paths.findKnown(tableUuid, ['file:///a'])).toEqual(new Set())
      expect(await catalog().publications.list(tableUuid, 9)).toEqual([])
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
    await catalog().tables.create(newTable(state))
    expect(await catalog().tables.find({ namespace: ['sky'], name: 'wide' })).toStrictEqual(state)
  })
}
