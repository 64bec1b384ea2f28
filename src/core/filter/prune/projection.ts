import {
  applyTransform,
  canTransform,
  type Transform,
  transformResultType,
} from '../../partition/transform.ts'
import { floorDivide } from '../../value/decimal.ts'
import { INT_MAX, INT_MIN, LONG_MAX, LONG_MIN } from '../../value/single-value.ts'
import type { PrimitiveType } from '../../value/type.ts'
import type { Value } from '../../value/value.ts'
import {
  type ComparingPredicate,
  type Endpoint,
  type OrderedPredicate,
  sortedValues,
} from '../bind/bound-filter.ts'
import {
  type ExtentTest,
  notEqualTest,
  notPrefixTest,
  prefixTest,
  rangeTest,
  setTest,
} from './extent-test.ts'

/** A test of the column's own values. */
export function testOfPredicate(predicate: ComparingPredicate): ExtentTest {
  const { type } = predicate.column
  switch (predicate.kind) {
    case 'range':
      return rangeTest(type, predicate)
    case 'in':
      return setTest(type, predicate.values)
    case 'not-equal':
      return notEqualTest(type, predicate.value)
    case 'starts-with':
      return prefixTest(predicate.prefix)
    case 'not-starts-with':
      return notPrefixTest(predicate.prefix)
  }
}

/**
 * A test of partition values that holds wherever the predicate does (Iceberg spec, "Scan Planning":
 * inclusive projection); Returns `undefined` if partition values say nothing about it.
 */
export function projectPredicate(
  predicate: ComparingPredicate,
  transform: Transform,
): ExtentTest | undefined {
  const { type } = predicate.column
  if (!canTransform(transform, type) || transform.kind === 'void') return undefined
  switch (transform.kind) {
    case 'identity':
      return testOfPredicate(predicate)
    case 'bucket':
      return predicate.kind === 'in' ? projectSet(predicate.values, transform, type) : undefined
    case 'truncate':
      return projectTruncate(predicate, transform)
    default:
      return projectCalendar(predicate, transform)
  }
}

function projectSet(
  values: readonly Value[],
  transform: Transform,
  type: PrimitiveType,
): ExtentTest {
  const resultType = transformResultType(transform, type)
  const projected = values.map((value) => transformed(transform, type, value))
  return setTest(resultType, sortedValues(resultType, projected))
}

function transformed(transform: Transform, type: PrimitiveType, value: Value): Value {
  return applyTransform(transform, type, value) as Value
}

function projectTruncate(
  predicate: ComparingPredicate,
  transform: Transform & { readonly kind: 'truncate' },
): ExtentTest | undefined {
  const { type } = predicate.column
  switch (predicate.kind) {
    case 'not-equal':
      return undefined
    // A partition value is a prefix of all of its rows.
    case 'not-starts-with':
      return valueOnly(notPrefixTest(predicate.prefix))
    case 'starts-with':
      return prefixTest(transformed(transform, type, predicate.prefix) as string)
    default:
      return type.kind === 'int' || type.kind === 'long'
        ? projectWrapping(predicate, transform)
        : projectOrdered(predicate, transform)
  }
}

/** Bounds over several partition values say nothing about a common prefix of their rows. */
function valueOnly(test: ExtentTest): ExtentTest {
  return { extent: () => true, value: test.value }
}

/**
 * Since `a <= b` implies `T(a) <= T(b)`, each end is projected separately and becomes inclusive.
 */
function projectOrdered(predicate: OrderedPredicate, transform: Transform): ExtentTest {
  const { type } = predicate.column
  if (predicate.kind === 'in') return projectSet(predicate.values, transform, type)
  const project = (endpoint: Endpoint | undefined): Endpoint | undefined =>
    endpoint && { value: transformed(transform, type, endpoint.value), isInclusive: true }
  return rangeTest(transformResultType(transform, type), {
    low: project(predicate.low),
    high: project(predicate.high),
  })
}

/**
 * Truncating the smallest ints wraps around in the reference implementation: with width 10,
 * -2147483648 lies in the partition 2147483646. Such rows are found above the last value that no
 * wrapped one reaches.
 */
function projectWrapping(
  predicate: OrderedPredicate,
  transform: Transform & { readonly kind: 'truncate' },
): ExtentTest {
  const { type } = predicate.column
  const width = BigInt(transform.width)
  const [min, max] = type.kind === 'int' ? [BigInt(INT_MIN), BigInt(INT_MAX)] : [LONG_MIN, LONG_MAX]
  const lowest = predicate.kind === 'in' ? predicate.values[0] : predicate.low?.value
  const wraps = (value: Value) => floorDivide(BigInt(value as bigint), width) * width < min
  if (lowest !== undefined && !wraps(lowest)) return projectOrdered(predicate, transform)
  const highest = predicate.kind === 'in' ? predicate.values.at(-1) : predicate.high?.value
  const asValue = (value: bigint) => (type.kind === 'int' ? Number(value) : value)
  const wrapped = rangeTest(type, {
    low: { value: asValue(max - width), isInclusive: false },
  })
  if (highest === undefined || wraps(highest)) return highest === undefined ? EVERYTHING : wrapped
  const plain = rangeTest(type, {
    high: { value: transformed(transform, type, highest), isInclusive: true },
  })
  return {
    extent: (lower, upper) => plain.extent(lower, upper) || wrapped.extent(lower, upper),
    value: (value) => plain.value(value) || wrapped.value(value),
  }
}

const EVERYTHING: ExtentTest = { extent: () => true, value: () => true }

function projectCalendar(
  predicate: ComparingPredicate,
  transform: Transform,
): ExtentTest | undefined {
  const { type } = predicate.column
  if (predicate.kind !== 'range' && predicate.kind !== 'in') return undefined
  if (transform.kind === 'day' && type.kind === 'date') return testOfPredicate(predicate)
  const resultType = transformResultType(transform, type)
  const project = (value: Value) => transformed(transform, type, value) as number
  if (predicate.kind === 'in') {
    const units = predicate.values.map(project)
    const tolerated = units.filter((unit) => unit < 0).map((unit) => unit + 1)
    return setTest(resultType, sortedValues(resultType, [...units, ...tolerated]))
  }
  return rangeTest(resultType, {
    low: predicate.low && { value: project(predicate.low.value), isInclusive: true },
    high: predicate.high && { value: roundedUp(project(predicate.high.value)), isInclusive: true },
  })
}

/** Older Java writers rounded instants before 1970 towards zero, into the unit after. */
function roundedUp(unit: number): number {
  return unit < 0 ? unit + 1 : unit
}
