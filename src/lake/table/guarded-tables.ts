import type { TableStore } from '../../catalog/table-store.ts'

/**
 * A store that refuses to change the catalog while the warehouse is not there: metadata is written
 * after the change, and would get lost. A commit of new snapshots has written its files already.
 */
export function guardedTables(
  tables: TableStore,
  requireWarehouse: () => Promise<void>,
): TableStore {
  const guarded =
    <A extends unknown[], R>(change: (...words: A) => Promise<R>) =>
    async (...words: A): Promise<R> => {
      await requireWarehouse()
      return change(...words)
    }
  const commit: TableStore['commit'] = (change, options) => tables.commit(change, options)
  const guardedCommit = guarded(commit)
  return {
    create: guarded((table, options) => tables.create(table, options)),
    replace: guarded((replacement, options) => tables.replace(replacement, options)),
    drop: guarded((table, options) => tables.drop(table, options)),
    find: (key) => tables.find(key),
    list: (query) => tables.list(query),
    commit: (change, options) => {
      const isWritten = change.tables.every(({ newSnapshots }) => newSnapshots.length > 0)
      return isWritten ? commit(change, options) : guardedCommit(change, options)
    },
  }
}
