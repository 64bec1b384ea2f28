import type { PlannedFile } from './plan-files.ts'

type Ordered = Pick<PlannedFile, 'sequenceNumber' | 'dataFile'>

/**
 * The order of a table's rows: by sequence number, then path. So a table that only grows begins
 * with the rows that it had before.
 */
export function byCommitOrder(left: Ordered, right: Ordered): number {
  if (left.sequenceNumber !== right.sequenceNumber) {
    return left.sequenceNumber < right.sequenceNumber ? -1 : 1
  }
  const [leftPath, rightPath] = [left.dataFile.path, right.dataFile.path]
  if (leftPath === rightPath) return 0
  return leftPath < rightPath ? -1 : 1
}
