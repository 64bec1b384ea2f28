import { isTurnDue, sortSteps } from '../../../core/turns.ts'
import type { ParquetFooter } from '../footer/footer-model.ts'
import { pagesOf } from './stitch-problem.ts'
import type { StitchColumn } from './stitch-schema.ts'

/** Bytes of a part, copied unchanged. */
export interface CopyRange {
  readonly offset: number
  readonly lengthBytes: number
}

interface Span {
  readonly offset: number
  end: number
  readonly isKept: boolean
}
interface PlacedRange extends CopyRange {
  /** Offset in the stitched file. */
  readonly target: number
}

/** Smaller gaps are copied rather than starting a new range. */
const GAP_BYTES_MAX = 64 * 1024

/** The bytes of a part that are copied, and where they go. */
export class CopyLayout {
  /** Ranges in the order of the part. */
  readonly ranges: readonly CopyRange[]
  /** Length of all ranges. */
  readonly lengthBytes: number
  readonly #placed: readonly PlacedRange[]

  /** With pauses for others. */
  static *layoutSteps(
    footer: ParquetFooter,
    columns: readonly StitchColumn[],
    target: number,
  ): Generator<void, CopyLayout> {
    return new CopyLayout(yield* copiedSpansSteps(footer, columns), target)
  }

  private constructor(spans: readonly Span[], target: number) {
    const placed: PlacedRange[] = []
    let next = target
    for (const { offset, end } of spans) {
      placed.push({ offset, lengthBytes: end - offset, target: next })
      next += end - offset
    }
    this.#placed = placed
    this.ranges = placed.map(({ offset, lengthBytes }) => ({ offset, lengthBytes }))
    this.lengthBytes = next - target
  }

  /** Where a byte of the part goes; `undefined` if it is not copied. */
  findTarget(offset: number): number | undefined {
    let low = 0
    let high = this.#placed.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#placed[middle] as PlacedRange).offset <= offset) low = middle + 1
      else high = middle
    }
    const range = this.#placed[low - 1]
    if (range === undefined || offset >= range.offset + range.lengthBytes) return undefined
    return range.target + offset - range.offset
  }
}

/**
 * Pages of the kept columns, and small gaps between them. If a column is left out, only pages of
 * the others: data dropped from a table must not leak in its files.
 */
function* copiedSpansSteps(
  footer: ParquetFooter,
  columns: readonly StitchColumn[],
): Generator<void, readonly Span[]> {
  const kept = new Set(columns.map(({ leafIndex }) => leafIndex))
  const gapBytesMax = kept.size === footer.leaves.length ? GAP_BYTES_MAX : 0
  const spans: Span[] = []
  for (const pages of yield* sortedPagesSteps(footer, kept)) {
    const last = spans.at(-1)
    const isJoined = last?.isKept === pages.isKept && pages.offset - (last?.end ?? 0) <= gapBytesMax
    if (last !== undefined && isJoined) last.end = pages.end
    else spans.push(pages)
  }
  return spans.filter(({ isKept }) => isKept)
}

/** The pages do not overlap: `stitchProblem` has checked. */
function* sortedPagesSteps(
  { rowGroups }: ParquetFooter,
  kept: ReadonlySet<number>,
): Generator<void, readonly Span[]> {
  const pages: Span[] = []
  for (const { rowCount, columns } of rowGroups) {
    if (rowCount === 0) continue
    for (const [i, column] of columns.entries()) {
      const { offset, end } = pagesOf(column)
      if (isTurnDue(pages.push({ offset, end, isKept: kept.has(i) }))) yield
    }
  }
  return yield* sortSteps(pages, (a, b) => a.offset - b.offset)
}
