import { isTurnDue, sortSteps } from '../../../core/turns.ts'
import type { ColumnChunk, ParquetFooter } from '../footer/footer-model.ts'
import { shownPath } from '../footer/shown-path.ts'
import { findField } from '../thrift/thrift.ts'

/**
 * The reason why the row groups of a file cannot be copied unchanged, so that it must be rewritten;
 * `undefined` if they can. Files that readParquetFooter refuses (encryption, columns in other
 * files) never get here. In steps, with pauses for others.
 */
export function* stitchProblemSteps(footer: ParquetFooter): Generator<void, string | undefined> {
  if (findField(footer.thrift, 9) !== undefined) return 'its footer is signed'
  if (isWriterBefore(footer.createdBy, 'parquet-mr', [1, 8])) {
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

/**
 * Whether bounds of binary columns in the old fields are wrong. Readers check the writer's name,
 * which a stitched file no longer has (PARQUET-251, and Arrow's
 * ApplicationVersion::HasCorrectStatistics).
 */
export function areOldBinaryBoundsWrong({ createdBy }: ParquetFooter): boolean {
  return (
    createdBy === undefined ||
    isWriterBefore(createdBy, 'parquet-mr', [1, 10]) ||
    isWriterBefore(createdBy, 'parquet-cpp', [1, 3])
  )
}

/** Parquet-MR's "parquet-mr version 1.8.1 (build ...)". An unreadable version counts as old. */
function isWriterBefore(
  createdBy: string | undefined,
  application: string,
  [major, minor]: readonly [number, number],
): boolean {
  const [name, version = ''] = createdBy?.split(' version ') ?? []
  if (name !== application) return false
  const [, writerMajor = 0, writerMinor = 0] = /^\s*(\d+)\.(\d+)/.exec(version)?.map(Number) ?? []
  return writerMajor < major || (writerMajor === major && writerMinor < minor)
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
