import { BoundedMap } from '../../core/bounded-map.ts'
import { CatalogError, CodedError } from '../../core/errors.ts'
import type { HeldFiles } from '../../lake/deletion/file-holds.ts'
import { newClosing } from '../../lake/jobs/closing.ts'
import { Lease } from '../../lake/jobs/lease.ts'
import type { ObjectInfo } from '../../objects/object-store.ts'
import { saveDigestState } from './digest-state.ts'
import { buildArrow } from './dump-arrow.ts'
import { type BudgetRequest, keepBudget } from './dump-budget.ts'
import { type DumpBuild, type DumpContent, describeDump } from './dump-build.ts'
import type { DumpDependencies, DumpOptions } from './dump-dependencies.ts'
import { indexLocationIn, readDumpIndex } from './dump-folder.ts'
import {
  type DumpTarget,
  dumpName,
  dumpTargetOf,
  folderOf,
  indexLocation,
  isContinued,
  leaseName,
  requireChoice,
  versionOf,
} from './dump-key.ts'
import { buildParquet } from './dump-parquet.ts'
import { DumpProgress } from './dump-progress.ts'
import { listDumpSources, readOf } from './dump-sources.ts'
import { forgetDumpsOfTable, lastingDumps, removeShortShards, sweepDumps } from './dump-sweep.ts'
import { buildText } from './dump-text.ts'
import { type DumpIndex, serialiseDumpIndex } from './format/dump-index.ts'
import { MadeShards } from './made-shards.ts'
import { SourceRecord } from './source/source-record.ts'
import { DumpSpace, isStorageFull, isTooLarge, type SpaceOfDump } from './space/dump-space.ts'

const INDEXES_CACHED_MAX = 200
/** Shorter dumps are hashed again in 100 ms. */
const CONTINUED_BYTES_MIN = 128 * 1024 * 1024
const FAILURES_KEPT_MAX = 1_000
const USES_KEPT_MAX = 10_000

export type DumpState =
  | { readonly state: 'ready'; readonly index: DumpIndex }
  | { readonly state: 'running'; readonly pieces: number }
  | { readonly state: 'failed'; readonly error: unknown }
  | { readonly state: 'absent' }

interface Making {
  readonly progress: DumpProgress
  readonly stop: AbortController
  /** Whether anyone reads it or waits to: if so, it is finished even if its job is cancelled. */
  isRead: boolean
  isCancelled: boolean
}

interface Begun {
  readonly target: DumpTarget
  readonly progress: DumpProgress
  readonly lease: Lease
  readonly space: SpaceOfDump | undefined
  readonly held: HeldFiles
}

export interface BuildOptions {
  /** Called from time to time with the number of finished pieces. */
  report(pieces: number): void
  readonly signal: AbortSignal
}

/**
 * The dumps of this catalog. Each is made once, however many ask, even across processes: the first
 * makes it, the others follow. A finished dump is found by its index, which is written last.
 */
export class Dumps {
  readonly #deps: DumpDependencies
  readonly #options: DumpOptions
  readonly #running = new Map<string, Making>()
  readonly #tidying = new Set<Promise<void>>()
  readonly #failed = new BoundedMap<string, { readonly error: unknown }>(FAILURES_KEPT_MAX)
  /** By location, valid for that version. */
  readonly #indexes = new BoundedMap<string, { version: string; index: DumpIndex }>(
    INDEXES_CACHED_MAX,
  )
  readonly #usedAtMs = new BoundedMap<string, number>(USES_KEPT_MAX)
  readonly #closing = newClosing()
  readonly #space: DumpSpace | undefined
  #isMakingRoom = false
  #budgetKept = Promise.resolve()

  constructor(deps: DumpDependencies, options: DumpOptions) {
    this.#deps = deps
    this.#options = options
    const { bytesMax } = options
    if (bytesMax === undefined) return
    this.#space = new DumpSpace({ bytesMax, onGrowth: () => this.#makeRoom(bytesMax) })
  }

  /** The finished dump, or its progress; starts it unless it is being made already. */
  async open(target: DumpTarget): Promise<DumpIndex | DumpProgress> {
    requireChoice(target)
    const { warehouse, ambient } = this.#deps
    this.#usedAtMs.set(indexLocation(warehouse, target), ambient.nowMs())
    const index = await this.find(target)
    if (index !== undefined) return index
    const making = this.#makingOf(target)
    making.isRead = true
    return making.progress
  }

  /**
   * Like `open`, for a background job. If the signal aborts, a dump that nobody reads is stopped.
   */
  async build(target: DumpTarget, { report, signal }: BuildOptions): Promise<DumpIndex> {
    requireChoice(target)
    const index = await this.find(target)
    if (index !== undefined) return index
    const making = this.#makingOf(target)
    const { progress } = making
    const follow = async () => {
      for await (const _ of progress.follow()) report(progress.pieces.length)
      return progress.done
    }
    let end: () => void = () => undefined
    const stopped = new Promise<never>((_, reject) => {
      end = () => {
        if (!making.isRead) {
          making.isCancelled = true
          making.stop.abort(signal.reason)
        }
        reject(signal.reason)
      }
    })
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    try {
      return await Promise.race([follow(), stopped])
    } finally {
      signal.removeEventListener('abort', end)
    }
  }

  /** The finished dump, looked up each time: another process may have removed it. */
  async find(target: DumpTarget): Promise<DumpIndex | undefined> {
    const location = indexLocation(this.#deps.warehouse, target)
    const info = await this.#deps.objects.find(location)
    if (info === undefined) return undefined
    const cached = this.#indexes.get(location)
    if (cached?.version === info.version) return cached.index
    const index = await readDumpIndex(this.#deps, location)
    if (index !== undefined) {
      this.#indexes.set(location, { version: info.version, index })
    }
    return index
  }

  /** Whether another edition of the target's snapshot and schema is still there. */
  async hasEdition(target: DumpTarget, edition: string): Promise<boolean> {
    const { objects, warehouse } = this.#deps
    const folder = folderOf(warehouse, target)
    const location = indexLocationIn(folder, { ...versionOf(target), edition })
    return (await objects.find(location)) !== undefined
  }

  async state(target: DumpTarget): Promise<DumpState> {
    const name = dumpName(target)
    const running = this.#running.get(name)
    if (running !== undefined) return { state: 'running', pieces: running.progress.pieces.length }
    const index = await this.find(target)
    if (index !== undefined) return { state: 'ready', index }
    const failure = this.#failed.get(name)
    return failure === undefined ? { state: 'absent' } : { state: 'failed', ...failure }
  }

  /** Removes the index of a dump that has lost a file, so that the next request makes it again. */
  async forget(target: DumpTarget): Promise<void> {
    const { objects, warehouse } = this.#deps
    const index = await this.find(target)
    if (index !== undefined) await removeShortShards(this.#deps, index, folderOf(warehouse, target))
    await objects.delete(indexLocation(warehouse, target))
  }

  /** Stops the dumps of a table that was dropped; resolves when they have ended. */
  async stopOf(tableUuid: string): Promise<void> {
    const gone = new CatalogError('table-not-found', 'the table was dropped while it was dumped')
    const ofTable = [...this.#running].filter(([name]) => name.startsWith(`${tableUuid}/`))
    for (const [, { stop }] of ofTable) stop.abort(gone)
    await Promise.allSettled(ofTable.map(([, { progress }]) => progress.done))
  }

  /** Stops dumps in the making. An unfinished dump is never served as a whole one. */
  async close(): Promise<void> {
    this.#closing.abort(
      new CatalogError('overloaded', 'the service is shutting down: try again soon'),
    )
    await this.settle()
  }

  /** Resolves when all dumps in the making have ended and stale ones are swept. */
  async settle(): Promise<void> {
    await Promise.allSettled([...this.#running.values()].map(({ progress }) => progress.done))
    await Promise.allSettled(this.#tidying)
  }

  #makingOf(target: DumpTarget): Making {
    const name = dumpName(target)
    const running = this.#running.get(name)
    if (running !== undefined) return running
    const failure = this.#failed.get(name)
    if (failure !== undefined && isTooLarge(failure.error)) throw failure.error
    this.#failed.delete(name)
    const stop = new AbortController()
    const progress = new DumpProgress(async (made) => {
      try {
        return await this.#make(target, made, stop)
      } catch (error) {
        // A cancelled dump has no reader, so there is no failure to report.
        if (making.isCancelled) throw error
        this.#failed.set(name, { error })
        this.#options.meter?.dumpFailed(error instanceof CodedError ? error.code : 'internal')
        throw error
      } finally {
        // Before anyone learns of the failure, so that asking again starts a new attempt.
        this.#running.delete(name)
      }
    })
    const making: Making = { progress, stop, isRead: false, isCancelled: false }
    this.#running.set(name, making)
    return making
  }

  async #make(
    asked: DumpTarget,
    progress: DumpProgress,
    stop: AbortController,
  ): Promise<DumpIndex> {
    const target = dumpTargetOf(asked.state, asked.snapshot, asked, asked.schema)
    const folder = folderOf(this.#deps.warehouse, target)
    const wish = { name: leaseName(folder), signal: this.#closing.signal, stop: stop.signal }
    const lease = await Lease.acquire(this.#deps, wish)
    const space = this.#space?.begin((reason) => stop.abort(reason))
    let isReleased = false
    try {
      const made = await this.find(target)
      if (made !== undefined) {
        for (const piece of made.pieces) progress.add(piece)
        return made
      }
      this.#options.meter?.dumpStarted()
      const index = await this.#deps.holds.during({ kind: 'dump' }, [readOf(target)], (held) =>
        this.#build({ target, progress, lease, space, held }),
      )
      isReleased = true
      this.#tidyLater(target, index, lease)
      return index
    } catch (thrown) {
      const error: unknown = stop.signal.aborted ? stop.signal.reason : thrown
      await lease.release()
      isReleased = true
      await this.#tidyFailed(target, error).catch((err) =>
        this.#deps.log.warn({ err, dump: dumpName(target) }, 'a failed dump was not tidied up'),
      )
      throw error
    } finally {
      if (space !== undefined) this.#space?.end(space)
      if (!isReleased) await lease.release()
    }
  }

  async #build({ target, progress, lease, space, held }: Begun): Promise<DumpIndex> {
    const deps = this.#deps
    const sources = await listDumpSources(deps, target)
    const made = await MadeShards.load(deps, folderOf(deps.warehouse, target))
    const { signal } = lease
    const record = new SourceRecord(made.bases)
    const build = { target, sources, made, record, progress, space, held, signal }
    const content = await this.#buildContent(build)
    const createdAtMs = deps.ambient.nowMs()
    const earlier = await made.findEarlier(deps, target)
    const { sources: read } = record
    const index = describeDump(target, progress, { content, earlier, sources: read, createdAtMs })
    // If the lease was lost, its new holder may have removed what this index would name.
    await lease.confirm()
    await this.#putIndex(target, index)
    return index
  }

  #buildContent(build: DumpBuild): Promise<DumpContent> {
    if (build.target.format === 'parquet') return buildParquet(this.#deps, build)
    if (build.target.format === 'arrow') return buildArrow(this.#deps, build)
    return buildText(this.#deps, build)
  }

  /** Replaces what is there: it must be damaged, or `find` would have returned it. */
  async #putIndex(target: DumpTarget, index: DumpIndex): Promise<void> {
    const { objects, warehouse } = this.#deps
    const location = indexLocation(warehouse, target)
    const bytes = new TextEncoder().encode(serialiseDumpIndex(index))
    if ((await objects.putIfAbsent(location, bytes)) === 'written') return
    await objects.delete(location)
    await objects.putIfAbsent(location, bytes)
  }

  /** Readers of the new dump do not wait for this; the next build waits for the lease. */
  #tidyLater(target: DumpTarget, index: DumpIndex, lease: Lease): void {
    const tidying = this.#finishUp(target, index, lease)
      .catch((err) => {
        if (this.#closing.signal.aborted) return
        this.#deps.log.warn({ err, dump: dumpName(target) }, 'stale dumps could not be removed')
      })
      .finally(() => this.#tidying.delete(tidying))
    this.#tidying.add(tidying)
  }

  async #finishUp(target: DumpTarget, index: DumpIndex, lease: Lease): Promise<void> {
    try {
      await this.#tidy(target, lease)
    } finally {
      await lease.release()
    }
    await this.#saveDigestState(target, index)
  }

  async #saveDigestState(target: DumpTarget, index: DumpIndex): Promise<void> {
    const { continuedBytesMin = CONTINUED_BYTES_MIN } = this.#options
    if (
      !isContinued(target.format) ||
      index.digestState !== undefined ||
      index.lengthBytes < continuedBytesMin
    )
      return
    const location = indexLocation(this.#deps.warehouse, target)
    await saveDigestState(this.#deps, { index, location, signal: this.#closing.signal })
  }

  async #tidy(target: DumpTarget, lease: Lease): Promise<void> {
    const deps = this.#deps
    const { tableUuid } = target.state.definition
    const folder = folderOf(deps.warehouse, target)
    const state = await deps.catalog.tables.find({ tableUuid })
    // The table was dropped while its dump was being made.
    if (state === undefined) return forgetDumpsOfTable(deps, tableUuid)
    const { keepNewest, bytesMax } = this.#options
    const lasting = lastingDumps(state, target)
    await sweepDumps(deps, { folder, lease, keepNewest, lasting })
    if (bytesMax !== undefined) await this.#keepBudget(target, lease, bytesMax)
  }

  #keepBudget(target: DumpTarget, lease: Lease, bytesMax: number): Promise<void> {
    const { warehouse } = this.#deps
    const folder = folderOf(warehouse, target)
    const newIndexLocation = indexLocation(warehouse, target)
    return this.#keepWithin(bytesMax, { own: { newIndexLocation, folder, lease } })
  }

  #keepWithin(bytesMax: number, more: Pick<BudgetRequest, 'own'>): Promise<void> {
    const lastUsedMs = ({ location, modifiedAtMs }: ObjectInfo) =>
      this.#usedAtMs.get(location) ?? modifiedAtMs
    const workingBytes = () => this.#space?.workingBytes ?? 0
    const wish = { bytesMax, lastUsedMs, workingBytes, signal: this.#closing.signal, ...more }
    // One at a time: two that see the same excess would both remove dumps for it.
    const kept = this.#budgetKept.then(() => keepBudget(this.#deps, wish))
    this.#budgetKept = kept.catch(() => undefined)
    return kept
  }

  /** Takes it from dumps that nobody has asked for in a long time. */
  #makeRoom(bytesMax: number): void {
    if (this.#isMakingRoom) return
    this.#isMakingRoom = true
    const making = this.#keepWithin(bytesMax, {})
      .catch((err) => this.#deps.log.warn({ err }, 'the dump budget was not kept'))
      .finally(() => {
        this.#isMakingRoom = false
        this.#tidying.delete(making)
      })
    this.#tidying.add(making)
  }

  /** The shards of a failed dump stay for the next attempt, if there is room. */
  async #tidyFailed(target: DumpTarget, error: unknown): Promise<void> {
    const deps = this.#deps
    const { signal } = this.#closing
    if (signal.aborted) return
    const folder = folderOf(deps.warehouse, target)
    // Of its own: that of the dump ends with the dump.
    const lease = await Lease.tryAcquire(deps, { name: leaseName(folder), signal })
    if (lease === undefined) return
    try {
      const { tableUuid } = target.state.definition
      const { bytesMax } = this.#options
      const state = await deps.catalog.tables.find({ tableUuid })
      if (state === undefined) return await forgetDumpsOfTable(deps, tableUuid)
      if (isStorageFull(error) || isTooLarge(error)) {
        const lasting = lastingDumps(state, target)
        await sweepDumps(deps, { folder, lease, keepNewest: Infinity, lasting })
      }
      if (bytesMax !== undefined) await this.#keepBudget(target, lease, bytesMax)
    } finally {
      await lease.release()
    }
  }
}
