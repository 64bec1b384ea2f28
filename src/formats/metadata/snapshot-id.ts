import { createHash } from 'node:crypto'
import type { DataFile } from '../../core/file/data-file.ts'
import type { Operation } from '../../core/table/snapshot.ts'
import { compareCodePoints } from '../../core/value/value.ts'

export type FileIdentity = Pick<DataFile, 'path' | 'recordCount' | 'fileSizeBytes'>

export interface SnapshotContent {
  readonly parentSnapshotId: bigint | null
  readonly schemaId: number
  readonly operation: Operation
  /** In any order. */
  readonly added: readonly FileIdentity[]
  readonly removed: readonly FileIdentity[]
  /** Starts at 0 and increases with each collision within the table. */
  readonly counter: number
}

/** Ids have 53 bits, which survive JSON in every language. */
const UNUSED_BITS = 64n - 53n

/**
 * The id of a snapshot that makes this change to its parent: the first 53 bits of a SHA-256, never
 * 0. The parent's id stands for everything that the table contained before.
 */
export function snapshotIdOf(content: SnapshotContent): bigint {
  const { parentSnapshotId, schemaId, operation, added, removed, counter } = content
  const hash = createHash('sha256')
  // Every part and every list is preceded by its length, so that no two contents give the same
  // bytes.
  const feed = (part: string | number | bigint) => {
    const bytes = Buffer.from(String(part))
    hash.update(`${bytes.length}:`).update(bytes)
  }
  feed('moraine-snapshot-1')
  feed(parentSnapshotId ?? 'none')
  feed(schemaId)
  feed(operation)
  feed(counter)
  for (const files of [added, removed]) {
    feed(files.length)
    for (const { path, recordCount, fileSizeBytes } of files.toSorted(compareIdentities)) {
      feed(path)
      feed(fileSizeBytes)
      feed(recordCount)
    }
  }
  const id = hash.digest().readBigUInt64BE() >> UNUSED_BITS
  return id === 0n ? 1n : id
}

function compareIdentities(left: FileIdentity, right: FileIdentity): number {
  return (
    compareCodePoints(left.path, right.path) ||
    left.fileSizeBytes - right.fileSizeBytes ||
    left.recordCount - right.recordCount
  )
}
