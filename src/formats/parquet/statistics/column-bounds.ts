import { isTurnDue } from '../../../core/turns.ts'
import { encodeSingleValue } from '../../../core/value/single-value.ts'
import type { PrimitiveType } from '../../../core/value/type.ts'
import { compareValues, type Value } from '../../../core/value/value.ts'
import type { ColumnChunk, ParquetFooter, ParquetLeaf } from '../footer/footer-model.ts'
import type { LeafType } from '../schema/leaf-type.ts'
import { type Precision, type Side, statisticValue } from './statistic-value.ts'
import { trustedBound } from './trusted-bounds.ts'

/** Bounds that are looked at one by one: where the value itself counts, it is decoded whole. */
const LONG_BYTES = 4 * 1024

/** Bounds in binary single-value form of the table's type. */
export interface ColumnBounds {
  readonly lower?: Uint8Array
  readonly upper?: Uint8Array
}

export interface BoundedColumn {
  readonly leaf: ParquetLeaf
  readonly leafType: LeafType
  readonly tableType: PrimitiveType
  /** One chunk for each row group. */
  readonly chunks: readonly ColumnChunk[]
  readonly createdBy: ParquetFooter['createdBy']
}

/**
 * Bounds over all row groups. A side is missing if any row group with values lacks it. A NaN among
 * the bounds, or a minimum above a maximum, means that the statistics cannot be trusted: no bounds.
 * As `value`, they are the least and the greatest value themselves, of any length. In steps, with
 * pauses for others.
 */
export function* columnBoundsSteps(
  column: BoundedColumn,
  precision: Precision = 'bound',
): Generator<void, ColumnBounds> {
  const { tableType } = column
  const lower = new Widest(tableType, 'lower')
  const upper = new Widest(tableType, 'upper')
  for (const [i, chunk] of column.chunks.entries()) {
    if (mayHaveValues(chunk)) {
      lower.add(chunkBound(chunk, column, 'lower', precision))
      upper.add(chunkBound(chunk, column, 'upper', precision))
    }
    if (isTurnDue(i) || hasLongBounds(chunk)) yield
  }
  if (lower.hasNaN || upper.hasNaN) return {}
  const [least, greatest] = [lower.value, upper.value]
  const areCrossed =
    least !== undefined && greatest !== undefined && compareValues(tableType, least, greatest) > 0
  if (areCrossed) return {}
  return {
    ...(least === undefined ? {} : { lower: encodeSingleValue(tableType, least) }),
    ...(greatest === undefined ? {} : { upper: encodeSingleValue(tableType, greatest) }),
  }
}

function hasLongBounds({ statistics }: ColumnChunk): boolean {
  const { min, max, minValue = min, maxValue = max } = statistics ?? {}
  return (minValue?.length ?? 0) + (maxValue?.length ?? 0) > LONG_BYTES
}

function mayHaveValues({ valueCount, statistics }: ColumnChunk): boolean {
  return valueCount > 0 && statistics?.nullCount !== valueCount
}

function chunkBound(
  { statistics }: ColumnChunk,
  column: BoundedColumn,
  side: Side,
  precision: Precision,
): Value | undefined {
  if (statistics === undefined) return undefined
  const { leaf, leafType, tableType, createdBy } = column
  const bytes = trustedBound(statistics, { leaf, form: leafType.form, createdBy }, side)
  if (bytes === undefined) return undefined
  const isExact = side === 'lower' ? statistics.isMinValueExact : statistics.isMaxValueExact
  // What the writer cut is no value, but still a bound.
  const kind = { leafType, tableType, side, precision: isExact === false ? 'bound' : precision }
  return statisticValue(bytes, kind)
}

/** The widest of the bounds of row groups on one side. */
class Widest {
  readonly #type: PrimitiveType
  readonly #side: Side
  #widest: Value | undefined
  #isUnknown = false
  hasNaN = false

  constructor(type: PrimitiveType, side: Side) {
    this.#type = type
    this.#side = side
  }

  /** `undefined` if one of them is. */
  get value(): Value | undefined {
    return this.#isUnknown ? undefined : this.#widest
  }

  add(value: Value | undefined): void {
    if (Number.isNaN(value)) this.hasNaN = true
    if (value === undefined) this.#isUnknown = true
    if (this.hasNaN || this.#isUnknown || value === undefined) return
    const widest = this.#widest
    const order = widest === undefined ? 0 : compareValues(this.#type, value, widest)
    const isWider = this.#side === 'lower' ? order < 0 : order > 0
    if (widest === undefined || isWider) this.#widest = value
  }
}
