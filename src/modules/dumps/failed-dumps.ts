import type { Stores } from '../../catalog/catalog.ts'
import { deleteUnchanged } from '../../lake/file/delete-unchanged.ts'
import { areDeletionsHeld } from '../../lake/jobs/held-deletions.ts'
import { Lease } from '../../lake/jobs/lease.ts'
import type { ObjectInfo } from '../../objects/object-store.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import { isIndex, listDumpFolder } from './dump-folder.ts'
import { allDumpsFolder, leaseName } from './dump-key.ts'
import { namedShards } from './dump-sweep.ts'

/** A dump that failed is made again within a day, with the shards that it has, or never. */
const FAILED_MS = 24 * 3_600_000

type SweepDependencies = Stores<'leases'> &
  Pick<DumpDependencies, 'ambient' | 'log' | 'objects' | 'warehouse'>

/** Deletes shards that no dump has, once they are a day old: those of dumps that failed. */
export async function sweepFailedDumps(
  deps: SweepDependencies,
  signal: AbortSignal,
): Promise<void> {
  if (await areDeletionsHeld(deps)) return
  const beforeMs = deps.ambient.nowMs() - FAILED_MS
  for (const folder of await foldersWithOldShards(deps, beforeMs)) {
    const lease = await Lease.tryAcquire(deps, { name: leaseName(folder), signal })
    // A dump is being made, which may use them.
    if (lease === undefined) continue
    try {
      await sweepFolder(deps, { folder, lease, beforeMs })
    } finally {
      await lease.release()
    }
  }
}

/** Folders of one table and format. */
async function foldersWithOldShards(
  { objects, warehouse }: SweepDependencies,
  beforeMs: number,
): Promise<ReadonlySet<string>> {
  const root = allDumpsFolder(warehouse)
  const folders = new Set<string>()
  for await (const { location, modifiedAtMs } of objects.list(root)) {
    if (isIndex(location) || modifiedAtMs >= beforeMs) continue
    const [tableUuid, format] = location.slice(root.length + 1).split('/')
    folders.add(`${root}/${tableUuid}/${format}`)
  }
  return folders
}

async function sweepFolder(
  deps: SweepDependencies,
  {
    folder,
    lease,
    beforeMs,
  }: { readonly folder: string; readonly lease: Lease; readonly beforeMs: number },
): Promise<void> {
  const found = await listDumpFolder(deps, folder)
  const named = await namedShards(deps, found, found)
  const isOld = ({ location, modifiedAtMs }: ObjectInfo) =>
    modifiedAtMs < beforeMs && !named.has(location)
  await lease.confirm()
  for (const shard of [...found.shards.values()].filter(isOld)) {
    lease.signal.throwIfAborted()
    await deleteUnchanged(deps.objects, shard)
  }
}
