import type { NamespaceStore } from '../../catalog/namespace-store.ts'

/** A store of namespaces that calls `note` after each change. */
export function notedNamespaces(
  namespaces: NamespaceStore,
  note: (levels: readonly string[]) => Promise<void>,
): NamespaceStore {
  return {
    create: async (namespace, options) => {
      const outcome = await namespaces.create(namespace, options)
      if (outcome === 'created') await note(namespace.levels)
      return outcome
    },
    find: (levels) => namespaces.find(levels),
    listChildren: (query) => namespaces.listChildren(query),
    updateProperties: async (change, options) => {
      const outcome = await namespaces.updateProperties(change, options)
      if (outcome !== 'not-found') await note(change.levels)
      return outcome
    },
    drop: async (levels, options) => {
      const outcome = await namespaces.drop(levels, options)
      if (outcome === 'dropped') await note(levels)
      return outcome
    },
  }
}
