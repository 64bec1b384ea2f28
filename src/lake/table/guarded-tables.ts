import type { TableStore } from '../../catalog/table-store.ts'
import type { TableState } from '../../core/table/table.ts'

/**
 * A store that refuses to change the catalog while the warehouse, or the folder that has the table,
 * is not there: metadata is written after the change, and would get lost. A commit of new snapshots
 * has written its files already.
 */
export function guardedTables(
  tables: TableStore,
  requirePlaces: (locations: readonly string[]) => Promise<void>,
): TableStore {
  const requireOf = (states: readonly (TableState | undefined)[]) =>
    requirePlaces(states.flatMap((state) => (state === undefined ? [] : state.definition.location)))
  return {
    create: async (table, options) => {
      await requireOf([table.state])
      return tables.create(table, options)
    },
    replace: async (replacement, options) => {
      await requireOf([replacement.table.state])
      return tables.replace(replacement, options)
    },
    drop: async (table, options) => {
      await requireOf([await tables.find({ tableUuid: table.tableUuid })])
      return tables.drop(table, options)
    },
    find: (key) => tables.find(key),
    findByResource: (resourceId) => tables.findByResource(resourceId),
    list: (query) => tables.list(query),
    commit: async (change, options) => {
      const isWritten = change.tables.every(({ newSnapshots }) => newSnapshots.length > 0)
      if (!isWritten) await requireOf(change.tables.map(({ state }) => state))
      return tables.commit(change, options)
    },
  }
}
