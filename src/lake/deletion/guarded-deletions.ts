import type { DeletionStore } from '../../catalog/deletion-store.ts'

interface PlaceChecks {
  /** Throws unless the warehouse is there, and the other places that have these locations. */
  requirePlaces(locations: readonly string[]): Promise<void>
  /** Throws unless all places are there. */
  requireEveryPlace(): Promise<void>
}

/**
 * A store that takes no file for deleted, or for unused, while the folder that has it is not there,
 * or the warehouse, where the dumps that may name it are: in an empty folder, as where a disk is
 * not mounted, every file is gone. Such files are passed over, and stay to be deleted.
 */
export function guardedDeletions(
  deletions: DeletionStore,
  { requirePlaces, requireEveryPlace }: PlaceChecks,
): DeletionStore {
  const isThere = async (path: string) => {
    try {
      await requirePlaces([path])
      return true
    } catch {
      return false
    }
  }
  const there = async <T extends { readonly path: string }>(all: readonly T[]) => {
    if (all.length === 0) return all
    try {
      await requirePlaces(all.map(({ path }) => path))
      return all
    } catch {
      const found: T[] = []
      for (const each of all) if (await isThere(each.path)) found.push(each)
      return found
    }
  }
  return {
    add: (added) => deletions.add(added),
    listDue: (query) => deletions.listDue(query),
    beginUnlinking: async (request) =>
      deletions.beginUnlinking({ ...request, deletions: await there(request.deletions) }),
    update: async (rows, change) =>
      deletions.update(change.state === 'unlinked' ? await there(rows) : rows, change),
    count: (tableUuid) => deletions.count(tableUuid),
    forget: async (rows) => {
      const deleted = rows.filter(({ state }) => state === 'unlinked')
      const others = rows.filter(({ state }) => state !== 'unlinked')
      await deletions.forget([...deleted, ...(await there(others))])
    },
    forgetVoid: (beforeMs) => deletions.forgetVoid(beforeMs),
    listPurged: (query) => deletions.listPurged(query),
    settlePurged: async (tableUuid, dueAtMs) => {
      if (dueAtMs === undefined) await requireEveryPlace()
      await deletions.settlePurged(tableUuid, dueAtMs)
    },
    beginGeneration: async (request) => {
      await requirePlaces([])
      return deletions.beginGeneration(request)
    },
  }
}
