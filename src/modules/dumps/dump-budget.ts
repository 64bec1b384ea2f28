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
  /** Bytes of dumps in the making that are in no folder of dumps yet. */
  readonly workingBytes: () => number
  /** A dump that is kept, and its folder: the caller holds the folder's lease. */
  readonly own?: {
    readonly newIndexLocation: string
    readonly folder: string
    readonly lease: Lease
  }
  readonly signal: AbortSignal
}

type BudgetDependencies = Stores<'leases'> &
  Pick<DumpDependencies, 'ambient' | 'log' | 'objects' | 'warehouse'>

/** The dumps of one table in one format. */
interface FoundFolder {
  readonly folder: string
  readonly indexes: ObjectInfo[]
  newestIndexMs: number
  newestShardMs: number
}

/**
 * Removes what failed dumps have left, and then least recently requested dumps, of any table and
 * format, until the rest fit the budget.
 */
export async function keepBudget(deps: BudgetDependencies, request: BudgetRequest): Promise<void> {
  const { bytesMax, lastUsedMs, workingBytes, own } = request
  const { totalBytes, folders } = await listAll(deps)
  let excessBytes = totalBytes + workingBytes() - bytesMax
  if (excessBytes <= 0) return
  for (const { folder } of withLeftovers(folders)) {
    excessBytes -= await evict(deps, request, { folder })
    if (excessBytes <= 0) return
  }
  const oldestFirst = folders
    .flatMap(({ folder, indexes }) => indexes.map((index) => ({ folder, index })))
    .filter(({ index }) => index.location !== own?.newIndexLocation)
    .sort((a, b) => lastUsedMs(a.index) - lastUsedMs(b.index))
  for (const stale of oldestFirst) {
    if (excessBytes <= 0) return
    excessBytes -= await evict(deps, request, stale)
  }
}

async function listAll({ objects, warehouse }: BudgetDependencies) {
  const folders = new Map<string, FoundFolder>()
  let totalBytes = 0
  for await (const info of objects.list(allDumpsFolder(warehouse))) {
    const { location, sizeBytes, modifiedAtMs } = info
    totalBytes += sizeBytes
    // Both shards and indexes lie two levels below it.
    const folder = location.split('/').slice(0, -2).join('/')
    const found = folders.get(folder) ?? newFolder(folder)
    folders.set(folder, found)
    if (isIndex(location)) {
      found.indexes.push(info)
      found.newestIndexMs = Math.max(found.newestIndexMs, modifiedAtMs)
    } else if (location.startsWith(`${folder}/shards/`)) {
      found.newestShardMs = Math.max(found.newestShardMs, modifiedAtMs)
    }
  }
  return { folders: [...folders.values()], totalBytes }
}

function newFolder(folder: string): FoundFolder {
  return { folder, indexes: [], newestIndexMs: -Infinity, newestShardMs: -Infinity }
}

/**
 * Folders with shards that were made after the last index: of dumps that failed, or are being made.
 * Whoever finishes a dump removes what no index names. Oldest first.
 */
function withLeftovers(folders: readonly FoundFolder[]): readonly FoundFolder[] {
  return folders
    .filter(({ newestShardMs, newestIndexMs }) => newestShardMs > newestIndexMs)
    .sort((a, b) => a.newestShardMs - b.newestShardMs)
}

interface Evicted {
  readonly folder: string
  /** With the shards that no other index names; without an index, only those that none names. */
  readonly index?: ObjectInfo
}

/** Returns the bytes freed: none while a dump is being made there, which may reuse these shards. */
async function evict(
  deps: BudgetDependencies,
  { own, signal }: BudgetRequest,
  evicted: Evicted,
): Promise<number> {
  if (evicted.folder === own?.folder) return evictUnder(deps, own.lease, evicted)
  const lease = await Lease.tryAcquire(deps, { name: leaseName(evicted.folder), signal })
  if (lease === undefined) return 0
  try {
    return await evictUnder(deps, lease, evicted)
  } finally {
    await lease.release()
  }
}

async function evictUnder(
  deps: BudgetDependencies,
  lease: Lease,
  { folder, index }: Evicted,
): Promise<number> {
  const found = await listDumpFolder(deps, folder)
  const stale = found.indexes.filter(({ location }) => location === index?.location)
  return removeDumps(deps, { found, stale, lease })
}
