import { BoundedMap } from '../../core/bounded-map.ts'
import { CatalogError } from '../../core/errors.ts'
import { newClosing } from '../../lake/jobs/closing.ts'
import { Lease } from '../../lake/jobs/lease.ts'
import type { ObjectInfo } from '../../objects/object-store.ts'
import { saveDigestState } from './digest-state.ts'
import { buildArrow } from './dump-arrow.ts'
import { keepBudget } from './dump-budget.ts'
import type { DumpBuild, DumpContent } from './dump-build.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import { indexLocationIn, readDumpIndex } from './dump-folder.ts'
import {
  type DumpTarget,
  dumpName,
  dumpTargetOf,
  fileNameOf,
  folderOf,
  indexLocation,
  isContinued,
  leaseName,
  mediaTypeOf,
  requireChoice,
  versionOf,
} from './dump-key.ts'
import { buildParquet } from './dump-parquet.ts'
import { DumpProgress } from './dump-progress.ts'
import { listDumpSources } from './dump-sources.ts'
import { forgetDumpsOfTable, lastingDumps, removeShortShards, sweepDumps } from './dump-sweep.ts'
import { buildText } from './dump-text.ts'
import { type DumpIndex, serialiseDumpIndex } from './format/dump-index.ts'
import { MadeShards } from './made-shards.ts'
import { SourceRecord } from './source/source-record.ts'

const INDEXES_CACHED_MAX = 200
/** Shorter dumps are hashed again in 100 ms. */
const CONTINUED_BYTES_MIN = 128 * 1024 * 1024
const FAILURES_KEPT_MAX = 1_000
const USES_KEPT_MAX = 10_000

/** Counts dumps that are made. */
export interface DumpMeter {
  dumpStarted(): void
  dumpFailed(code: string): void
}

export interface DumpOptions {
  /** How many of the newest dumps are kept, for each table and format. */
  readonly keepNewest: number
  /**
   * Size of all dumps together; unlimited by default. The newest may exceed it until the next one
   * is made.
   */
  readonly bytesMax?: number
  readonly meter?: DumpMeter
  /** Dumps this long are hashed once more, so that the digest of the next can continue. */
  readonly continuedBytesMin?: number
}

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

  constructor(deps: DumpDependencies, options: DumpOptions) {
    this.#deps = deps
    this.#options = options
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
        if (!making.isRead) making.stop.abort(signal.reason)
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
    this.#failed.delete(name)
    const stop = new AbortController()
    const progress = new DumpProgress(async (made) => {
      try {
        return await this.#make(target, made, stop.signal)
      } catch (error) {
        // A cancelled dump has no reader, so there is no failure to report.
        if (stop.signal.aborted) throw error
        this.#failed.set(name, { error })
        this.#options.meter?.dumpFailed(error instanceof CatalogError ? error.code : 'internal')
        throw error
      } finally {
        // Before anyone learns of the failure, so that asking again starts a new attempt.
        this.#running.delete(name)
      }
    })
    const making = { progress, stop, isRead: false }
    this.#running.set(name, making)
    return making
  }

  async #make(asked: DumpTarget, progress: DumpProgress, stop: AbortSignal): Promise<DumpIndex> {
    const target = dumpTargetOf(asked.state, asked.snapshot, asked, asked.schema)
    const folder = folderOf(this.#deps.warehouse, target)
    const wish = { name: leaseName(folder), signal: this.#closing.signal, stop }
    const lease = await Lease.acquire(this.#deps, wish)
    let isTidied = false
    try {
      const made = await this.find(target)
      if (made !== undefined) {
        for (const piece of made.pieces) progress.add(piece)
        return made
      }
      this.#options.meter?.dumpStarted()
      const index = await this.#build(target, progress, lease)
      isTidied = true
      this.#tidyLater(target, index, lease)
      return index
    } catch (error) {
      await this.#tidyFailed(target, lease, error)
      throw error
    } finally {
      if (!isTidied) await lease.release()
    }
  }

  async #build(target: DumpTarget, progress: DumpProgress, lease: Lease): Promise<DumpIndex> {
    const deps = this.#deps
    const sources = await listDumpSources(deps, target)
    const made = await MadeShards.load(deps, folderOf(deps.warehouse, target))
    const { signal } = lease
    const record = new SourceRecord(made.bases)
    const content = await this.#buildContent({ target, sources, made, record, progress, signal })
    const createdAtMs = deps.ambient.nowMs()
    const earlier = await made.findEarlier(deps, target)
    const { sources: read } = record
    const index = describe(target, progress, { content, earlier, sources: read, createdAtMs })
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
    const lastUsedMs = ({ location, modifiedAtMs }: ObjectInfo) =>
      this.#usedAtMs.get(location) ?? modifiedAtMs
    const newIndexLocation = indexLocation(warehouse, target)
    return keepBudget(this.#deps, { bytesMax, lastUsedMs, newIndexLocation, folder, lease })
  }

  /** The shards of a failed dump stay for the next attempt, if there is room. */
  async #tidyFailed(target: DumpTarget, lease: Lease, error: unknown): Promise<void> {
    const { bytesMax } = this.#options
    if (isStorageFull(error)) await this.#giveSpaceBack(target, lease)
    else if (bytesMax !== undefined && !lease.signal.aborted) {
      await this.#keepBudget(target, lease, bytesMax).catch((err) =>
        this.#deps.log.warn({ err, dump: dumpName(target) }, 'the dump budget was not kept'),
      )
    }
  }

  /** Removes the shards of an unfinished dump when the disk is full. */
  async #giveSpaceBack(target: DumpTarget, lease: Lease): Promise<void> {
    const folder = folderOf(this.#deps.warehouse, target)
    const lasting = lastingDumps(target.state, target)
    await sweepDumps(this.#deps, { folder, lease, keepNewest: Infinity, lasting }).catch((err) =>
      this.#deps.log.warn({ err, folder }, 'shards of a failed dump could not be removed'),
    )
  }
}

function isStorageFull(error: unknown): boolean {
  return error instanceof CatalogError && error.code === 'storage-full'
}

function describe(
  target: DumpTarget,
  { pieces }: DumpProgress,
  {
    content,
    earlier,
    ...more
  }: Pick<DumpIndex, 'createdAtMs' | 'earlier' | 'sources'> & { readonly content: DumpContent },
): DumpIndex {
  return {
    tableUuid: target.state.definition.tableUuid,
    ...versionOf(target),
    ...(earlier !== undefined && earlier.length > 0 && { earlier }),
    format: target.format,
    compression: target.compression,
    mediaType: mediaTypeOf(target),
    fileName: fileNameOf(target),
    ...more,
    pieces: [...pieces],
    lengthBytes: pieces.reduce((sum, piece) => sum + piece.lengthBytes, 0),
    rowCount: pieces.reduce((sum, piece) => sum + piece.rowCount, 0),
    ...content,
  }
}
