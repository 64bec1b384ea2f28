import type { Stores } from '../../catalog/catalog.ts'
import type { FileDeletion } from '../../catalog/deletion-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import { locationKey } from '../../core/file/location-key.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { areDeletionsHeld } from '../jobs/held-deletions.ts'
import { findDeletable } from './deletable-files.ts'
import { type FileUse, type FileUseDependencies, findUse } from './file-use.ts'
import { beginGeneration, type GenerationDependencies } from './generation.ts'

export type UnlinkDependencies = FileUseDependencies &
  GenerationDependencies &
  Stores<'deletions' | 'leases'> & {
    readonly ambient: Ambient
    readonly objects: Pick<ObjectStore, 'delete'>
  }

export interface UnlinkReport {
  readonly deleted: number
  /** Found in each round. */
  readonly uses: readonly FileUse[]
}

const FILES_PER_ROUND = 2_000
const DELETES_AT_ONCE = 16
/**
 * How long a process may take to delete what it has marked, before another takes over: one that was
 * stopped in between deletes nothing when it goes on.
 */
const CLAIM_MS = 10 * 60_000
const UNLINKING_MS_MAX = CLAIM_MS / 2
/** What could not be deleted, or is used for now, is looked at again after this. */
const RETRY_MS = 3_600_000
/** What somebody else has changed meanwhile is. */
const CHANGED_RETRY_MS = 60_000
/** Commits that read a file before it was deleted have ended by then. */
const UNLINKED_KEPT_MS = 24 * 3_600_000
const HOLD_ATTEMPTS_MAX = 5
/** Marks of dropped tables go last: without one, a catalog rebuilt from files revives the table. */
const LAST_NAME = /\/metadata\/dropped[^/]*\.json$/

/**
 * Deletes the files that are due, each looked at once more: what is named again stays. Marks each
 * as being deleted before, so that nobody can name it from then on. Only those of one table when
 * it is given. Those of a catalog that was put back wait.
 */
export async function unlinkDue(
  deps: UnlinkDependencies,
  { tableUuid, signal }: { readonly tableUuid?: string; readonly signal?: AbortSignal } = {},
): Promise<UnlinkReport> {
  let deleted = 0
  const uses: FileUse[] = []
  await beginGeneration(deps)
  for (;;) {
    signal?.throwIfAborted()
    if (await areDeletionsHeld(deps)) break
    const due = await deps.catalog.deletions.listDue({
      nowMs: deps.ambient.nowMs(),
      limit: FILES_PER_ROUND,
      ...(tableUuid !== undefined && { tableUuid }),
    })
    if (due.length === 0) break
    await deps.catalog.deletions.forget(due.filter(({ state }) => state === 'unlinked'))
    const round = await unlinkRound(
      deps,
      due.filter(({ state }) => state !== 'unlinked'),
      signal,
    )
    deleted += round.deleted
    uses.push(round.use)
  }
  return { deleted, uses }
}

async function unlinkRound(
  deps: UnlinkDependencies,
  due: readonly FileDeletion[],
  signal: AbortSignal | undefined,
): Promise<{ readonly deleted: number; readonly use: FileUse }> {
  const { deletions } = deps.catalog
  const nowMs = deps.ambient.nowMs()
  const paths = due.map(({ path }) => path)
  const use = await findUse(deps, paths)
  const deletable = await findDeletable(deps, paths)
  const isLasting = ({ path }: FileDeletion) => use.isUsed(path) && !use.isUsedForNow(path)
  const isKept = (deletion: FileDeletion) => isLasting(deletion) || !deletable.has(deletion.path)
  const lasting = due.filter(isKept)
  const forNow = due.filter((d) => !isKept(d) && use.isUsed(d.path))
  const free = due.filter((d) => !isKept(d) && !use.isUsed(d.path))
  // What is not forgotten, because its disk is away, must not come again at once.
  await postpone(deps, lasting, nowMs + RETRY_MS)
  await deletions.forget(lasting)
  await postpone(deps, forNow, nowMs + RETRY_MS)
  const beganAtMs = performance.now()
  const begun = await beginUnlinking(deps, free, { use, signal })
  const ids = new Set(begun.map(({ path }) => path))
  const changed = free.filter(({ path }) => !ids.has(path))
  await postpone(deps, changed, nowMs + CHANGED_RETRY_MS)
  const wasDoomed = new Set(free.flatMap(({ path, state }) => (state === 'doomed' ? [path] : [])))
  const untouched = begun.filter(({ path }) => wasDoomed.has(path))
  const again = { state: 'doomed' as const, dueAtMs: nowMs + CHANGED_RETRY_MS }
  const named = await namedMeanwhile(deps, untouched, use)
  await deletions.update([...named], again)
  const isOver = () => signal?.aborted === true || performance.now() - beganAtMs > UNLINKING_MS_MAX
  // Whoever began to hold deletions since may need what became unnamed before.
  if (!(await areDeletionsHeld(deps))) {
    const still = begun.filter((deletion) => !named.has(deletion))
    return { use, deleted: await unlinkMarked(deps, still, isOver) }
  }
  await deletions.update(untouched, again)
  return { use, deleted: 0 }
}

/**
 * Those that an examined table may have been given again between its examination and their mark, by
 * a commit that began before they were to be deleted, or that somebody has begun to read. From the
 * mark on, nobody names them, and who begins to read finds their table gone.
 */
async function namedMeanwhile(
  deps: UnlinkDependencies,
  begun: readonly FileDeletion[],
  examined: FileUse,
): Promise<ReadonlySet<FileDeletion>> {
  if (begun.length === 0 || !(await isChanged(deps, examined))) return new Set()
  const use = await findUse(
    deps,
    begun.map(({ path }) => path),
  )
  return new Set(begun.filter(({ path }) => use.isUsed(path)))
}

async function isChanged(
  { catalog, ambient }: Pick<UnlinkDependencies, 'ambient' | 'catalog'>,
  { examinedHoldIds, examinedVersions }: FileUse,
): Promise<boolean> {
  const holds = await catalog.holds.list(ambient.nowMs())
  if (holds.some(({ holdId }) => !examinedHoldIds.has(holdId))) return true
  for (const [tableUuid, version] of examinedVersions) {
    if ((await catalog.tables.find({ tableUuid }))?.version !== version) return true
  }
  return false
}

/** Leaves their states: one that was being deleted may be gone. */
async function postpone(
  { catalog }: Stores<'deletions'>,
  deletions: readonly FileDeletion[],
  dueAtMs: number,
): Promise<void> {
  for (const state of ['doomed', 'unlinking'] as const) {
    const same = deletions.filter((deletion) => deletion.state === state)
    await catalog.deletions.update(same, { state, dueAtMs })
  }
}

/** Marks them, in a transaction of its own; tries again while others hold what it waits for. */
async function beginUnlinking(
  deps: UnlinkDependencies,
  deletions: readonly FileDeletion[],
  { use, signal }: { readonly use: FileUse; readonly signal: AbortSignal | undefined },
): Promise<readonly FileDeletion[]> {
  if (deletions.length === 0) return []
  const { examinedTableUuids } = use
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted()
    const nowMs = deps.ambient.nowMs()
    const dueAtMs = nowMs + CLAIM_MS
    try {
      const request = { deletions, examinedTableUuids, nowMs, dueAtMs }
      return await deps.catalog.deletions.beginUnlinking(request)
    } catch (error) {
      const isBusy = error instanceof CatalogError && error.code === 'overloaded'
      if (!isBusy || attempt === HOLD_ATTEMPTS_MAX) throw error
    }
    await deps.ambient.sleep(attempt * 200, signal)
  }
}

async function unlinkMarked(
  deps: UnlinkDependencies,
  begun: readonly FileDeletion[],
  isOver: () => boolean,
): Promise<number> {
  const { deletions } = deps.catalog
  let deleted = 0
  const isLast = ({ path }: FileDeletion) => LAST_NAME.test(path)
  for (const group of [begun.filter((d) => !isLast(d)), begun.filter(isLast)]) {
    const outcomes = await mapBounded(
      group,
      DELETES_AT_ONCE,
      async (deletion) => !isOver() && (await unlink(deps, deletion)),
    )
    const done = group.filter((_, i) => outcomes[i] === true)
    const dueAtMs = deps.ambient.nowMs() + UNLINKED_KEPT_MS
    await deletions.update(done, { state: 'unlinked', dueAtMs })
    deleted += done.length
  }
  return deleted
}

async function unlink(deps: UnlinkDependencies, { path }: FileDeletion): Promise<boolean> {
  try {
    // Any spelling: stores take but one.
    await deps.objects.delete(locationKey(path))
    return true
  } catch (err) {
    deps.log.warn({ err, path }, 'an unused file could not be deleted; it will be tried again')
    return false
  }
}
