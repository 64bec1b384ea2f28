import type { PartitionFieldSummary } from '../../core/file/data-file.ts'
import type { PartitionSpec } from '../../core/partition/partition-spec.ts'
import { decodeSingleValue, encodeSingleValue } from '../../core/value/single-value.ts'
import type { PrimitiveType, Schema } from '../../core/value/type.ts'
import { compareBytes, compareValues, type Value } from '../../core/value/value.ts'
import { partitionColumns } from './manifest-schema.ts'

/** The range of every partition field, in the order of the spec. */
export function summarizePartitions(
  spec: PartitionSpec,
  schema: Schema,
  partitions: Iterable<readonly (Value | null)[]>,
): readonly PartitionFieldSummary[] {
  const spreads = partitionColumns(spec, schema).map(({ type }) => new Spread(type))
  for (const partition of partitions) {
    for (const [i, spread] of spreads.entries()) spread.add(partition[i] ?? null)
  }
  return spreads.map((spread) => spread.summary())
}

/** The range over several manifests, each with one summary for every field of the spec. */
export function joinSummaries(
  spec: PartitionSpec,
  schema: Schema,
  summaries: readonly (readonly PartitionFieldSummary[])[],
): readonly PartitionFieldSummary[] {
  const [only, ...others] = summaries
  if (only !== undefined && others.length === 0) return only
  return partitionColumns(spec, schema).map(({ type }, i) => {
    const spread = new Spread(type)
    for (const summary of summaries) spread.join(summary[i])
    return spread.summary()
  })
}

/**
 * Whether summaries of another writer say something of every field, in values that can be read:
 * only then may they be joined. With fewer, or with a bound left out, the range of the others would
 * stand for all, and files outside of it would be pruned.
 */
export function canJoin(
  spec: PartitionSpec,
  schema: Schema,
  summaries: readonly PartitionFieldSummary[] | undefined,
): boolean {
  const columns = partitionColumns(spec, schema)
  if (summaries?.length !== columns.length) return false
  return columns.every(({ type }, i) => isWhole(type, summaries[i] as PartitionFieldSummary))
}

/** Iceberg spec, "Manifest Lists": bounds are null only if all values are null or NaN. */
function isWhole(type: PrimitiveType, summary: PartitionFieldSummary): boolean {
  const { containsNull, containsNan, lowerBound, upperBound } = summary
  if (containsNan === undefined) return false
  if (lowerBound === undefined && upperBound === undefined) return containsNull || containsNan
  return [lowerBound, upperBound].every((bound) => bound !== undefined && isReadable(type, bound))
}

function isReadable(type: PrimitiveType, bound: Uint8Array): boolean {
  try {
    const value = decodeSingleValue(type, bound)
    // What is not UTF-8 would be another text, above or below.
    if (type.kind === 'string') return compareBytes(encodeSingleValue(type, value), bound) === 0
    return !Number.isNaN(value)
  } catch {
    return false
  }
}

class Spread {
  readonly #type: PrimitiveType
  #containsNull = false
  #containsNan = false
  #lower: Value | undefined
  #upper: Value | undefined

  constructor(type: PrimitiveType) {
    this.#type = type
  }

  add(given: Value | null): void {
    if (given === null) {
      this.#containsNull = true
      return
    }
    const value = coerceNumber(this.#type, given)
    if (Number.isNaN(value)) {
      this.#containsNan = true
      return
    }
    if (this.#lower === undefined || compareValues(this.#type, value, this.#lower) < 0) {
      this.#lower = value
    }
    if (this.#upper === undefined || compareValues(this.#type, value, this.#upper) > 0) {
      this.#upper = value
    }
  }

  join(summary: PartitionFieldSummary | undefined): void {
    if (summary === undefined) return
    for (const bound of [summary.lowerBound, summary.upperBound]) {
      if (bound !== undefined) this.add(decodeSingleValue(this.#type, bound))
    }
    this.#containsNull ||= summary.containsNull
    this.#containsNan ||= summary.containsNan === true
  }

  summary(): PartitionFieldSummary {
    return {
      containsNull: this.#containsNull,
      containsNan: this.#containsNan,
      ...(this.#lower !== undefined && { lowerBound: this.#encode(this.#lower, -0) }),
      ...(this.#upper !== undefined && { upperBound: this.#encode(this.#upper, 0) }),
    }
  }

  /** Encodes a bound. Zero may stand for both zeros of a float: -0 is the lower, +0 the upper. */
  #encode(bound: Value, zero: number): Uint8Array {
    const isFloat = this.#type.kind === 'float' || this.#type.kind === 'double'
    return encodeSingleValue(this.#type, isFloat && bound === 0 ? zero : bound)
  }
}

const BIGINT_KINDS = new Set<PrimitiveType['kind']>([
  'long',
  'time',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
])

/**
 * Converts a value to the form that its type has in memory. It may differ if a file was written
 * before an int column became a long, or if a writer chose another width.
 */
export function coerceNumber(type: PrimitiveType, value: Value): Value {
  if (typeof value === 'number' && BIGINT_KINDS.has(type.kind) && Number.isInteger(value)) {
    return BigInt(value)
  }
  if (typeof value === 'bigint' && (type.kind === 'int' || type.kind === 'date')) {
    return Number(value)
  }
  return value
}

const NUMBER_KINDS = new Set<PrimitiveType['kind']>(['int', 'date', 'float', 'double'])

/** Whether a value, after `coerceNumber`, has the form that its type has in memory. */
export function isOfType(type: PrimitiveType, value: Value): boolean {
  if (NUMBER_KINDS.has(type.kind)) return typeof value === 'number'
  if (BIGINT_KINDS.has(type.kind) || type.kind === 'decimal') return typeof value === 'bigint'
  if (type.kind === 'boolean' || type.kind === 'string') return typeof value === type.kind
  if (!(value instanceof Uint8Array)) return false
  if (type.kind === 'uuid') return value.length === 16
  return type.kind !== 'fixed' || value.length === type.length
}
