import { CatalogError } from '../../core/errors.ts'
import {
  type DumpIndex,
  parseDumpIndex,
  serialiseDumpIndex,
} from '../../formats/dump/dump-index.ts'
import { METADATA_FILE_BYTES_MAX } from '../limits.ts'
import { buildArrow } from './dump-arrow.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import {
  type DumpTarget,
  dumpName,
  fileNameOf,
  formatFolder,
  indexLocation,
  mediaTypeOf,
  requireChoice,
} from './dump-key.ts'
import { withDumpLease } from './dump-lease.ts'
import { buildParquet } from './dump-parquet.ts'
import { DumpProgress } from './dump-progress.ts'
import { listDumpSources } from './dump-sources.ts'
import { sweepDumps } from './dump-sweep.ts'
import { buildText, type DumpContent } from './dump-text.ts'

/** Earlier dumps that are looked at for finished shards. */
const BASES_MAX = 10
const INDEXES_CACHED_MAX = 200

export type DumpState =
  | { readonly state: 'ready'; readonly index: DumpIndex }
  | { readonly state: 'running'; readonly pieces: number }
  | { readonly state: 'failed'; readonly error: unknown }
  | { readonly state: 'absent' }

/**
 * Dumps of this catalog. Each is made once however many ask, also across processes: the first makes it, the rest
 * follow. What is made is found again by its index, which is written last.
 */
export class Dumps {
  readonly #deps: DumpDependencies
  readonly #keepNewest: number
  readonly #running = new Map<string, DumpProgress>()
  readonly #failed = new Map<string, unknown>()
  readonly #indexes = new Map<string, DumpIndex>()
  readonly #closing = new AbortController()

  constructor(deps: DumpDependencies, { keepNewest }: { readonly keepNewest: number }) {
    this.#deps = deps
    this.#keepNewest = keepNewest
  }

  /** The finished dump, or its progress: one that nobody makes yet is begun. */
  async open(target: DumpTarget): Promise<DumpIndex | DumpProgress> {
    requireChoice(target)
    const index = await this.find(target)
    return index ?? this.#progressOf(target)
  }

  async find(target: DumpTarget): Promise<DumpIndex | undefined> {
    const name = dumpName(target)
    const cached = this.#indexes.get(name)
    if (cached !== undefined) return cached
    const index = await this.#readIndex(indexLocation(this.#deps.warehouse, target))
    if (index !== undefined) this.#remember(name, index)
    return index
  }

  async state(target: DumpTarget): Promise<DumpState> {
    const name = dumpName(target)
    const running = this.#running.get(name)
    if (running !== undefined) return { state: 'running', pieces: running.pieces.length }
    const index = await this.find(target)
    if (index !== undefined) return { state: 'ready', index }
    if (this.#failed.has(name)) return { state: 'failed', error: this.#failed.get(name) }
    return { state: 'absent' }
  }

  /** A dump one of whose files is gone: its index goes, too, so that the next request makes it again. */
  async forget(target: DumpTarget): Promise<void> {
    this.#indexes.delete(dumpName(target))
    await this.#deps.objects.delete(indexLocation(this.#deps.warehouse, target))
  }

  /** Stops what is being made; nothing half-made is ever served. */
  async close(): Promise<void> {
    this.#closing.abort(new CatalogError('overloaded', 'the service stops: try again soon'))
    await Promise.allSettled([...this.#running.values()].map((progress) => progress.done))
  }

  #progressOf(target: DumpTarget): DumpProgress {
    const name = dumpName(target)
    const running = this.#running.get(name)
    if (running !== undefined) return running
    const progress = new DumpProgress((made) => this.#make(target, made))
    this.#running.set(name, progress)
    this.#failed.delete(name)
    progress.done
      .catch((error) => this.#failed.set(name, error))
      .finally(() => this.#running.delete(name))
    return progress
  }

  async #make(target: DumpTarget, progress: DumpProgress): Promise<DumpIndex> {
    const { tableUuid } = target.state.definition
    const folder = formatFolder(this.#deps.warehouse, { tableUuid, ...target })
    // One at a time for a table and format: shards are shared, and a sweep must not meet a half-made dump.
    const lease = { name: `dump ${folder}`, signal: this.#closing.signal }
    return withDumpLease(this.#deps, lease, async (signal) => {
      const made = await this.find(target)
      if (made !== undefined) {
        for (const piece of made.pieces) progress.add(piece)
        return made
      }
      const index = await this.#build(target, progress, signal)
      await sweepDumps(this.#deps, { folder, keepNewest: this.#keepNewest, target }).catch((err) =>
        this.#deps.log.warn({ err, folder }, 'stale dumps could not be swept'),
      )
      return index
    })
  }

  async #build(
    target: DumpTarget,
    progress: DumpProgress,
    signal: AbortSignal,
  ): Promise<DumpIndex> {
    const deps = this.#deps
    const sources = await listDumpSources(deps, target)
    const build = { target, sources, base: await this.#findBase(target), progress, signal }
    const content = await this.#buildContent(build)
    const index = describe(target, progress, { content, createdAtMs: deps.ambient.nowMs() })
    signal.throwIfAborted()
    const bytes = new TextEncoder().encode(serialiseDumpIndex(index))
    await deps.objects.putIfAbsent(indexLocation(deps.warehouse, target), bytes)
    this.#remember(dumpName(target), index)
    return index
  }

  #buildContent(build: Parameters<typeof buildText>[1]): Promise<DumpContent> {
    if (build.target.format === 'parquet') return buildParquet(this.#deps, build)
    if (build.target.format === 'arrow') return buildArrow(this.#deps, build)
    return buildText(this.#deps, build)
  }

  /** The newest earlier dump of the table in this format. */
  async #findBase(target: DumpTarget): Promise<DumpIndex | undefined> {
    const entries = await this.#deps.catalog.pageSnapshotLog({
      tableUuid: target.state.definition.tableUuid,
      beforeMs: target.snapshot.timestampMs + 1,
      limit: BASES_MAX,
    })
    for (const { snapshot } of entries) {
      if (snapshot.snapshotId === target.snapshot.snapshotId) continue
      const index = await this.find({ ...target, snapshot })
      if (index !== undefined) return index
    }
    return undefined
  }

  async #readIndex(location: string): Promise<DumpIndex | undefined> {
    const { objects } = this.#deps
    if ((await objects.find(location)) === undefined) return undefined
    const bytes = await objects.read(location, { bytesMax: METADATA_FILE_BYTES_MAX })
    return parseDumpIndex(new TextDecoder().decode(bytes))
  }

  #remember(name: string, index: DumpIndex): void {
    this.#indexes.set(name, index)
    const [oldest] = this.#indexes.keys()
    if (this.#indexes.size > INDEXES_CACHED_MAX && oldest !== undefined) {
      this.#indexes.delete(oldest)
    }
  }
}

function describe(
  target: DumpTarget,
  { pieces }: DumpProgress,
  { content, createdAtMs }: { content: DumpContent; createdAtMs: number },
): DumpIndex {
  return {
    tableUuid: target.state.definition.tableUuid,
    snapshotId: target.snapshot.snapshotId,
    format: target.format,
    compression: target.compression,
    mediaType: mediaTypeOf(target),
    fileName: fileNameOf(target),
    createdAtMs,
    pieces: [...pieces],
    lengthBytes: pieces.reduce((sum, piece) => sum + piece.lengthBytes, 0),
    rowCount: pieces.reduce((sum, piece) => sum + piece.rowCount, 0),
    ...content,
  }
}
