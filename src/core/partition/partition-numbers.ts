import { CatalogError } from '../errors.ts'
import { findPathToField } from '../schema/schema-lookup.ts'
import { hexText } from '../value/bytes-text.ts'
import { isNested, type PrimitiveType, type Schema } from '../value/type.ts'
import type { Value } from '../value/value.ts'
import type { PartitionSpec } from './partition-spec.ts'
import type { PartitionTuple } from './partition-values.ts'
import { applyTransform, canTransform, type Transform } from './transform.ts'

/** How far partitions are counted that are too many: the refusal says how many there are. */
const COUNTED_MAX = 100_000
/** Characters of all keys together: a value may have millions of them. */
const KEY_CHARACTERS_MAX = 8 * 1024 * 1024

interface Source {
  readonly transform: Transform
  readonly type: PrimitiveType
}

/**
 * Numbers the partitions of rows from zero, in the order in which their first rows come. The one
 * place that decides which rows go into a file together.
 */
export class PartitionNumbers {
  readonly #sources: readonly Source[]
  readonly #max: number
  readonly #numbers = new Map<string, number>()
  readonly #partitions: PartitionTuple[] = []
  #characters = 0
  #areMore = false

  /** Throws `file-spans-partitions` if the spec has a transform that cannot be computed. */
  constructor(spec: PartitionSpec, schema: Schema, max: number) {
    this.#sources = spec.fields.map(({ name, sourceId, transform }) => {
      const type = findPathToField(schema.fields, sourceId)?.at(-1)?.type
      if (type === undefined || isNested(type) || !canTransform(transform, type)) {
        const detail = `the partition field ${name} has a transform that cannot be computed`
        throw new CatalogError('file-spans-partitions', detail)
      }
      return { transform, type }
    })
    this.#max = max
  }

  /** Values of the spec's fields, for each number. */
  get partitions(): readonly PartitionTuple[] {
    return this.#partitions
  }

  /**
   * The number of the partition of a row, from the values of the spec's source columns, in its
   * order; `undefined` for one beyond the most.
   */
  numberOf(row: readonly (Value | null)[]): number | undefined {
    const values = this.#sources.map(({ transform, type }, i) =>
      applyTransform(transform, type, row[i] ?? null),
    )
    const key = values.map(keyOf).join(',')
    const known = this.#numbers.get(key)
    if (known !== undefined) return known < this.#max ? known : undefined
    this.#characters += key.length
    const number = this.#numbers.size
    if (number === COUNTED_MAX || this.#characters > KEY_CHARACTERS_MAX) {
      this.#areMore = true
      return undefined
    }
    this.#numbers.set(key, number)
    if (number >= this.#max) return undefined
    // The bytes may lie in memory that the next rows overwrite.
    this.#partitions.push(
      values.map((value) => (value instanceof Uint8Array ? value.slice() : value)),
    )
    return number
  }

  /** Throws `file-spans-partitions` with their number if the rows were of too many partitions. */
  requireAll(): void {
    const partitions = this.#numbers.size
    if (partitions <= this.#max && !this.#areMore) return
    const detail =
      partitions <= this.#max
        ? 'the values of its partitions are too long together: split it by partition first'
        : `its rows are of ${this.#areMore ? 'more than ' : ''}${partitions} partitions, where ` +
          `an upload to this table makes at most ${this.#max} files: send it in parts`
    throw new CatalogError('file-spans-partitions', detail, {
      facts: { partitions, partitionsMax: this.#max },
    })
  }
}

/** Zero and minus zero are two partitions; the field tells the type. */
function keyOf(value: Value | null): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return `${value.length}:${value}`
  if (value instanceof Uint8Array) return hexText(value)
  return Object.is(value, -0) ? '-0' : String(value)
}
