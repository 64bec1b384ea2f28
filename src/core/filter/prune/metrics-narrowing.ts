import type { FileColumns } from '../../file/file-columns.ts'
import { findNumber, numberAt, type SparseNumbers } from '../../value/row-numbers.ts'
import type { BoundPredicate, ComparingPredicate } from '../bind/bound-filter.ts'
import { boundNarrowing } from './bound-narrowing.ts'
import { matchesNan } from './partition-test.ts'
import { testOfPredicate } from './projection.ts'
import { clearNumbers, clearRow, copyOf, isEverywhere, type RowSelection } from './row-selection.ts'

/** Clears rows that cannot match. Rows that are already cleared may be skipped. */
export type NarrowFiles = (files: FileColumns, rows: RowSelection) => void

/** As `metricsTest`, for many files at once. */
export function metricsNarrowing(predicate: BoundPredicate): NarrowFiles {
  const { fieldId } = predicate.column
  switch (predicate.kind) {
    case 'is-null':
      return (files, rows) => clearNumbers(files.nullCounts(fieldId), rows, isZero)
    case 'is-not-null':
      return (files, rows) => clearAllNull(files, fieldId, rows)
    case 'is-nan':
      return (files, rows) => {
        clearNumbers(files.nanCounts(fieldId), rows, isZero)
        clearAllNull(files, fieldId, rows)
      }
    default:
      return comparingNarrowing(predicate)
  }
}

/** As `metricsTest`, for many files as if they were one. */
export function metricsTestOfAll(predicate: BoundPredicate): (files: FileColumns) => boolean {
  const { fieldId, type } = predicate.column
  switch (predicate.kind) {
    case 'is-null':
      return (files) => !isEverywhere(files.nullCounts(fieldId), 0)
    case 'is-nan':
      return (files) => !isEverywhere(files.nanCounts(fieldId), 0)
    case 'range':
    case 'in':
    case 'starts-with': {
      const { extent } = testOfPredicate(predicate)
      const isNanOut = !matchesNan(predicate)
      return (files) =>
        !(isNanOut || isEverywhere(files.nanCounts(fieldId), 0)) ||
        extent(
          files.lowerBounds(fieldId)?.edge(type, -1),
          files.upperBounds(fieldId)?.edge(type, 1),
        )
    }
    default:
      return () => true
  }
}

function comparingNarrowing(predicate: ComparingPredicate): NarrowFiles {
  const { fieldId, type } = predicate.column
  const narrowBounds = boundNarrowing(predicate)
  const narrow: NarrowFiles = (files, rows) =>
    narrowBounds({ lower: files.lowerBounds(fieldId), upper: files.upperBounds(fieldId) }, rows)
  const isFloat = type.kind === 'float' || type.kind === 'double'
  if (isFloat && matchesNan(predicate)) {
    return (files, rows) => {
      clearAllNull(files, fieldId, rows)
      const extent = copyOf(rows)
      narrow(files, extent)
      clearNumbers(files.nanCounts(fieldId), rows, (nans, row) => {
        return nans === 0 && extent.marks[row - rows.start] === 0
      })
    }
  }
  const clearWithoutValue = isFloat ? clearAllNullOrNan : clearAllNull
  return (files, rows) => {
    narrow(files, rows)
    clearWithoutValue(files, fieldId, rows)
  }
}

function isZero(count: number): boolean {
  return count === 0
}

// Writers that do not know the column count no values, which proves nothing.
function clearAllNull(files: FileColumns, fieldId: number, rows: RowSelection): void {
  const nulls = files.nullCounts(fieldId)
  if (typeof nulls?.values === 'number' && nulls.values <= 0) return
  const valueCount = valueCounter(files, fieldId)
  clearNumbers(nulls, rows, (count, row) => count > 0 && count >= valueCount(row))
}

function clearAllNullOrNan(files: FileColumns, fieldId: number, rows: RowSelection): void {
  const [nulls, nans] = [files.nullCounts(fieldId), files.nanCounts(fieldId)]
  if (isNeverPositive(nulls) && isNeverPositive(nans)) return
  const valueCount = valueCounter(files, fieldId)
  const { start, marks } = rows
  for (let row = start; row < start + marks.length; row++) {
    const without = (findNumber(nulls, row) ?? 0) + (findNumber(nans, row) ?? 0)
    if (without > 0 && without >= valueCount(row)) clearRow(rows, row)
  }
}

function isNeverPositive(column: SparseNumbers | undefined): boolean {
  return column === undefined || (typeof column.values === 'number' && column.values <= 0)
}

/** Number of values in a row. A column outside lists and maps has one for each record. */
function valueCounter(files: FileColumns, fieldId: number): (row: number) => number {
  const counts = files.valueCounts(fieldId)
  return (row) => findNumber(counts, row) ?? unlessNegative(numberAt(files.recordCounts, row))
}

function unlessNegative(count: number): number {
  return count < 0 ? Number.POSITIVE_INFINITY : count
}
