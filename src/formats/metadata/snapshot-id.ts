import { createHash } from 'node:crypto'
import type { DataFile } from '../../core/file/data-file.ts'
import type { Operation } from '../../core/table/snapshot.ts'
import { sortInTurns, Turns } from '../../core/turns.ts'
import { compareCodePoints } from '../../core/value/value.ts'

export type FileIdentity = Pick<DataFile, 'path' | 'recordCount' | 'fileSizeBytes'>

export interface SnapshotContent {
  /** Ids of two tables differ: of a table that was dropped, and of its successor of that name. */
  readonly tableUuid: string
  readonly parentSnapshotId: bigint | null
  readonly schemaId: number
  readonly operation: Operation
  /** In any order. */
  readonly added: readonly FileIdentity[]
  readonly removed: readonly FileIdentity[]
  /** Starts at 0 and increases with each collision within the table. */
  readonly counter: number
}

/** More than most commits have, and about a millisecond's work. */
const FILES_PER_TURN = 256

/** Ids have 53 bits, which survive JSON in every language. */
const UNUSED_BITS = 64n - 53n

/**
 * The id of a snapshot that makes this change to its parent: the first 53 bits of a SHA-256, never
 * 0. The parent's id stands for everything that the table contained before.
 */
export async function snapshotIdOf(content: SnapshotContent): Promise<bigint> {
  const { tableUuid, parentSnapshotId, schemaId, operation, added, removed, counter } = content
  const hash = createHash('sha256')
  // Every part and every list is preceded by its length, so that no two contents give the same
  // bytes.
  const feed = (...parts: readonly (string | number | bigint)[]) => {
    hash.update(parts.map(withLength).join(''))
  }
  const parent = parentSnapshotId ?? 'none'
  feed('moraine-snapshot-2', tableUuid, parent, schemaId, operation, counter)
  const turns = new Turns()
  for (const files of [added, removed]) {
    feed(files.length)
    const sorted = await sortInTurns(files, compareIdentities, turns)
    for (const [i, { path, recordCount, fileSizeBytes }] of sorted.entries()) {
      if (i % FILES_PER_TURN === FILES_PER_TURN - 1) await turns.take()
      feed(path, fileSizeBytes, recordCount)
    }
  }
  const id = hash.digest().readBigUInt64BE() >> UNUSED_BITS
  return id === 0n ? 1n : id
}

function withLength(part: string | number | bigint): string {
  const text = String(part)
  return `${Buffer.byteLength(text)}:${text}`
}

function compareIdentities(left: FileIdentity, right: FileIdentity): number {
  return (
    compareCodePoints(left.path, right.path) ||
    left.fileSizeBytes - right.fileSizeBytes ||
    left.recordCount - right.recordCount
  )
}
