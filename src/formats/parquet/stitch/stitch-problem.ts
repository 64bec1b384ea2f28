import { isTurnDue, sortSteps } from '../../../core/turns.ts'
import type { ColumnChunk, ParquetFooter } from '../footer/footer-model.ts'
import { shownPath } from '../footer/shown-path.ts'
import { hasReusedBounds } from '../footer/writer.ts'
import { findField } from '../thrift/thrift.ts'
import { isOverlongSteps } from './overlong-footer.ts'

/**
 * The reason why the row groups of a file cannot be copied unchanged, so that it must be rewritten;
 * `undefined` if they can. Files that readParquetFooter refuses (encryption, columns in other
 * files) never get here. In steps, with pauses for others.
 */
export function* stitchProblemSteps(footer: ParquetFooter): Generator<void, string | undefined> {
  if (findField(footer.thrift, 9) !== undefined) return 'its footer is signed'
  if (yield* isOverlongSteps(footer)) return 'its footer has more than writers give'
  if (hasReusedBounds(footer.createdBy)) {
    return `readers must know that ${footer.createdBy} wrote it`
  }
  const pages: Pages[] = []
  for (const { rowCount, columns } of footer.rowGroups) {
    if (rowCount === 0) continue
    for (const column of columns) {
      if (!arePagesInPlace(column)) {
        return `the pages of column ${shownPath(column.path)} are not in one place`
      }
      if (isTurnDue(pages.push(pagesOf(column)))) yield
    }
  }
  return (yield* doOverlapSteps(pages)) ? 'pages of its columns overlap' : undefined
}

function* doOverlapSteps(pages: readonly Pages[]): Generator<void, boolean> {
  const sorted = yield* sortSteps(pages, (a, b) => a.offset - b.offset)
  return sorted.some(({ end }, i) => end > (sorted[i + 1]?.offset ?? end))
}

function arePagesInPlace(column: ColumnChunk): boolean {
  const { offset, end } = pagesOf(column)
  const { dataPageOffset, dictionaryPageOffset = 0 } = column
  return (
    offset < end &&
    dataPageOffset < end &&
    (dictionaryPageOffset === 0 || dictionaryPageOffset < end)
  )
}

export interface Pages {
  readonly offset: number
  readonly end: number
}

/** Where the pages of a column chunk are in the file. */
export function pagesOf(column: ColumnChunk): Pages {
  const { dataPageOffset, dictionaryPageOffset = 0, compressedBytes } = column
  const offset =
    dictionaryPageOffset === 0 ? dataPageOffset : Math.min(dictionaryPageOffset, dataPageOffset)
  return { offset, end: offset + compressedBytes }
}
