import type { Catalog } from '../../catalog/catalog.ts'
import type { TableCommit } from '../../catalog/table-store.ts'
import type { Snapshot, SnapshotLogEntry } from '../../core/table/snapshot.ts'
import type { TableState } from '../../core/table/table.ts'
import { logEntryText, snapshotText } from '../../formats/metadata/history-json.ts'
import { writtenFormatVersion } from '../../formats/metadata/table-metadata-json.ts'
import { GrowingText } from './growing-text.ts'
import { type HistoryText, refsOf } from './metadata-pieces.ts'

/**
 * The snapshots and the log of one version of a table, as a metadata file holds them. Each commit
 * adds its own, so that what a long history costs is paid once. The text is exact: a commit that
 * does not follow this version, or forgets snapshots, ends it.
 */
export class TableHistory {
  readonly #formatVersion: number
  readonly #snapshots = new GrowingText()
  readonly #log = new GrowingText()
  #state: TableState

  constructor(state: TableState) {
    this.#state = state
    this.#formatVersion = writtenFormatVersion(state)
  }

  get version(): number {
    return this.#state.version
  }

  get bytes(): number {
    return this.#snapshots.bytes + this.#log.bytes
  }

  get text(): HistoryText {
    return { snapshots: this.#snapshots.pieces(), log: this.#log.pieces() }
  }

  /** The very state: a table of the same id may have been dropped and registered again. */
  isOf(state: TableState): boolean {
    const known = this.#state
    return (
      state.version === known.version &&
      state.createdAtMs === known.createdAtMs &&
      state.lastUpdatedMs === known.lastUpdatedMs &&
      state.lastSequenceNumber === known.lastSequenceNumber &&
      state.currentSnapshot?.snapshotId === known.currentSnapshot?.snapshotId
    )
  }

  /** False when the history of the commit's version is not this one with something added. */
  follow({ expectedVersion, state, ...change }: TableCommit): boolean {
    const isNext =
      expectedVersion === this.#state.version &&
      state.createdAtMs === this.#state.createdAtMs &&
      writtenFormatVersion(state) === this.#formatVersion
    const forgets = (change.removedSnapshotIds ?? []).length > 0
    if (!isNext || forgets) return false
    this.addSnapshots(change.newSnapshots.toSorted(bySequence))
    this.addLogEntries(change.newLogEntries)
    this.#state = state
    return true
  }

  addSnapshots(snapshots: readonly Snapshot[]): void {
    for (const snapshot of snapshots) {
      addItem(this.#snapshots, snapshotText(snapshot, this.#formatVersion))
    }
  }

  addLogEntries(entries: readonly SnapshotLogEntry[]): void {
    for (const entry of entries) addItem(this.#log, logEntryText(entry))
  }
}

function addItem(text: GrowingText, item: string): void {
  text.append(text.bytes === 0 ? item : `,${item}`)
}

function bySequence(left: Snapshot, right: Snapshot): number {
  if (left.sequenceNumber !== right.sequenceNumber) {
    return left.sequenceNumber < right.sequenceNumber ? -1 : 1
  }
  return left.timestampMs - right.timestampMs
}

/**
 * Read whole, in pages. Pages that come later may know later commits: sequence numbers and times
 * tell those apart. `undefined` when a later commit has removed what this version needs: then the
 * table has a newer one to look at.
 */
export async function readHistory(
  catalog: Pick<Catalog, 'snapshots'>,
  state: TableState,
): Promise<TableHistory | undefined> {
  const { tableUuid } = state.definition
  const history = new TableHistory(state)
  const missing = new Set(Object.values(refsOf(state)).map(({ snapshotId }) => snapshotId))
  for await (const page of catalog.snapshots.read(tableUuid)) {
    const ofVersion = page.filter((s) => s.sequenceNumber <= state.lastSequenceNumber)
    for (const { snapshotId } of ofVersion) missing.delete(snapshotId)
    history.addSnapshots(ofVersion)
  }
  if (missing.size > 0) return undefined
  await readLog(catalog, state, history)
  return history
}

export async function readLog(
  catalog: Pick<Catalog, 'snapshots'>,
  { definition, lastUpdatedMs }: TableState,
  history: TableHistory,
): Promise<void> {
  for await (const page of catalog.snapshots.readLog(definition.tableUuid)) {
    history.addLogEntries(page.filter(({ timestampMs }) => timestampMs <= lastUpdatedMs))
  }
}

/** Those of the table that have these ids: for more ids than are worth a question each. */
export async function findAmongAll(
  catalog: Pick<Catalog, 'snapshots'>,
  tableUuid: string,
  ids: ReadonlySet<bigint>,
): Promise<readonly Snapshot[]> {
  const found: Snapshot[] = []
  for await (const page of catalog.snapshots.read(tableUuid)) {
    found.push(...page.filter(({ snapshotId }) => ids.has(snapshotId)))
  }
  return found
}
