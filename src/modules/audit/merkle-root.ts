import { createHash } from 'node:crypto'

const LEAF = new Uint8Array([0])
const NODE = new Uint8Array([1])

/**
 * The root of the tree that RFC 6962 makes of entries, in hexadecimal. Of three: the node of the
 * node of the first two, and the third.
 */
export function merkleRoot(entries: readonly string[]): string {
  let level: readonly Buffer[] = entries.map(leafOf)
  while (level.length > 1) level = parentsOf(level)
  return (level[0] ?? createHash('sha256').digest()).toString('hex')
}

function leafOf(entry: string): Buffer {
  return createHash('sha256').update(LEAF).update(entry).digest()
}

/** One without a neighbour goes up as it is. */
function parentsOf(level: readonly Buffer[]): Buffer[] {
  const parents: Buffer[] = []
  for (let i = 0; i < level.length; i += 2) {
    const [left, right] = level.slice(i, i + 2)
    if (left === undefined) break
    const isAlone = right === undefined
    parents.push(
      isAlone ? left : createHash('sha256').update(NODE).update(left).update(right).digest(),
    )
  }
  return parents
}
