import type { FileStatistics } from '../../file/file-statistics.ts'
import type { BoundPredicate, ComparingPredicate } from '../bind/bound-filter.ts'
import { matchesNan } from './partition-test.ts'
import { testOfPredicate } from './projection.ts'

/** Whether the metrics of one column of a file leave room for a matching row. */
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

// A count of no values at all comes from writers that did not know the column: it proves nothing.
function isAllNull(file: FileStatistics, fieldId: number): boolean {
  const nulls = file.nullCount(fieldId)
  if (nulls === undefined || nulls <= 0) return false
  return nulls >= valueCount(file, fieldId)
}

function isAllNullOrNan(file: FileStatistics, fieldId: number): boolean {
  const withoutNumber = (file.nullCount(fieldId) ?? 0) + (file.nanCount(fieldId) ?? 0)
  return withoutNumber > 0 && withoutNumber >= valueCount(file, fieldId)
}

/** Of a column that is not inside a list or map, each record has one value. */
function valueCount(file: FileStatistics, fieldId: number): number {
  return file.valueCount(fieldId) ?? unlessNegative(file.recordCount)
}

function unlessNegative(count: number): number {
  return count < 0 ? Number.POSITIVE_INFINITY : count
}
