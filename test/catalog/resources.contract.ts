import type { Catalog } from '../../src/catalog/catalog.ts'
import type { TableState } from '../../src/core/table/table.ts'
import { create, definitionOf, newTable, stateOf } from './catalog-samples.ts'

const PROPERTY = 'moraine.ckan-resource-id'

export function describeResources(catalog: () => Catalog): void {
  const tables = () => catalog().tables
  const withResource = (state: TableState, id: string | undefined): TableState => {
    const { [PROPERTY]: _before, ...others } = state.definition.properties
    const properties = id === undefined ? others : { ...others, [PROPERTY]: id }
    return { ...state, definition: { ...state.definition, properties } }
  }
  const set = async (state: TableState, id: string | undefined): Promise<TableState> => {
    const next = { ...withResource(state, id), version: state.version + 1 }
    const none = { newSnapshots: [], newLogEntries: [], addedPaths: [] }
    const commit = { expectedVersion: state.version, state: next, ...none }
    const { outcome } = await tables().commit({ tables: [commit], transactions: [] })
    expect(outcome).toBe('committed')
    return next
  }

  describe('resources of CKAN', () => {
    test('a table is found by its resource as long as it has it', async () => {
      const state = withResource(stateOf('planets'), 'r1')
      const { tableUuid } = state.definition
      await tables().create(newTable(state))
      expect(await tables().findByResource('r1')).toBe(tableUuid)
      const moved = await set(state, 'r2')
      expect(await tables().findByResource('r1')).toBeUndefined()
      expect(await tables().findByResource('r2')).toBe(tableUuid)
      const without = await set(moved, undefined)
      expect(await tables().findByResource('r2')).toBeUndefined()
      const again = await set(without, 'r3')
      await tables().drop({ tableUuid, expectedVersion: again.version })
      expect(await tables().findByResource('r3')).toBeUndefined()
    })

    test('no two tables have the same, and what replaces one takes it over', async () => {
      const first = withResource(stateOf('planets'), 'r1')
      await tables().create(newTable(first))
      const twin = withResource(stateOf('moons', { definition: definitionOf() }), 'r1')
      await expect(tables().create(newTable(twin))).rejects.toMatchObject({
        code: 'resource-taken',
      })
      expect(await tables().find({ namespace: ['sky'], name: 'moons' })).toBeUndefined()
      const other = await create(catalog(), 'suns')
      await expect(set(other, 'r1')).rejects.toMatchObject({ code: 'resource-taken' })
      const next = withResource(stateOf('planets', { definition: definitionOf() }), 'r1')
      const { tableUuid } = first.definition
      await tables().replace({ tableUuid, expectedVersion: 0, table: newTable(next) })
      expect(await tables().findByResource('r1')).toBe(next.definition.tableUuid)
    })
  })
}
