import { Readable } from 'node:stream'
import type { Stores } from '../../catalog/catalog.ts'
import type { TableCommit } from '../../catalog/table-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import { CatalogError } from '../../core/errors.ts'
import type { Log } from '../../core/log.ts'
import type { TableState } from '../../core/table/table.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { withMembers } from '../../formats/json/json-text.ts'
import type { MetadataFrame } from '../../formats/metadata/table-metadata-json.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { newClosing } from '../jobs/closing.ts'
import { HistoryCache } from './history-cache.ts'
import { JsonCache, metadataName } from './json-cache.ts'
import {
  type HistoryText,
  metadataPieces,
  newMetadataLocation,
  readFrame,
} from './metadata-pieces.ts'
import { deleteOldMetadata } from './old-metadata.ts'
import { sizeOf } from './pieces.ts'

/**
 * Top-level key of a metadata file: what the table was called, for whoever finds nothing but files.
 */
export const TABLE_NAME_KEY = 'moraine-table'
/** Between two publications of one table while commits keep coming, at least. */
const INTERVAL_MS = 200
/**
 * Rate at which metadata files of one table are written, each of which contains all its snapshots.
 * A MiB takes 5 ms of work if the history is cached, and 30 ms if it is read again.
 */
const BYTES_PER_MS = 1024
const INTERVAL_MS_MAX = 120_000
/** A reader does not wait for a file after which the publisher rests longer than this. */
const CHEAP_REST_MS_MAX = 2_000
/** Shorter files do not count: a table that writes one often is published often. */
const COUNTED_BYTES_MIN = 256 * 1024
/** Nor for one with more snapshots, unless their text is at hand. */
const CHEAP_SNAPSHOTS_MAX = 10_000n
/** Between two attempts while publications fail. */
const RETRY_INTERVAL_MS_MAX = 30_000
const RECOVERY_PAGE = 100
const COLLECT_ATTEMPTS_MAX = 20
const PUBLISH_ATTEMPTS_MAX = 20
/** Newer ones that other processes may have recorded in the meantime. */
const PUBLICATIONS_LOOKED_AT = 1_000
const RECENT_BYTES_MAX = 64 * 1024 * 1024
const HISTORIES_BYTES_MAX = 256 * 1024 * 1024
/** Written as it is, not piece by piece. */
const WHOLE_BYTES_MAX = 1024 * 1024
/** A commit of this process is seen in the catalog just before its history is told. */
const REREADS = 3

export interface PublicationMeter {
  published(): void
}

export interface PublisherDependencies
  extends Stores<'tables' | 'snapshots' | 'publications' | 'locations' | 'paths' | 'leases'> {
  readonly objects: ObjectStore
  readonly ambient: Ambient
  readonly meter: PublicationMeter
  readonly log: Log
}

export interface Published {
  /** What the file holds. */
  readonly state: TableState
  readonly metadataLocation: string
  /** That were written; 0 when the file was there. */
  readonly bytes: number
}

interface Collected {
  readonly state: TableState
  readonly frame: MetadataFrame
  readonly history: HistoryText
}

/**
 * Writes `*.metadata.json` from the catalog, off the commit path. A burst of commits shares one
 * publication; a table that was idle is published at once. The longer a history is, the more
 * commits share a publication: their work stays below a tenth of the time. The location reaches the
 * catalog only when the file exists.
 */
export class Publisher {
  /** The metadata of what was published or read lately, by its location. */
  readonly recent = new JsonCache(RECENT_BYTES_MAX)
  readonly histories: HistoryCache
  readonly #deps: PublisherDependencies
  /** At most one publication runs for a table. */
  readonly #running = new Map<string, Promise<Published | undefined>>()
  readonly #background = new Set<Promise<void>>()
  /** Tables with a background loop; true when another commit came in between. */
  readonly #scheduled = new Map<string, boolean>()
  /** Tables whose old metadata files are being deleted, and the newest state to do it for. */
  readonly #tidied = new Map<string, TableState>()
  /** Until when the publisher rests, for tables whose last publication was not cheap. */
  readonly #restsUntilMs = new Map<string, number>()
  #closing = false
  #wake: () => void = () => undefined
  /**
   * Ends the timers of those that rest: they would keep the process alive for minutes. Each table
   * that rests listens to it.
   */
  readonly #stop = newClosing()
  readonly #closed = new Promise<void>((resolve) => {
    this.#wake = resolve
  })

  constructor(deps: PublisherDependencies) {
    this.#deps = deps
    this.histories = new HistoryCache(deps.catalog, HISTORIES_BYTES_MAX)
  }

  /** To be called for every commit to an existing table. Returns at once, like `schedule`. */
  committed(commit: TableCommit): void {
    this.histories.committed(commit)
    this.schedule(commit.state.definition.tableUuid)
  }

  /** Returns at once; the newest version is published soon, failures are logged and retried. */
  schedule(tableUuid: string): void {
    if (this.#scheduled.has(tableUuid)) {
      this.#scheduled.set(tableUuid, true)
      return
    }
    this.#scheduled.set(tableUuid, false)
    const loop = this.#publishUntilQuiet(tableUuid).finally(() => this.#background.delete(loop))
    this.#background.add(loop)
  }

  /**
   * Location of a metadata file that holds the version of this moment or a later one; `undefined`
   * if the table is gone.
   */
  async publish(tableUuid: string): Promise<string | undefined> {
    return (await this.publishMetadata(tableUuid))?.metadataLocation
  }

  /** As `publish`, with what the file holds. */
  async publishMetadata(tableUuid: string): Promise<Published | undefined> {
    // What runs already may have read the catalog before this call's commit.
    await this.#running.get(tableUuid)?.catch(() => undefined)
    const running = this.#running.get(tableUuid) ?? this.#start(tableUuid)
    return running
  }

  /** Whether `publish` has so little to do for this state that a reader may wait for it. */
  isCheap(state: TableState): boolean {
    const { definition, lastSequenceNumber } = state
    if (this.#restLeftMs(definition.tableUuid) > CHEAP_REST_MS_MAX) return false
    return lastSequenceNumber <= CHEAP_SNAPSHOTS_MAX || this.histories.find(state) !== undefined
  }

  /** Publishes, in the background, what a crash left unpublished. */
  recover(): void {
    const recovery = this.#recoverAll()
      .catch((err) => this.#deps.log.warn({ err }, 'unpublished tables could not be recovered'))
      .finally(() => this.#background.delete(recovery))
    this.#background.add(recovery)
  }

  /** Resolves when nothing is left to publish. */
  async close(): Promise<void> {
    this.#closing = true
    this.#wake()
    this.#stop.abort()
    while (this.#background.size > 0) await Promise.all(this.#background)
  }

  #start(tableUuid: string): Promise<Published | undefined> {
    const running = this.#publishNow(tableUuid).finally(() => this.#running.delete(tableUuid))
    this.#running.set(tableUuid, running)
    return running
  }

  async #recoverAll(): Promise<void> {
    for (;;) {
      const tableUuids = await this.#deps.catalog.publications.listUnpublishedTables(RECOVERY_PAGE)
      let published = 0
      for (const tableUuid of tableUuids) {
        if (this.#closing) return
        if (await this.#recover(tableUuid)) published += 1
      }
      if (tableUuids.length < RECOVERY_PAGE || published === 0) return
    }
  }

  /** One table that cannot be published does not keep the others from it. */
  async #recover(tableUuid: string): Promise<boolean> {
    try {
      await this.publish(tableUuid)
      return true
    } catch (err) {
      this.#deps.log.warn({ err, tableUuid }, 'metadata file could not be published; trying again')
      this.schedule(tableUuid)
      return false
    }
  }

  async #publishUntilQuiet(tableUuid: string): Promise<void> {
    const { log } = this.#deps
    // A short one is had after the publication.
    await this.#rest(this.#restLeftMs(tableUuid) - CHEAP_REST_MS_MAX)
    for (let waitMs = INTERVAL_MS; ; ) {
      this.#scheduled.set(tableUuid, false)
      try {
        const published = await this.publishMetadata(tableUuid)
        waitMs = restMs(published?.bytes ?? 0)
      } catch (error) {
        waitMs = Math.min(waitMs * 2, RETRY_INTERVAL_MS_MAX)
        log.warn({ err: error, tableUuid }, 'metadata file could not be published; trying again')
        if (this.#closing) break
        this.#scheduled.set(tableUuid, true)
      }
      await this.#rest(waitMs)
      if (this.#scheduled.get(tableUuid) !== true) break
    }
    this.#scheduled.delete(tableUuid)
  }

  #restLeftMs(tableUuid: string): number {
    const restLeftMs = (this.#restsUntilMs.get(tableUuid) ?? 0) - this.#deps.ambient.nowMs()
    if (restLeftMs <= 0) this.#restsUntilMs.delete(tableUuid)
    // A clock that was set back does not lengthen it.
    return Math.min(Math.max(restLeftMs, 0), INTERVAL_MS_MAX)
  }

  async #rest(ms: number): Promise<void> {
    if (ms > 0 && !this.#closing) {
      const { signal } = this.#stop
      await Promise.race([this.#deps.ambient.sleep(ms, signal), this.#closed])
    }
  }

  async #publishNow(tableUuid: string): Promise<Published | undefined> {
    for (let attempt = 0; attempt < PUBLISH_ATTEMPTS_MAX; attempt++) {
      const collected = await this.#collect(tableUuid)
      if (collected === undefined || !('frame' in collected)) return collected
      const published = await this.#write(collected)
      if (published !== undefined) return published
    }
    throw new CatalogError('overloaded', 'other processes publish the table all the time')
  }

  /**
   * `undefined` when it came to nothing: the table is gone, or another process has published this
   * version.
   */
  async #write({ state, frame, history }: Collected): Promise<Published | undefined> {
    const { catalog, objects, ambient, meter } = this.#deps
    const { tableUuid } = state.definition
    const metadataLocation = newMetadataLocation(state, ambient.newUuid())
    const pieces = metadataPieces(frame, history, namedMember(state))
    const bytes = await this.#put(metadataLocation, pieces)
    const publication = { tableUuid, version: state.version, metadataLocation }
    // As in Iceberg, the metadata log has the time of the change: readers refuse a log ahead of the
    // table's own time.
    await catalog.publications.record({ ...publication, publishedAtMs: state.lastUpdatedMs })
    if (!(await this.#isRecorded(tableUuid, metadataLocation))) {
      // A version has one file. And when the table was dropped, a purge may have looked for files
      // before.
      await objects.delete(metadataLocation)
      return undefined
    }
    const name = metadataName(metadataLocation, state.version)
    this.recent.remember(name, metadataPieces(frame, history))
    meter.published()
    this.#rememberRest(tableUuid, bytes)
    this.#tidy({ ...state, metadataLocation })
    return { state, metadataLocation, bytes }
  }

  /** Files that were written for a reader who waited add to it, too. */
  #rememberRest(tableUuid: string, bytes: number): void {
    if (bytes < COUNTED_BYTES_MIN) return
    const untilMs = this.#deps.ambient.nowMs() + this.#restLeftMs(tableUuid) + bytes / BYTES_PER_MS
    this.#restsUntilMs.set(tableUuid, untilMs)
  }

  /** Deletes old metadata files in the background: nobody waits for it. */
  #tidy(state: TableState): void {
    const { tableUuid } = state.definition
    const isTidying = this.#tidied.has(tableUuid)
    this.#tidied.set(tableUuid, state)
    if (isTidying) return
    const work = this.#tidyUntilQuiet(tableUuid).finally(() => this.#background.delete(work))
    this.#background.add(work)
  }

  async #tidyUntilQuiet(tableUuid: string): Promise<void> {
    for (;;) {
      const state = this.#tidied.get(tableUuid)
      try {
        if (state !== undefined) await deleteOldMetadata(this.#deps, state)
      } catch (err) {
        this.#deps.log.warn({ err, tableUuid }, 'old metadata files could not be deleted')
      }
      if (this.#tidied.get(tableUuid) !== state) continue
      this.#tidied.delete(tableUuid)
      return
    }
  }

  async #put(location: string, pieces: readonly Uint8Array[]): Promise<number> {
    const { objects } = this.#deps
    const bytes = sizeOf(pieces)
    if (bytes <= WHOLE_BYTES_MAX) await objects.putIfAbsent(location, Buffer.concat(pieces))
    else
      await objects.putStreamIfAbsent(
        location,
        Readable.from(pieces.filter((piece) => piece.length > 0)),
        { bytesMax: bytes },
      )
    return bytes
  }

  async #isRecorded(tableUuid: string, metadataLocation: string): Promise<boolean> {
    const { catalog } = this.#deps
    const state = await catalog.tables.find({ tableUuid })
    if (state === undefined || state.metadataLocation === metadataLocation) {
      return state !== undefined
    }
    const lately = await catalog.publications.list(tableUuid, PUBLICATIONS_LOOKED_AT)
    return lately.some((publication) => publication.metadataLocation === metadataLocation)
  }

  /** The newest version as it is published already, or with the metadata to publish. */
  async #collect(tableUuid: string): Promise<Published | Collected | undefined> {
    const { catalog } = this.#deps
    for (let attempt = 0; attempt < COLLECT_ATTEMPTS_MAX; attempt++) {
      const state = await catalog.tables.find({ tableUuid })
      if (state === undefined) return undefined
      const { metadataLocation } = state
      if (state.publishedVersion === state.version && metadataLocation !== undefined) {
        return { state, metadataLocation, bytes: 0 }
      }
      if (attempt < REREADS && this.histories.isBehind(state)) continue
      const history = this.histories.find(state) ?? (await this.histories.read(state))
      if (history === undefined) continue
      return { state, frame: await readFrame(catalog, state), history }
    }
    throw new CatalogError('overloaded', 'the table changes faster than it can be published')
  }
}

/** The bytes of a new table's metadata file, which also tells the table's name. */
export function metadataFile(state: TableState, json: string): Uint8Array {
  return new TextEncoder().encode(withMembers(json, namedMember(state)))
}

/** Tells a rebuild the name of the table or view. */
export function namedMember({
  namespace,
  name,
}: NamespacedName): Readonly<Record<string, unknown>> {
  return { [TABLE_NAME_KEY]: { namespace, name } }
}

function restMs(bytesWritten: number): number {
  return Math.min(Math.max(bytesWritten / BYTES_PER_MS, INTERVAL_MS), INTERVAL_MS_MAX)
}
