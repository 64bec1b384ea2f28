import type { Snapshot } from '../table/snapshot.ts'

/** The snapshots of a table, as far as a commit mentions them, while they are changed. */
export class SnapshotDraft {
  readonly #findExisting: (snapshotId: bigint) => Snapshot | undefined
  readonly #added = new Map<bigint, Snapshot>()
  /** Of what the table had, and of what the same commit had added. */
  readonly #removed = new Map<bigint, 'existing' | 'added'>()

  constructor(findExisting: (snapshotId: bigint) => Snapshot | undefined) {
    this.#findExisting = findExisting
  }

  find(snapshotId: bigint): Snapshot | undefined {
    if (this.#removed.has(snapshotId)) return undefined
    return this.#added.get(snapshotId) ?? this.#findExisting(snapshotId)
  }

  /** An id that the same commit removed stays taken: a catalog could not tell the two apart. */
  isTaken(snapshotId: bigint): boolean {
    return this.#removed.has(snapshotId) || this.find(snapshotId) !== undefined
  }

  isRemoved(snapshotId: bigint): boolean {
    return this.#removed.has(snapshotId)
  }

  add(snapshot: Snapshot): void {
    this.#added.set(snapshot.snapshotId, snapshot)
  }

  /** Nothing happens when there is no such snapshot. */
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
