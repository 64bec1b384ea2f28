import type { Stores } from '../../catalog/catalog.ts'
import { Lease } from '../../lake/jobs/lease.ts'
import type { ObjectInfo } from '../../objects/object-store.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import { isIndex, listDumpFolder, readDumpIndex } from './dump-folder.ts'
import { allDumpsFolder, leaseName } from './dump-key.ts'
import { removeDumps } from './dump-sweep.ts'
import { homeOf } from './format/dump-home.ts'
import type { DumpIndex } from './format/dump-index.ts'
import { isValidMark } from './format/link-mark.ts'

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
  const { totalBytes, folders, homeBytes, linked } = await listAllDumps(deps)
  let excessBytes = totalBytes + workingBytes() - bytesMax
  if (excessBytes <= 0) return
  const read = readingOnce(deps)
  for (const { folder } of withLeftovers(folders)) {
    excessBytes -= await evict(deps, request, { folder, stale: [], read })
    if (excessBytes <= 0) return
  }
  let rest = folders
    .flatMap(({ folder, indexes }) => indexes.map((index) => ({ folder, index })))
    .filter(
      ({ index }) =>
        index.location !== own?.newIndexLocation && !linked.has(homeOf(index.location)),
    )
    .sort((a, b) => lastUsedMs(a.index) - lastUsedMs(b.index))
  // What a dump shares with others is not freed with it: the rest is looked at again.
  while (excessBytes > 0 && rest.length > 0) {
    const { byFolder, next } = await nextToGo(read, { rest, homeBytes, excessBytes })
    for (const [folder, stale] of byFolder) {
      excessBytes -= await evict(deps, request, { folder, stale, read })
      if (excessBytes <= 0) return
    }
    rest = next
  }
}

type ReadIndex = (info: ObjectInfo) => Promise<DumpIndex | undefined>

/** Reads each version of an index once. */
function readingOnce(deps: BudgetDependencies): ReadIndex {
  const known = new Map<string, DumpIndex | undefined>()
  return async (info) => {
    const key = `${info.version} ${info.location}`
    if (!known.has(key)) known.set(key, await readDumpIndex(deps, info.location))
    return known.get(key)
  }
}

interface Candidate {
  readonly folder: string
  readonly index: ObjectInfo
}

/** As many of the first as may free so much, by folder, and those that come after them. */
async function nextToGo(
  read: ReadIndex,
  asked: {
    readonly rest: readonly Candidate[]
    readonly homeBytes: ReadonlyMap<string, number>
    readonly excessBytes: number
  },
) {
  const { rest, homeBytes, excessBytes } = asked
  const byFolder = new Map<string, ObjectInfo[]>()
  let bytes = 0
  let count = 0
  for (const { folder, index } of rest) {
    if (bytes >= excessBytes) break
    count++
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), index])
    bytes += homeBytes.get(homeOf(index.location)) ?? 0
    for (const { location, lengthBytes } of (await read(index))?.pieces ?? []) {
      if (location.startsWith(`${folder}/`)) bytes += lengthBytes
    }
  }
  return { byFolder, next: rest.slice(count) }
}

/** Everything in the folders of all dumps: what they take, and to which dumps links are valid. */
export async function listAllDumps({
  ambient,
  objects,
  warehouse,
}: Pick<BudgetDependencies, 'ambient' | 'objects' | 'warehouse'>) {
  const folders = new Map<string, FoundFolder>()
  const homeBytes = new Map<string, number>()
  const linked = new Set<string>()
  const nowMs = ambient.nowMs()
  let totalBytes = 0
  for await (const info of objects.list(allDumpsFolder(warehouse))) {
    const { location, sizeBytes, modifiedAtMs } = info
    totalBytes += sizeBytes
    const home = homeOf(location)
    homeBytes.set(home, (homeBytes.get(home) ?? 0) + sizeBytes)
    if (isValidMark(location, nowMs)) linked.add(home)
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
  return { folders: [...folders.values()], totalBytes, homeBytes, linked }
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
  /** With the shards that no other index names; without any, only those that none names. */
  readonly stale: readonly ObjectInfo[]
  readonly read: ReadIndex
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
  { folder, read, ...evicted }: Evicted,
): Promise<number> {
  const found = await listDumpFolder(deps, folder)
  const asked = new Set(evicted.stale.map(({ location }) => location))
  const stale = found.indexes.filter(({ location }) => asked.has(location))
  return removeDumps(deps, { found, stale, lease, read })
}
