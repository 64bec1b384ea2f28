import { sortInTurns, Turns } from '../../core/turns.ts'
import { byPlace } from './ordered-files.ts'
import type { PlannedFile } from './plan-files.ts'

type Ordered = Pick<PlannedFile, 'sequenceNumber' | 'dataFile'>

/** Planned files after which others have a turn: a fraction of a millisecond's work. */
export const FILES_PER_TURN = 32

/**
 * Files in the order of their table's rows: by sequence number, then path. So a table that only
 * grows begins with the rows that it had before. Others have their turns in between.
 */
export async function toCommitOrder<File extends Ordered>(
  files: Iterable<File>,
  signal?: AbortSignal,
): Promise<readonly File[]> {
  const turns = new Turns(signal)
  const all: File[] = []
  for (const file of files) {
    if (all.push(file) % FILES_PER_TURN === 0) await turns.take()
  }
  return await sortInTurns(all, byCommitOrder, turns)
}

export function byCommitOrder(left: Ordered, right: Ordered): number {
  return byPlace(placeOf(left), placeOf(right))
}

function placeOf({ sequenceNumber, dataFile }: Ordered) {
  return { sequenceNumber, path: dataFile.path }
}
