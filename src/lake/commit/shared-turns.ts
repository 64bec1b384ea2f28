import type { Stores } from '../../catalog/catalog.ts'
import type { HeldTurn } from '../../catalog/turn-store.ts'

/** How long a lost race, or a turn that was waited for, tells of others at the table. */
const CONTENDED_MS = 2_000
/**
 * Longest wait for a turn. Whoever has it so long is stopped, or out of reach: the table is free to
 * whoever comes first then.
 */
const WAIT_MS_MAX = 5_000
/** How long nobody waits for turns at a table after one was not had in time. */
const UNQUEUED_MS = 10_000
/** A change of more tables takes its chances. */
const TABLES_MAX = 16
/** How often a process looks whether others take turns at a table that it keeps busy. */
const LOOK_MS = 100
const BUSY_MS = 1_000
const REMEMBERED_MAX = 10_000

/**
 * Changes of this process among those of all processes on one database, in turns. A table that only
 * one process changes costs nothing: turns begin with a lost race, and end a while after the last.
 * Nothing relies on them, since the catalog compares versions: they make races rare, and fair.
 */
export class SharedTurns {
  readonly #catalog: Stores<'turns'>['catalog']
  /** Until when turns are taken at a table, or are not; on the monotonic clock. */
  readonly #contendedUntilMs = new Map<string, number>()
  readonly #unqueuedUntilMs = new Map<string, number>()
  readonly #busyUntilMs = new Map<string, number>()
  readonly #lookedUntilMs = new Map<string, number>()

  constructor(catalog: Stores<'turns'>['catalog']) {
    this.#catalog = catalog
  }

  /** For a change of these tables which has its turn among those of this process. */
  at(tableUuids: readonly string[]): SharedTurn {
    return new SharedTurn(this, tableUuids)
  }

  contend(tableUuids: readonly string[]): void {
    mark(this.#contendedUntilMs, tableUuids, CONTENDED_MS)
  }

  isContended(tableUuid: string): boolean {
    return isMarked(this.#contendedUntilMs, tableUuid)
  }

  /**
   * Learns, for the next change, whether others wait for a turn: without a race of its own lost,
   * a process close to the store would leave none to one far away.
   */
  lookAround(tableUuids: readonly string[]): void {
    for (const tableUuid of tableUuids) {
      const isBusy = isMarked(this.#busyUntilMs, tableUuid)
      if (isBusy && isMarked(this.#lookedUntilMs, tableUuid)) continue
      mark(this.#busyUntilMs, [tableUuid], BUSY_MS)
      mark(this.#lookedUntilMs, [tableUuid], LOOK_MS)
      if (!isBusy) continue
      void this.#catalog.turns.isTaken(nameOf(tableUuid)).then((isTaken) => {
        if (isTaken) this.contend([tableUuid])
      })
    }
  }

  /** Those of the tables for which it is worth waiting; `undefined` when it was not had. */
  async take(tableUuids: readonly string[]): Promise<HeldTurn | undefined> {
    const queued = tableUuids.filter((uuid) => !isMarked(this.#unqueuedUntilMs, uuid))
    if (queued.length === 0 || queued.length > TABLES_MAX) return undefined
    const names = queued.map(nameOf)
    const held = await this.#catalog.turns.take({ names, waitMsMax: WAIT_MS_MAX })
    if (held === undefined) mark(this.#unqueuedUntilMs, queued, UNQUEUED_MS)
    else if (held.hasWaited) this.contend(queued)
    return held
  }
}

/** The turn of one change, if it takes one. */
export class SharedTurn {
  readonly #turns: SharedTurns
  readonly #tableUuids: readonly string[]
  #held: HeldTurn | undefined

  constructor(turns: SharedTurns, tableUuids: readonly string[]) {
    this.#turns = turns
    this.#tableUuids = tableUuids
  }

  get isHeld(): boolean {
    return this.#held !== undefined
  }

  /** Waits for the turn at the tables where others were met lately. */
  async begin(): Promise<void> {
    const contended = this.#tableUuids.filter((uuid) => this.#turns.isContended(uuid))
    if (contended.length > 0) this.#held = await this.#turns.take(contended)
    else this.#turns.lookAround(this.#tableUuids)
  }

  /** Waits for the turn that keeps others from coming first again; returns whether it is held. */
  async afterLostRace(): Promise<boolean> {
    this.#turns.contend(this.#tableUuids)
    this.#held ??= await this.#turns.take(this.#tableUuids)
    return this.isHeld
  }

  async end(): Promise<void> {
    const held = this.#held
    this.#held = undefined
    await held?.end()
  }
}

function nameOf(tableUuid: string): string {
  return `commit ${tableUuid}`
}

function mark(untilMs: Map<string, number>, tableUuids: readonly string[], forMs: number): void {
  const until = performance.now() + forMs
  for (const tableUuid of tableUuids) {
    untilMs.delete(tableUuid)
    untilMs.set(tableUuid, until)
  }
  for (const oldest of untilMs.keys()) {
    if (untilMs.size <= REMEMBERED_MAX) return
    untilMs.delete(oldest)
  }
}

function isMarked(untilMs: ReadonlyMap<string, number>, tableUuid: string): boolean {
  return (untilMs.get(tableUuid) ?? 0) > performance.now()
}
