import type { Stores } from '../../catalog/catalog.ts'
import { Lease } from '../../lake/jobs/lease.ts'
import type { ObjectInfo } from '../../objects/object-store.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import { isIndex, listDumpFolder } from './dump-folder.ts'
import { allDumpsFolder, leaseName } from './dump-key.ts'
import { removeDumps } from './dump-sweep.ts'

export interface BudgetRequest {
  readonly bytesMax: number
  /** When a reader last asked for the dump of an index, or when it was made if nobody did. */
  readonly lastUsedMs: (index: ObjectInfo) => number
  /** Kept, even if it alone exceeds the budget. */
  readonly newIndexLocation: string
  /** Its folder; the caller holds the folder's lease. */
  readonly folder: string
  readonly lease: Lease
}

/**
 * Removes least recently requested dumps, of any table and format, until the rest fit the budget.
 */
export async function keepBudget(
  deps: Stores<'leases'> & Pick<DumpDependencies, 'ambient' | 'log' | 'objects' | 'warehouse'>,
  request: BudgetRequest,
): Promise<void> {
  const { bytesMax, lastUsedMs, newIndexLocation } = request
  const { totalBytes, indexes } = await listAll(deps)
  let excessBytes = totalBytes - bytesMax
  if (excessBytes <= 0) return
  const oldestFirst = indexes
    .filter(({ location }) => location !== newIndexLocation)
    .sort((a, b) => lastUsedMs(a) - lastUsedMs(b))
  for (const index of oldestFirst) {
    if (excessBytes <= 0) return
    excessBytes -= await evict(deps, request, index)
  }
}

async function listAll({ objects, warehouse }: Pick<DumpDependencies, 'objects' | 'warehouse'>) {
  const indexes: ObjectInfo[] = []
  let totalBytes = 0
  for await (const info of objects.list(allDumpsFolder(warehouse))) {
    totalBytes += info.sizeBytes
    if (isIndex(info.location)) indexes.push(info)
  }
  return { indexes, totalBytes }
}

/** Returns the bytes freed: none while a dump is being made there, which may reuse these shards. */
async function evict(
  deps: Stores<'leases'> & Pick<DumpDependencies, 'ambient' | 'log' | 'objects'>,
  { folder, lease }: BudgetRequest,
  index: ObjectInfo,
): Promise<number> {
  const folderOfIndex = index.location.split('/').slice(0, -2).join('/')
  if (folderOfIndex === folder) return evictUnder(deps, { folder, lease }, index)
  const { signal } = lease
  const own = await Lease.tryAcquire(deps, { name: leaseName(folderOfIndex), signal })
  if (own === undefined) return 0
  try {
    return await evictUnder(deps, { folder: folderOfIndex, lease: own }, index)
  } finally {
    await own.release()
  }
}

async function evictUnder(
  deps: Pick<DumpDependencies, 'log' | 'objects'>,
  { folder, lease }: Pick<BudgetRequest, 'folder' | 'lease'>,
  index: ObjectInfo,
): Promise<number> {
  const found = await listDumpFolder(deps, folder)
  const stale = found.indexes.filter(({ location }) => location === index.location)
  return removeDumps(deps, { found, stale, lease })
}
