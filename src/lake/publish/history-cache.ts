import type { Catalog } from '../../catalog/catalog.ts'
import type { TableCommit } from '../../catalog/table-store.ts'
import type { TableState } from '../../core/table/table.ts'
import type { HistoryText } from './metadata-pieces.ts'
import { readHistory, type TableHistory } from './table-history.ts'

/** A history that is being read, and the commits that came in between. */
interface Reading {
  readonly tableUuid: string
  readonly missed: TableCommit[]
}

/**
 * Histories of the tables that were published lately, within a bound of bytes; least recently used
 * first out.
 */
export class HistoryCache {
  readonly #catalog: Pick<Catalog, 'snapshots'>
  readonly #bytesMax: number
  readonly #byTable = new Map<string, TableHistory>()
  readonly #readings = new Set<Reading>()
  #bytes = 0

  constructor(catalog: Pick<Catalog, 'snapshots'>, bytesMax: number) {
    this.#catalog = catalog
    this.#bytesMax = bytesMax
  }

  /** To be told of every commit of this process; those of others are found out. */
  committed(commit: TableCommit): void {
    const { tableUuid } = commit.state.definition
    for (const reading of this.#readings) {
      if (reading.tableUuid === tableUuid) reading.missed.push(commit)
    }
    const history = this.#byTable.get(tableUuid)
    if (history === undefined) return
    this.#forget(tableUuid)
    if (history.follow(commit)) this.#remember(tableUuid, history)
  }

  /** Gives the room of a table that is gone to others. */
  evict(tableUuid: string): void {
    this.#forget(tableUuid)
  }

  /** Whether any state of the table is cached. */
  has(tableUuid: string): boolean {
    return this.#byTable.has(tableUuid)
  }

  /** The cached history of exactly this state, if any. */
  find(state: TableState): HistoryText | undefined {
    const history = this.#byTable.get(state.definition.tableUuid)
    return history?.isOf(state) === true ? history.text : undefined
  }

  /** Whether the cached history is of an earlier version. */
  isBehind(state: TableState): boolean {
    const history = this.#byTable.get(state.definition.tableUuid)
    return history !== undefined && history.version < state.version
  }

  /** `undefined` when a later commit has removed what this version needs. */
  async read(state: TableState): Promise<HistoryText | undefined> {
    const { tableUuid } = state.definition
    const reading = { tableUuid, missed: [] }
    this.#readings.add(reading)
    try {
      const history = await readHistory(this.#catalog, state)
      const text = history?.text
      if (history !== undefined) this.#keep(history, state, reading)
      return text
    } finally {
      this.#readings.delete(reading)
    }
  }

  #keep(history: TableHistory, state: TableState, { tableUuid, missed }: Reading): void {
    // Without sequence numbers nothing tells what came while the pages were read.
    if (state.lastSequenceNumber === 0n) return
    for (const commit of missed) {
      const isKnown = commit.state.version <= state.version
      if (isKnown) continue
      // What the pages did not tell apart is in the history already, and would be there twice.
      if (!isToldApart(commit, state) || !history.follow(commit)) return
    }
    const known = this.#byTable.get(tableUuid)
    if (known !== undefined && known.version > history.version) return
    this.#forget(tableUuid)
    this.#remember(tableUuid, history)
  }

  #remember(tableUuid: string, history: TableHistory): void {
    if (history.bytes > this.#bytesMax / 2) return
    this.#byTable.set(tableUuid, history)
    this.#bytes += history.bytes
    for (const oldest of this.#byTable.keys()) {
      if (this.#bytes <= this.#bytesMax) return
      this.#forget(oldest)
    }
  }

  /** Before it grows: its bytes are those that were counted. */
  #forget(tableUuid: string): void {
    this.#bytes -= this.#byTable.get(tableUuid)?.bytes ?? 0
    this.#byTable.delete(tableUuid)
  }
}

/** Whether `readHistory` leaves out what a later commit added: one without a parent may be old. */
function isToldApart(
  { newSnapshots, newLogEntries }: TableCommit,
  { lastSequenceNumber, lastUpdatedMs }: TableState,
): boolean {
  return (
    newSnapshots.every(({ sequenceNumber }) => sequenceNumber > lastSequenceNumber) &&
    newLogEntries.every(({ timestampMs }) => timestampMs > lastUpdatedMs)
  )
}
