import type { Catalog } from '../../src/catalog/catalog.ts'
import type { TableState } from '../../src/core/table/table.ts'
import {
  appendTo,
  create,
  definitionOf,
  logOf,
  newTable,
  type OpenedCatalog,
  stateOf,
  viewOf,
} from './catalog-samples.ts'

/** Two stores over one database, as two processes have them. */
export function describeSharing(opened: () => OpenedCatalog): void {
  describe('two stores over one database', () => {
    const withAnother = async (work: (one: Catalog, other: Catalog) => Promise<void>) => {
      const { catalog, openAnother } = opened()
      if (openAnother === undefined) throw new Error('this catalog cannot be shared')
      const other = await openAnother()
      try {
        await work(catalog, other)
      } finally {
        await other.close()
      }
    }

    test('migrating again, and at once, changes nothing', () =>
      withAnother(async (one, other) => {
        const state = await create(one, 'planets')
        await Promise.all([one.migrate(), other.migrate(), other.migrate(), one.migrate()])
        const { tableUuid } = state.definition
        expect(await other.tables.find({ tableUuid })).toStrictEqual(state)
      }))

    test('each version has exactly one winner, and nobody fails', () =>
      withAnother(async (one, other) => {
        const state = await create(one, 'planets')
        const { tableUuid } = state.definition
        const winsWanted = 15
        const wins = await Promise.all(
          [one, other, one, other].map((catalog, writer) =>
            race(catalog, { tableUuid, writer, winsWanted }),
          ),
        )
        const total = 4 * winsWanted
        const versions = wins.flat().sort((a, b) => a - b)
        expect(versions).toEqual(Array.from({ length: total }, (_, index) => index + 1))
        expect((await one.tables.find({ tableUuid }))?.version).toBe(total)
        expect(await other.snapshots.list(tableUuid)).toHaveLength(total)
        expect(await logOf(other, tableUuid)).toHaveLength(total)
      }))

    test('a commit that another has overtaken is refused, though no definition changes', () =>
      withAnother(async (one, other) => {
        const { tableUuid } = (await create(one, 'planets')).definition
        const read = async (catalog: Catalog) => {
          const state = await catalog.tables.find({ tableUuid })
          if (state === undefined) throw new Error('the table is gone')
          return state
        }
        const [seenByOne, seenByOther] = [await read(one), await read(other)]
        const won = appendTo(seenByOne, 1n)
        const commit = { tables: [won], transactions: [] }
        expect(await one.tables.commit(commit)).toEqual({ outcome: 'committed' })
        const late = { tables: [appendTo(seenByOther, 2n)], transactions: [] }
        const refused = { outcome: 'version-mismatch', tableUuid }
        expect(await other.tables.commit(late)).toEqual(refused)
        expect(await one.tables.commit(late)).toEqual(refused)
        expect(await read(other)).toStrictEqual(won.state)
        expect((await logOf(other, tableUuid)).map((entry) => entry.snapshotId)).toEqual([1n])
      }))

    test('commits of the same tables in different order do not wait for each other forever', () =>
      withAnother(async (one, other) => {
        const names = ['a', 'b', 'c', 'd']
        const states = await Promise.all(names.map((name) => create(one, name)))
        const commitAll = (catalog: Catalog, order: TableState[], snapshotId: bigint) =>
          catalog.tables.commit({
            tables: order.map((state) => appendTo(state, snapshotId)),
            transactions: [],
          })
        const outcomes = await Promise.all([
          commitAll(one, states, 1n),
          commitAll(other, states.toReversed(), 2n),
          commitAll(one, [...states.slice(2), ...states.slice(0, 2)], 3n),
        ])
        expect(outcomes.filter(({ outcome }) => outcome === 'committed')).toHaveLength(1)
      }))

    test('what one commits the other sees, with the definition of that version', () =>
      withAnother(async (one, other) => {
        const state = await create(one, 'planets')
        const { tableUuid } = state.definition
        expect(await other.tables.find({ tableUuid })).toStrictEqual(state)
        const commit = appendTo(state, 1n)
        const definition = { ...state.definition, properties: { owner: 'ada' } }
        const next = { ...commit.state, definition }
        await one.tables.commit({ tables: [{ ...commit, state: next }], transactions: [] })
        expect(await other.tables.find({ tableUuid })).toStrictEqual(next)
        const seen = await other.tables.find({ tableUuid })
        const again = appendTo(seen ?? next, 2n)
        await other.tables.commit({ tables: [again], transactions: [] })
        expect(await one.tables.find({ tableUuid })).toStrictEqual(again.state)
      }))

    test('another table of its name and version is not taken for one that is gone', () =>
      withAnother(async (one, other) => {
        // Of a length at which a definition is known by the name of its table.
        const wide = (owner: string) => {
          const definition = { ...definitionOf(), properties: { owner, text: 'x'.repeat(70_000) } }
          return stateOf('planets', { definition })
        }
        const [gone, next] = [wide('ada'), wide('bob')]
        const key = { namespace: gone.namespace, name: gone.name }
        await one.tables.create(newTable(gone))
        expect(await one.tables.find(key)).toStrictEqual(gone)
        const { tableUuid } = gone.definition
        expect(await other.tables.drop({ tableUuid, expectedVersion: 0 })).toBe('dropped')
        await other.tables.create(newTable(next))
        expect(await one.tables.find(key)).toStrictEqual(next)
      }))

    test('of two that create one table, one does', () =>
      withAnother(async (one, other) => {
        const outcomes = await Promise.all(
          [one, other, one, other].map((catalog) =>
            catalog.tables.create(newTable(stateOf('planets'))),
          ),
        )
        expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1)
      }))

    test('of two that rename a table and a view to one name, one does', () =>
      withAnother(async (one, other) => {
        for (let round = 0; round < 5; round++) {
          const state = await create(one, `planets${round}`)
          const view = viewOf(`bright${round}`)
          await other.views.create(view)
          const name = `wanted${round}`
          const commit = appendTo(state, 1n)
          const rename = { ...commit, state: { ...commit.state, name } }
          const [table, replaced] = await Promise.all([
            one.tables.commit({ tables: [rename], transactions: [] }).then(
              () => 'renamed',
              (error: { code: string }) => error.code,
            ),
            other.views.replace({ expectedVersion: 0, state: { ...view, version: 1, name } }),
          ])
          const outcomes = [table, replaced].join()
          expect(['renamed,table-exists', 'table-already-exists,replaced']).toContain(outcomes)
        }
      }))

    test('a lease has one holder at a time, over both, and its tokens grow', () =>
      withAnother(async (one, other) => {
        const tokens: bigint[] = []
        const turns = 8
        const work = async (catalog: Catalog, owner: string) => {
          for (let mine = 0; mine < turns; ) {
            const lease = { name: 'dump', owner, nowMs: 1_000, durationMs: 1_000 }
            const acquired = await catalog.leases.acquire(lease)
            if (acquired.outcome === 'held') continue
            const { fencingToken } = acquired
            tokens.push(fencingToken)
            mine += 1
            expect(await catalog.leases.renew({ ...lease, fencingToken })).toBe('renewed')
            // Nobody else came in between.
            expect(tokens.at(-1)).toBe(fencingToken)
            expect(await catalog.leases.release({ ...lease, fencingToken })).toBe('released')
          }
        }
        await Promise.all([work(one, 'ada'), work(other, 'bob'), work(one, 'eve')])
        const first = tokens[0] ?? 0n
        expect(tokens).toEqual(Array.from({ length: 3 * turns }, (_, i) => first + BigInt(i)))
      }))
  })
}

/** Commits until it has won so often; returns the versions that it made. */
async function race(
  catalog: Catalog,
  { tableUuid, writer, winsWanted }: { tableUuid: string; writer: number; winsWanted: number },
): Promise<number[]> {
  const won: number[] = []
  while (won.length < winsWanted) {
    const state = await catalog.tables.find({ tableUuid })
    if (state === undefined) throw new Error('the table is gone')
    const snapshotId = BigInt(1_000 * (state.version + 1) + writer)
    const { outcome } = await catalog.tables.commit({
      tables: [appendTo(state, snapshotId, [`file:///${snapshotId}`])],
      transactions: [],
    })
    if (outcome === 'committed') won.push(state.version + 1)
  }
  return won
}
