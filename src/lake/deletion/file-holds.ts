import type { Stores } from '../../catalog/catalog.ts'
import type { FileHold } from '../../catalog/hold/hold-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import { CatalogError } from '../../core/errors.ts'
import { LEASE_MS } from '../../core/limits.ts'
import type { Log } from '../../core/log.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { TableState } from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import { tableNotFound } from '../table/table-lookup.ts'

export interface HoldDependencies extends Stores<'holds' | 'snapshots' | 'tables'> {
  readonly ambient: Pick<Ambient, 'newUuid' | 'nowMs'>
  readonly log: Log
}

/** What reads. */
export interface Reader {
  readonly kind: 'dataset' | 'dump' | 'export' | 'query' | 'rewrite'
  /** Which one; the table's name when absent. */
  readonly name?: string
}

/** What is read. A table without a snapshot has no files. */
export interface ReadSnapshot {
  readonly state: TableState
  readonly snapshot: Snapshot | undefined
}

/** Proof that files stay while they are read: whoever reads rows is asked for it. */
export class HeldFiles {
  readonly #release: () => Promise<void>

  constructor(release: () => Promise<void>) {
    this.#release = release
  }

  /** Never throws; the second time it does nothing. */
  release(): Promise<void> {
    return this.#release()
  }
}

interface Active {
  readonly hold: FileHold
  readonly ready: Promise<void>
  readers: number
}

const RENEWAL_MS = LEASE_MS / 4
const BEGINNINGS_MAX = 3

/**
 * The snapshots that this process reads. Until a reader ends, no purge deletes the files of its
 * snapshot, in any process; what a killed process was reading is held for `LEASE_MS`. Readers of
 * one kind and name share a hold.
 */
export class FileHolds {
  readonly #deps: HoldDependencies
  readonly #active = new Map<string, Active>()
  #renewal: NodeJS.Timeout | undefined

  constructor(deps: HoldDependencies) {
    this.#deps = deps
  }

  /** Holds the files until the work ends. Throws as `hold`. */
  async during<T>(
    reader: Reader,
    reads: readonly ReadSnapshot[],
    work: (held: HeldFiles) => Promise<T>,
  ): Promise<T> {
    const held = await this.hold(reader, reads)
    try {
      return await work(held)
    } finally {
      await held.release()
    }
  }

  /**
   * The caller releases it. Throws `table-not-found` or `snapshot-not-found` for one that is gone:
   * its files may be, too.
   */
  async hold(reader: Reader, reads: readonly ReadSnapshot[]): Promise<HeldFiles> {
    const entered = reads.flatMap(({ state, snapshot }) =>
      snapshot === undefined ? [] : [this.#enter(reader, state, snapshot)],
    )
    const held = new HeldFiles(async () => {
      await this.#leave(entered.splice(0))
    })
    try {
      for (const { ready } of [...entered]) await ready
      return held
    } catch (error) {
      await held.release()
      throw error
    }
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    clearInterval(this.#renewal)
    const ids = [...this.#active.values()].map(({ hold }) => hold.holdId)
    this.#active.clear()
    await this.#end(ids)
  }

  #enter(reader: Reader, state: TableState, { snapshotId, manifestList }: Snapshot): Active {
    const { kind, name = formatTableName(state.namespace, state.name) } = reader
    const { tableUuid } = state.definition
    // An id that was removed may be given again, to other files.
    const key = JSON.stringify([kind, name, tableUuid, String(snapshotId), manifestList])
    const known = this.#active.get(key)
    if (known !== undefined) {
      known.readers++
      return known
    }
    const holdId = this.#deps.ambient.newUuid()
    const hold = { holdId, tableUuid, snapshotId, manifestList, kind, name }
    const active = { hold, ready: this.#begin(hold), readers: 1 }
    // Each reader waits for it; one of several may have left.
    active.ready.catch(() => undefined)
    this.#active.set(key, active)
    this.#renewal ??= setInterval(() => void this.#renew(), RENEWAL_MS).unref()
    return active
  }

  /** Held first, looked at afterwards: who deletes looks in the other order (unlinker.ts). */
  async #begin(hold: FileHold): Promise<void> {
    const { catalog, ambient } = this.#deps
    for (let times = 0; times < BEGINNINGS_MAX; times++) {
      const begunAtMs = ambient.nowMs()
      await this.#keep([hold])
      // What the database took long to write may have ended by the time it is there.
      if (ambient.nowMs() - begunAtMs < LEASE_MS / 2) break
    }
    const { tableUuid, snapshotId } = hold
    const state = await catalog.tables.find({ tableUuid })
    if (state === undefined) throw tableNotFound({ tableUuid })
    if (state.currentSnapshot?.snapshotId === snapshotId) return
    if ((await catalog.snapshots.find(tableUuid, snapshotId)) !== undefined) return
    const snapshot = String(snapshotId)
    throw new CatalogError('snapshot-not-found', `snapshot ${snapshot} was removed just now`, {
      facts: { table: tableUuid, snapshot },
    })
  }

  async #leave(entered: readonly Active[]): Promise<void> {
    const ended = entered.filter((active) => --active.readers === 0)
    for (const [key, active] of this.#active) if (ended.includes(active)) this.#active.delete(key)
    if (this.#active.size === 0) {
      clearInterval(this.#renewal)
      this.#renewal = undefined
    }
    await this.#end(ended.map(({ hold }) => hold.holdId))
  }

  async #renew(): Promise<void> {
    const holds = [...this.#active.values()].map(({ hold }) => hold)
    await this.#keep(holds)
    // Those that ended in between are there again.
    const left = new Set([...this.#active.values()].map(({ hold }) => hold.holdId))
    await this.#end(holds.flatMap(({ holdId }) => (left.has(holdId) ? [] : [holdId])))
  }

  /** Where the database takes no writes, nobody deletes, and reading goes on. */
  async #keep(holds: readonly FileHold[]): Promise<void> {
    const { catalog, ambient, log } = this.#deps
    try {
      await catalog.holds.keep(holds, ambient.nowMs() + LEASE_MS)
    } catch (err) {
      log.warn({ err }, 'files that are read could not be held: a purge may delete them')
    }
  }

  async #end(holdIds: readonly string[]): Promise<void> {
    if (holdIds.length === 0) return
    // They end by themselves when they are not renewed.
    await this.#deps.catalog.holds.end(holdIds).catch(() => undefined)
  }
}
