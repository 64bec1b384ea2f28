import type { Stores } from '../../catalog/catalog.ts'
import type { NewDeletion } from '../../catalog/deletion-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { TableState } from '../../core/table/table.ts'
import { keepsFiles } from '../../core/table-properties.ts'
import { Turns } from '../../core/turns.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { markOf } from '../table/drop-mark.ts'
import { findDeletable } from './deletable-files.ts'
import { type CountedHolder, findUse, HolderCounts, isOfLivingTable } from './file-use.ts'
import { incomingUploads } from './incoming-uploads.ts'
import { PendingUploads } from './pending-uploads.ts'
import { TableFiles, type TableFilesDependencies } from './table-files.ts'
import { type UnlinkDependencies, unlinkDue } from './unlinker.ts'

export type PurgeDependencies = TableFilesDependencies &
  UnlinkDependencies &
  Stores<'deletions' | 'snapshots'> & {
    readonly ambient: Ambient
    readonly objects: Pick<ObjectStore, 'find'>
  }

export interface PurgeReport {
  readonly deletedFiles: number
  /** To be deleted after the grace. */
  readonly scheduledFiles: number
  readonly keptFiles: number
  /** What else names the files of the table. */
  readonly holders: readonly CountedHolder[]
}

/** Some milliseconds of work between two chances for others. */
const PATHS_AT_ONCE = 2_000

/** The deletion of the files of one table: what is written down with its drop, and what follows. */
export class Purge {
  readonly #deps: PurgeDependencies
  readonly #when: 'after-grace' | 'now'
  readonly #files: TableFiles
  readonly #dueAtMs: number
  readonly #doomed: string[] = []
  /** What others name. */
  readonly #kept = new Set<string>()
  readonly #holders = new HolderCounts()
  readonly #turns = new Turns()

  constructor(deps: PurgeDependencies, when: 'after-grace' | 'now') {
    this.#deps = deps
    this.#when = when
    this.#files = new TableFiles(deps)
    this.#dueAtMs = deps.ambient.nowMs() + (when === 'now' ? 0 : deps.deleteGraceMs)
  }

  /**
   * What the drop of this version is to write down: all files that only this table names. Asked
   * again after a lost race, it looks at new files only.
   */
  async prepare(state: TableState): Promise<readonly NewDeletion[]> {
    const paths = await this.#files.collect(state)
    if (keepsFiles(state.definition.properties)) return []
    const { tableUuid } = state.definition
    // One by one: arguments of a call have a limit.
    for (const path of await this.#free(tableUuid, paths)) this.#doomed.push(path)
    // Written after the drop, perhaps by a process that is then killed.
    const doomed = [...this.#doomed, markOf(state.definition)]
    return this.#deletionsOf(tableUuid, doomed, markOfDrop(state))
  }

  /** The report, so far as it is known when the table is dropped. */
  planned(): PurgeReport {
    const scheduledFiles = this.#doomed.length
    return {
      deletedFiles: 0,
      scheduledFiles,
      keptFiles: this.#files.count - scheduledFiles,
      holders: this.#holders.list(),
    }
  }

  /**
   * Called after the drop: a publication of metadata that was under way has written its file by
   * then, or removes it again. Deletes the files when that was asked for.
   */
  async finish(state: TableState): Promise<PurgeReport> {
    const { catalog } = this.#deps
    const { tableUuid, properties } = state.definition
    const late = await this.#files.collectMetadata(state)
    const gone = await this.#goneHolders()
    if (!keepsFiles(properties)) {
      // Two that are purged at once find each other there; the later one finds the other gone.
      const again = gone.size > 0 ? [...this.#kept] : []
      const free = await this.#free(tableUuid, [...late, ...again])
      const mark = this.#deps.ambient.newUuid()
      await catalog.deletions.add(this.#deletionsOf(tableUuid, free, mark))
      await this.#addIncoming(state)
    }
    let deletedFiles = 0
    if (this.#when === 'now') {
      const { deleted, uses } = await unlinkDue(this.#deps, { tableUuid })
      deletedFiles = deleted
      for (const use of uses) {
        await this.#turns.take()
        this.#holders.add(use)
      }
    }
    const scheduledFiles = await catalog.deletions.count(tableUuid)
    const keptFiles = Math.max(0, this.#files.count - deletedFiles - scheduledFiles)
    const holders = this.#holders
      .list()
      .filter((holder) => !isOfLivingTable(holder) || !gone.has(holder.tableUuid))
    return { deletedFiles, scheduledFiles, keptFiles, holders }
  }

  /** UUIDs of the tables that named files when this one was dropped, and are gone now. */
  async #goneHolders(): Promise<ReadonlySet<string>> {
    const tables = this.#holders.list().filter(isOfLivingTable)
    const gone = new Set<string>()
    for (const tableUuid of new Set(tables.map((holder) => holder.tableUuid))) {
      const state = await this.#deps.catalog.tables.find({ tableUuid })
      if (state === undefined) gone.add(tableUuid)
    }
    return gone
  }

  /**
   * Uploads that nothing has placed, of which only tables that live are swept: one that is under
   * way has its day to be refused in, and the rest is what killed processes have left.
   */
  async #addIncoming({ definition: { location, tableUuid } }: TableState): Promise<void> {
    const paths: string[] = []
    for await (const upload of incomingUploads(this.#deps.objects, location)) {
      paths.push(upload.location)
    }
    for (let start = 0; start < paths.length; start += PATHS_AT_ONCE) {
      const page = paths.slice(start, start + PATHS_AT_ONCE)
      await new PendingUploads(this.#deps, tableUuid).add(page)
      await this.#turns.take()
    }
  }

  /** Those that nothing else names, and that may be deleted. */
  async #free(tableUuid: string, paths: readonly string[]): Promise<readonly string[]> {
    const free: string[] = []
    for (let start = 0; start < paths.length; start += PATHS_AT_ONCE) {
      const page = paths.slice(start, start + PATHS_AT_ONCE)
      const use = await findUse(this.#deps, page, tableUuid)
      const deletable = await findDeletable(this.#deps, page)
      // Page by page: a clone may hold all of a hundred thousand files.
      await this.#turns.take()
      this.#holders.add(use)
      for (const path of page) {
        const isFree = !use.isUsed(path) || use.isUsedForNow(path)
        if (isFree && deletable.has(path)) free.push(path)
        else this.#kept.add(path)
      }
    }
    return free
  }

  #deletionsOf(tableUuid: string, paths: readonly string[], mark: string): readonly NewDeletion[] {
    const dueAtMs = this.#dueAtMs
    return paths.map((path) => ({ path, tableUuid, mark, reason: 'purge', dueAtMs }))
  }
}

/** A version comes once, and only one of those who would drop it does. */
function markOfDrop({ definition, version }: TableState): string {
  return `${definition.tableUuid} ${version}`
}
