import type { Snapshot } from '../table/snapshot.ts'

/** Those snapshots of a table that a commit mentions, while it changes them. */
export class SnapshotDraft {
  readonly #findExisting: (snapshotId: bigint) => Snapshot | undefined
  readonly #added = new Map<bigint, Snapshot>()
  /** Removed snapshots, which the table had or the same commit had added. */
  readonly #removed = new Map<bigint, 'existing' | 'added'>()

  constructor(findExisting: (snapshotId: bigint) => Snapshot | undefined) {
    this.#findExisting = findExisting
  }

  find(snapshotId: bigint): Snapshot | undefined {
    if (this.#removed.has(snapshotId)) return undefined
    return this.#added.get(snapshotId) ?? this.#findExisting(snapshotId)
  }

  /**
   * Whether the id is in use. An id removed by the same commit still is: a catalog could not tell
   * the two snapshots apart.
   */
  isTaken(snapshotId: bigint): boolean {
    return this.#removed.has(snapshotId) || this.find(snapshotId) !== undefined
  }

  /** Whether the commit brings it. */
  isAdded(snapshotId: bigint): boolean {
    return this.#added.has(snapshotId)
  }

  isRemoved(snapshotId: bigint): boolean {
    return this.#removed.has(snapshotId)
  }

  add(snapshot: Snapshot): void {
    this.#added.set(snapshot.snapshotId, snapshot)
  }

  /** Removes a snapshot if it exists. */
  remove(snapshotId: bigint): void {
    if (this.#added.delete(snapshotId)) this.#removed.set(snapshotId, 'added')
    else if (this.find(snapshotId) !== undefined) this.#removed.set(snapshotId, 'existing')
  }

  get hasRemoved(): boolean {
    return this.#removed.size > 0
  }

  get added(): readonly Snapshot[] {
    return [...this.#added.values()]
  }

  get removedIds(): readonly bigint[] {
    return [...this.#removed].filter(([, kind]) => kind === 'existing').map(([id]) => id)
  }
}
