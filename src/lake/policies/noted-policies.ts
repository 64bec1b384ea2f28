import type { Catalog } from '../../catalog/catalog.ts'
import type { PolicyStore } from '../../catalog/policy-store.ts'
import type { NewTable, TableStore } from '../../catalog/table-store.ts'
import { notePolicy, notePolicyAhead, type PolicyNoteDependencies } from './policy-note.ts'

/**
 * Stores that note in the warehouse which tables have a policy: before a table gets one, so that no
 * crash leaves one without a note, and again after each change.
 */
export function notedPolicies<C extends Pick<Catalog, 'tables' | 'policies'>>(
  catalog: C,
  deps: PolicyNoteDependencies,
): C {
  const { tables, policies } = catalog
  return { ...catalog, tables: notedTables(tables, deps), policies: notedStore(policies, deps) }
}

function notedStore(policies: PolicyStore, deps: PolicyNoteDependencies): PolicyStore {
  return {
    listAll: () => policies.listAll(),
    listOn: (tableUuids) => policies.listOn(tableUuids),
    change: async (change, options) => {
      const { tableUuid, policy } = change
      if (policy !== undefined) await notePolicyAhead(deps, tableUuid, policy)
      try {
        return await policies.change(change, options)
      } finally {
        await notePolicy(deps, tableUuid)
      }
    },
    bringBack: (policy) => policies.bringBack(policy),
    forgetOrphans: async (query) => {
      const before = await policies.listAll()
      const forgotten = await policies.forgetOrphans(query)
      if (forgotten === 0) return forgotten
      const left = new Set((await policies.listAll()).map(({ tableUuid }) => tableUuid))
      for (const { tableUuid, policy } of before) {
        // The note of a table that a rebuild closed, and could not read, is for the next rebuild.
        const isClosed = policy.names === undefined
        if (!isClosed && !left.has(tableUuid)) await notePolicy(deps, tableUuid)
      }
      return forgotten
    },
  }
}

function notedTables(tables: TableStore, deps: PolicyNoteDependencies): TableStore {
  const noting = async <T>(
    table: NewTable,
    sources: readonly string[],
    change: () => Promise<T>,
  ): Promise<T> => {
    const { tableUuid } = table.state.definition
    const others = sources.filter((source) => source !== tableUuid)
    if (others.length === 0) return change()
    const [first] = await deps.catalog.policies.listOn(others)
    if (first !== undefined) await notePolicyAhead(deps, tableUuid, first.policy)
    try {
      return await change()
    } finally {
      await notePolicy(deps, tableUuid)
    }
  }
  return {
    create: (table, options) =>
      noting(table, sourcesOf(table), () => tables.create(table, options)),
    replace: (replacement, options) =>
      noting(replacement.table, [replacement.tableUuid], () =>
        tables.replace(replacement, options),
      ),
    drop: (table, options) => tables.drop(table, options),
    find: (key) => tables.find(key),
    findByResource: (resourceId) => tables.findByResource(resourceId),
    list: (query) => tables.list(query),
    commit: (change, options) => tables.commit(change, options),
  }
}

/** Tables whose policies a new one begins with. */
function sourcesOf({ copiesPolicy, copyPathsFromTableUuid, policiesOf }: NewTable) {
  if (copiesPolicy === undefined || copyPathsFromTableUuid === undefined) return []
  return policiesOf ?? [copyPathsFromTableUuid]
}
