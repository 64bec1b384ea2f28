import type { Pruner } from '../../core/filter/prune/pruner.ts'
import { clearRow, type RowSelection, selectAll } from '../../core/filter/prune/row-selection.ts'
import type { Turns } from '../../core/turns.ts'
import type { DecodedManifest } from '../../formats/manifest/manifest-reader.ts'

/** Entries that are judged at once: a manifest of ours holds 10,000. */
const ROWS_AT_ONCE = 10_000
const NO_ROWS = new Uint32Array(0)

/** The entries from `start` up to `end` that are in the scan and may match, in ascending order. */
export async function matchingRows(
  manifest: DecodedManifest,
  {
    pruner,
    start = 0,
    end = manifest.entryCount,
    isInScan = (row) => manifest.isLive(row),
    turns,
  }: {
    /** `undefined` keeps all. */
    readonly pruner: Pruner | undefined
    readonly start?: number
    readonly end?: number
    readonly isInScan?: (row: number) => boolean
    readonly turns: Turns
  },
): Promise<Uint32Array> {
  if (pruner?.someMayMatch(manifest.files) === false) return NO_ROWS
  const parts: Uint32Array[] = []
  for (let first = start; first < end; first += ROWS_AT_ONCE) {
    const turn = turns.take()
    if (turn !== undefined) await turn
    const rows = selectAll(first, Math.min(end, first + ROWS_AT_ONCE))
    pruner?.narrow(manifest.files, rows)
    parts.push(markedRows(rows, isInScan))
  }
  return parts.length === 1 ? (parts[0] as Uint32Array) : joined(parts)
}

function markedRows(rows: RowSelection, isInScan: (row: number) => boolean): Uint32Array {
  const { start, marks } = rows
  let count = 0
  for (let i = 0; i < marks.length; i++) {
    if (marks[i] === 0) continue
    if (isInScan(start + i)) count++
    else clearRow(rows, start + i)
  }
  const marked = new Uint32Array(count)
  let next = 0
  for (let i = 0; next < count; i++) if (marks[i] === 1) marked[next++] = start + i
  return marked
}

function joined(parts: readonly Uint32Array[]): Uint32Array {
  const whole = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
