import type { PartitionFieldSummary } from '../../file/data-file.ts'
import type { Transform } from '../../partition/transform.ts'
import type { Value } from '../../value/value.ts'
import type { BoundPredicate, ComparingPredicate } from '../bind/bound-filter.ts'
import { projectPredicate } from './projection.ts'

/** What one field of a partition spec says about one predicate. */
export interface PartitionTest {
  value(value: Value | null): boolean
  summary(summary: PartitionFieldSummary): boolean
}

/** Returns `undefined` if the transform hides what the predicate asks for. */
export function partitionTest(
  predicate: BoundPredicate,
  transform: Transform,
): PartitionTest | undefined {
  // Every other transform maps null, and nothing else, to null.
  if (transform.kind === 'void' || transform.kind === 'unknown') return undefined
  switch (predicate.kind) {
    case 'is-null':
      return { value: (value) => value === null, summary: (summary) => summary.containsNull }
    case 'is-not-null':
      return { value: (value) => value !== null, summary: () => true }
    case 'is-nan':
      return transform.kind === 'identity' ? IS_NAN : undefined
    default:
      return comparingTest(predicate, transform)
  }
}

const IS_NAN: PartitionTest = {
  value: (value) => Number.isNaN(value),
  summary: (summary) => summary.containsNan !== false,
}

function comparingTest(
  predicate: ComparingPredicate,
  transform: Transform,
): PartitionTest | undefined {
  const projected = projectPredicate(predicate, transform)
  if (projected === undefined) return { value: (value) => value !== null, summary: () => true }
  const nanMatches = matchesNan(predicate)
  return {
    value(value) {
      if (value === null) return false
      return Number.isNaN(value) ? nanMatches : projected.value(value)
    },
    summary: ({ containsNan, lowerBound, upperBound }) =>
      (nanMatches && containsNan !== false) || projected.extent(lowerBound, upperBound),
  }
}

/** NaN is above every number and equal to none. */
export function matchesNan(predicate: ComparingPredicate): boolean {
  const { kind } = predicate.column.type
  if (kind !== 'float' && kind !== 'double') return false
  if (predicate.kind === 'range') return predicate.high === undefined
  return predicate.kind === 'not-equal'
}
