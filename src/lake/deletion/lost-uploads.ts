import type { Stores } from '../../catalog/catalog.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { Log } from '../../core/log.ts'
import type { ObjectInfo, ObjectStore } from '../../objects/object-store.ts'
import { everyTable } from '../table/every-table.ts'

export type LostUploadDependencies = Stores<'deletions' | 'events' | 'paths' | 'tables'> & {
  readonly ambient: Pick<Ambient, 'newUuid' | 'nowMs'>
  readonly log: Log
  readonly objects: Pick<ObjectStore, 'list'>
  /** How long files stay after nothing names them any more. */
  readonly deleteGraceMs: number
}

/** Names that the service gives to files that are uploaded to it. */
const UPLOADED = /\/data\/(?:.+\/)?as_at_\d{8}T\d{6}Z\/data-\d{4}-[0-9a-f-]{36}\.parquet$/
/** No commit takes so long from the placing of its file to its end. */
const COMMIT_MS_MAX = 24 * 3_600_000
const FILES_AT_ONCE = 500
const HOUR_MS = 3_600_000
/** A day less than events are kept for: within it, a creation that is in no event was earlier. */
const EVENTS_KEPT_MS = 29 * 24 * HOUR_MS
const EVENTS_AT_ONCE = 1_000
/** How far the clocks of files and of events are apart at most. */
const CLOCKS_APART_MS = HOUR_MS

/**
 * Finds uploads whose process ended between the placing of the file and its commit: nothing ever
 * named them. Each becomes a deletion after the grace, as an upload to an aborted transaction does:
 * whoever names the file until then takes that away. What was there before the table came to this
 * catalog stays: a table that was registered from older metadata, or rebuilt, has files that other
 * metadata may name. One of these looks at what changed since its last whole run, and at first at
 * everything.
 */
export class LostUploads {
  readonly #deps: LostUploadDependencies
  #lookedUntilMs = Number.NEGATIVE_INFINITY

  constructor(deps: LostUploadDependencies) {
    this.#deps = deps
  }

  /** Returns how many files it found. */
  async sweep(signal: AbortSignal): Promise<number> {
    const untilMs = this.#deps.ambient.nowMs() - COMMIT_MS_MAX
    let found = 0
    let isWhole = true
    for await (const { tableUuid, location } of everyTable(this.#deps)) {
      try {
        found += await this.#sweepTable({ tableUuid, location, untilMs }, signal)
      } catch (err) {
        signal.throwIfAborted()
        isWhole = false
        const told = 'lost uploads of a table could not be looked for; it will be tried again'
        this.#deps.log.warn({ err, tableUuid }, told)
      }
    }
    if (isWhole) this.#lookedUntilMs = untilMs
    return found
  }

  async #sweepTable(
    table: {
      readonly tableUuid: string
      readonly location: string
      readonly untilMs: number
    },
    signal: AbortSignal,
  ): Promise<number> {
    const { tableUuid, location, untilMs } = table
    let found = 0
    let files: ObjectInfo[] = []
    for await (const file of this.#deps.objects.list(`${location}/data`)) {
      signal.throwIfAborted()
      const isNew = file.modifiedAtMs >= this.#lookedUntilMs
      if (!isNew || file.modifiedAtMs >= untilMs || !UPLOADED.test(file.location)) continue
      files.push(file)
      if (files.length < FILES_AT_ONCE) continue
      found += await this.#doomLost(tableUuid, files)
      files = []
    }
    return found + (await this.#doomLost(tableUuid, files))
  }

  /** A path that a table knew once is not looked at: to be named no more is another thing. */
  async #doomLost(tableUuid: string, files: readonly ObjectInfo[]): Promise<number> {
    if (files.length === 0) return 0
    const { catalog, ambient, deleteGraceMs } = this.#deps
    const nowMs = ambient.nowMs()
    const paths = files.map(({ location }) => location)
    const staged = await catalog.paths.findStaged({ paths, nowMs })
    // After what is staged: a commit makes that known.
    const known = await catalog.paths.findTables(paths)
    const stagedPaths = new Set(staged.map(({ path }) => path))
    const unnamed = files.filter((f) => !known.has(f.location) && !stagedPaths.has(f.location))
    if (unnamed.length === 0) return 0
    const sinceMs = await this.#inCatalogSinceMs(tableUuid)
    const lost = unnamed.filter(({ modifiedAtMs }) => modifiedAtMs > sinceMs + CLOCKS_APART_MS)
    const mark = ambient.newUuid()
    const rest = { tableUuid, mark, reason: 'upload', dueAtMs: nowMs + deleteGraceMs } as const
    await catalog.deletions.add(lost.map(({ location }) => ({ path: location, ...rest })))
    return lost.length
  }

  /** The table was never out of the catalog since; it may have been in it before. */
  async #inCatalogSinceMs(tableUuid: string): Promise<number> {
    const { events } = this.#deps.catalog
    let sinceMs = this.#deps.ambient.nowMs() - EVENTS_KEPT_MS
    const types = ['moraine.table.created.v1', 'moraine.table.replaced.v1'] as const
    let { forgotten: after } = await events.findRange()
    for (;;) {
      const page = await events.list({ after, types, subject: tableUuid, limit: EVENTS_AT_ONCE })
      for (const { timeMs } of page.events) sinceMs = Math.max(sinceMs, timeMs)
      if (page.nextAfter >= page.last) return sinceMs
      after = page.nextAfter
    }
  }
}
