import type { CatalogStore } from '../catalog/catalog-store.ts'
import type { Ambient } from '../core/ambient.ts'
import { CatalogError } from '../core/errors.ts'
import type { TableMetadata, TableState } from '../core/table.ts'
import { tableMetadataToJson } from '../formats/iceberg/table-metadata-json.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { Log } from './log.ts'
import { RecentJson } from './recent-json.ts'
import { collectMetadata, newMetadataLocation } from './table-metadata.ts'

/** Top-level key of a metadata file: what the table was called, for whoever finds nothing but files. */
export const TABLE_NAME_KEY = 'moraine-table'
/** Between two publications of one table while commits keep coming. */
const INTERVAL_MS = 200
/** Between two attempts while publications fail. */
const RETRY_INTERVAL_MS_MAX = 30_000
const RECOVERY_PAGE = 100
const COLLECT_ATTEMPTS_MAX = 20
const PUBLISH_ATTEMPTS_MAX = 20
/** Newer ones that other processes may have recorded in the meantime. */
const PUBLICATIONS_LOOKED_AT = 1_000
const RECENT_BYTES_MAX = 64 * 1024 * 1024

export interface PublisherDependencies {
  readonly catalog: CatalogStore
  readonly objects: ObjectStore
  readonly ambient: Ambient
  readonly meter: { published(): void }
  readonly log: Log
}

export interface Published {
  /** What the file holds. */
  readonly state: TableState
  readonly metadataLocation: string
}

interface Collected {
  readonly state: TableState
  readonly metadata: TableMetadata
}

/**
 * Writes `*.metadata.json` from the catalog, off the commit path. A burst of commits shares one publication;
 * a table that was idle is published at once. The location reaches the catalog only when the file exists.
 */
export class Publisher {
  /** The metadata of what was published or read lately, by its location. */
  readonly recent = new RecentJson(RECENT_BYTES_MAX)
  readonly #deps: PublisherDependencies
  /** At most one publication runs for a table. */
  readonly #running = new Map<string, Promise<Published | undefined>>()
  readonly #background = new Set<Promise<void>>()
  /** Tables with a background loop; true when another commit came meanwhile. */
  readonly #scheduled = new Map<string, boolean>()
  #closing = false

  constructor(deps: PublisherDependencies) {
    this.#deps = deps
  }

  /** Answers at once; the newest version is published soon, failures are logged and tried again. */
  schedule(tableUuid: string): void {
    if (this.#scheduled.has(tableUuid)) {
      this.#scheduled.set(tableUuid, true)
      return
    }
    this.#scheduled.set(tableUuid, false)
    const loop = this.#publishUntilQuiet(tableUuid).finally(() => this.#background.delete(loop))
    this.#background.add(loop)
  }

  /** Location of a metadata file that holds the version of this moment or a later one; `undefined` if the table is gone. */
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
    while (this.#background.size > 0) await Promise.all(this.#background)
  }

  #start(tableUuid: string): Promise<Published | undefined> {
    const running = this.#publishNow(tableUuid).finally(() => this.#running.delete(tableUuid))
    this.#running.set(tableUuid, running)
    return running
  }

  async #recoverAll(): Promise<void> {
    for (;;) {
      const tableUuids = await this.#deps.catalog.listUnpublishedTables(RECOVERY_PAGE)
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
    const { ambient, log } = this.#deps
    for (let waitMs = INTERVAL_MS; ; ) {
      this.#scheduled.set(tableUuid, false)
      try {
        await this.publish(tableUuid)
        waitMs = INTERVAL_MS
      } catch (error) {
        waitMs = Math.min(waitMs * 2, RETRY_INTERVAL_MS_MAX)
        log.warn({ err: error, tableUuid }, 'metadata file could not be published; trying again')
        if (this.#closing) break
        this.#scheduled.set(tableUuid, true)
      }
      if (!this.#closing) await ambient.sleep(waitMs)
      if (this.#scheduled.get(tableUuid) !== true) break
    }
    this.#scheduled.delete(tableUuid)
  }

  async #publishNow(tableUuid: string): Promise<Published | undefined> {
    for (let attempt = 0; attempt < PUBLISH_ATTEMPTS_MAX; attempt++) {
      const collected = await this.#collect(tableUuid)
      if (collected === undefined || !('metadata' in collected)) return collected
      const published = await this.#write(collected)
      if (published !== undefined) return published
    }
    throw new CatalogError('overloaded', 'other processes publish the table all the time')
  }

  /** `undefined` when it came to nothing: the table is gone, or another process has published this version. */
  async #write({ state, metadata }: Collected): Promise<Published | undefined> {
    const { catalog, objects, ambient, meter } = this.#deps
    const { tableUuid } = state.definition
    const json = tableMetadataToJson(metadata)
    const metadataLocation = newMetadataLocation(state, ambient.newUuid())
    await objects.putIfAbsent(metadataLocation, metadataFile(state, json))
    const publication = { tableUuid, version: state.version, metadataLocation }
    // As in Iceberg, the metadata log has the time of the change: readers refuse a log ahead of the table's own time.
    await catalog.recordPublication({ ...publication, publishedAtMs: state.lastUpdatedMs })
    if (!(await this.#isRecorded(tableUuid, metadataLocation))) {
      // A version has one file. And when the table was dropped, a purge may have looked for files before.
      await objects.delete(metadataLocation)
      return undefined
    }
    this.recent.remember(metadataLocation, new TextEncoder().encode(json))
    meter.published()
    return { state, metadataLocation }
  }

  async #isRecorded(tableUuid: string, metadataLocation: string): Promise<boolean> {
    const { catalog } = this.#deps
    const state = await catalog.findTable({ tableUuid })
    if (state === undefined || state.metadataLocation === metadataLocation) {
      return state !== undefined
    }
    const lately = await catalog.listPublications(tableUuid, PUBLICATIONS_LOOKED_AT)
    return lately.some((publication) => publication.metadataLocation === metadataLocation)
  }

  /** The newest version as it is published already, or with the metadata to publish. */
  async #collect(tableUuid: string): Promise<Published | Collected | undefined> {
    const { catalog } = this.#deps
    for (let attempt = 0; attempt < COLLECT_ATTEMPTS_MAX; attempt++) {
      const state = await catalog.findTable({ tableUuid })
      if (state === undefined) return undefined
      const { metadataLocation } = state
      if (state.publishedVersion === state.version && metadataLocation !== undefined) {
        return { state, metadataLocation }
      }
      const metadata = await collectMetadata(catalog, state)
      if (metadata !== undefined) return { state, metadata }
    }
    throw new CatalogError('overloaded', 'the table changes faster than it can be published')
  }
}

/** The bytes of a metadata file, which also tells the table's name. */
export function metadataFile({ namespace, name }: TableState, json: string): Uint8Array {
  const named = JSON.stringify({ [TABLE_NAME_KEY]: { namespace, name } })
  return new TextEncoder().encode(`${json.slice(0, -1)},${named.slice(1)}`)
}
