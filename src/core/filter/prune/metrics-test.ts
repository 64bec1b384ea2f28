import type { FileStatistics } from '../../file/file-statistics.ts'
import type { BoundPredicate, ComparingPredicate } from '../bind/bound-filter.ts'
import { matchesNan } from './partition-test.ts'
import { testOfPredicate } from './projection.ts'

/** Tests whether the metrics of one column of a file allow a matching row. */
export function metricsTest(predicate: BoundPredicate): (file: FileStatistics) => boolean {
  const { fieldId } = predicate.column
  switch (predicate.kind) {
    case 'is-null':
      return (file) => file.nullCount(fieldId) !== 0
    case 'is-not-null':
      return (file) => !isAllNull(file, fieldId)
    case 'is-nan':
      return (file) => file.nanCount(fieldId) !== 0 && !isAllNull(file, fieldId)
    default:
      return comparingTest(predicate)
  }
}

function comparingTest(predicate: ComparingPredicate): (file: FileStatistics) => boolean {
  const { fieldId, type } = predicate.column
  const test = testOfPredicate(predicate)
  const isFloat = type.kind === 'float' || type.kind === 'double'
  if (!isFloat) {
    return (file) =>
      test.extent(file.lowerBound(fieldId), file.upperBound(fieldId)) && !isAllNull(file, fieldId)
  }
  if (matchesNan(predicate)) {
    return (file) =>
      !isAllNull(file, fieldId) &&
      (file.nanCount(fieldId) !== 0 ||
        test.extent(file.lowerBound(fieldId), file.upperBound(fieldId)))
  }
  return (file) =>
    test.extent(file.lowerBound(fieldId), file.upperBound(fieldId)) &&
    !isAllNullOrNan(file, fieldId)
}

// Writers that do not know the column count no values, which proves nothing.
function isAllNull(file: FileStatistics, fieldId: number): boolean {
  const nulls = file.nullCount(fieldId)
  if (nulls === undefined || nulls <= 0) return false
  return nulls >= valueCount(file, fieldId)
}

function isAllNullOrNan(file: FileStatistics, fieldId: number): boolean {
  const withoutNumber = (file.nullCount(fieldId) ?? 0) + (file.nanCount(fieldId) ?? 0)
  return withoutNumber > 0 && withoutNumber >= valueCount(file, fieldId)
}

/** Number of values. A column outside lists and maps has one for each record. */
function valueCount(file: FileStatistics, fieldId: number): number {
  return file.valueCount(fieldId) ?? unlessNegative(file.recordCount)
}

function unlessNegative(count: number): number {
  return count < 0 ? Number.POSITIVE_INFINITY : count
}
