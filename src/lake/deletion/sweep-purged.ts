import type { Stores } from '../../catalog/catalog.ts'
import type { PurgedTable } from '../../catalog/deletion-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { findDeletable } from './deletable-files.ts'
import { type FileUseDependencies, findUse } from './file-use.ts'
import { PendingUploads } from './pending-uploads.ts'

export type SweepPurgedDependencies = FileUseDependencies &
  Stores<'deletions'> & {
    readonly ambient: Pick<Ambient, 'newUuid' | 'nowMs'>
    readonly objects: Pick<ObjectStore, 'find' | 'list'>
    /** How long files stay after nothing names them any more. */
    readonly deleteGraceMs: number
  }

const DAY_MS = 24 * 3_600_000
/** What was being written when the table was purged is there, or refused, by then. */
const WRITTEN_MS = DAY_MS
/** A folder that clones still have files in is looked at again after this. */
const AGAIN_MS = 7 * DAY_MS
const RETRY_MS = 3_600_000
const TABLES_AT_ONCE = 100
/** Some milliseconds of work between two chances for others. */
const PATHS_AT_ONCE = 2_000

/**
 * Looks through the folders of purged tables, a day after their files were to be deleted, for what
 * nobody was left to write down: a process was killed between two steps, two purges each found the
 * files in use by the other's table, a transaction that had taken a file back was given up. What
 * nothing names is to be deleted after another day and the grace. A folder with files left is
 * looked through again a week later, so nothing stays for ever. Only folders that the service
 * itself called after the table: in any other, others may have files that no table names yet.
 */
export async function sweepPurged(
  deps: SweepPurgedDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { deletions } = deps.catalog
  for (;;) {
    const nowMs = deps.ambient.nowMs()
    const query = { dueAtMs: nowMs - WRITTEN_MS, limit: TABLES_AT_ONCE }
    const purged = await deletions.listPurged(query)
    if (purged.length === 0) return
    for (const table of purged) {
      // That it is listed again a day after an instant is what the query says.
      const next = await sweepOrRetry(deps, table, signal)
      await settleOrRetry(deps, table, { next, nowMs })
    }
  }
}

/** Where a place is away that may have files of it, nothing is settled: others come next. */
async function settleOrRetry(
  { catalog, log }: SweepPurgedDependencies,
  { tableUuid }: PurgedTable,
  { next, nowMs }: { readonly next: number | undefined; readonly nowMs: number },
): Promise<void> {
  const { deletions } = catalog
  try {
    await deletions.settlePurged(tableUuid, next && nowMs + next - WRITTEN_MS)
  } catch (err) {
    if (next !== undefined) throw err
    log.warn({ err, table: tableUuid }, 'a purged table could not be settled; it is tried again')
    await deletions.settlePurged(tableUuid, nowMs + RETRY_MS - WRITTEN_MS)
  }
}

/** Returns after how many milliseconds it is to be done again; `undefined` if nothing is left. */
async function sweepOrRetry(
  deps: SweepPurgedDependencies,
  table: PurgedTable,
  signal: AbortSignal,
): Promise<number | undefined> {
  try {
    return (await sweepTable(deps, table, signal)) ? AGAIN_MS : undefined
  } catch (err) {
    signal.throwIfAborted()
    const told = 'the folder of a purged table could not be read; it will be tried again'
    deps.log.warn({ err, table: table.tableUuid }, told)
    return RETRY_MS
  }
}

/** Whether files are left. */
async function sweepTable(
  deps: SweepPurgedDependencies,
  { tableUuid, locations }: PurgedTable,
  signal: AbortSignal,
): Promise<boolean> {
  const beforeMs = deps.ambient.nowMs() - WRITTEN_MS
  let isLeft = false
  for (const location of locations) {
    if (!location.endsWith(`-${tableUuid}`) || (await isShared(deps, tableUuid, location))) continue
    let page: string[] = []
    for await (const file of deps.objects.list(location)) {
      isLeft = true
      if (file.modifiedAtMs >= beforeMs) continue
      page.push(file.location)
      if (page.length < PATHS_AT_ONCE) continue
      signal.throwIfAborted()
      await doomUnnamed(deps, tableUuid, page)
      page = []
    }
    await doomUnnamed(deps, tableUuid, page)
  }
  return isLeft
}

/** Catalogs of before locations were unique have such tables. */
async function isShared(
  { catalog }: Stores<'locations'>,
  tableUuid: string,
  location: string,
): Promise<boolean> {
  const [first, second] = await catalog.locations.findOverlapping(location, 2)
  return second !== undefined || first?.tableUuid !== tableUuid || !first.isDropped
}

async function doomUnnamed(
  deps: SweepPurgedDependencies,
  tableUuid: string,
  paths: readonly string[],
): Promise<void> {
  if (paths.length === 0) return
  const use = await findUse(deps, paths)
  const deletable = await findDeletable(deps, paths)
  const free = paths.filter((path) => deletable.has(path) && !use.isUsed(path))
  await new PendingUploads(deps, tableUuid).add(free)
}
