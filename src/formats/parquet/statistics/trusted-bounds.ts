import { isTurnDue } from '../../../core/turns.ts'
import { compareBytes } from '../../../core/value/value.ts'
import type { ColumnStatistics, ParquetFooter, ParquetLeaf } from '../footer/footer-model.ts'
import { hasReusedBounds } from '../footer/writer.ts'
import { leafTypeOf, type StatisticForm } from '../schema/leaf-type.ts'
import type { Side } from './statistic-value.ts'

/** Forms that old writers compared as signed values, which is right for them. */
const SIGNED_FORMS: ReadonlySet<StatisticForm> = new Set<StatisticForm>([
  'boolean',
  'int32',
  'int64',
  'float',
  'double',
  'time-millis',
  'millis',
  'nanos',
])

/** Longer bounds are not compared: they count as different. */
const SAME_BYTES_MAX = 4 * 1024

/** A column whose statistics are looked at. */
export interface StatedColumn {
  readonly leaf: ParquetLeaf
  readonly form: StatisticForm
  readonly createdBy: ParquetFooter['createdBy']
}

/** The minimum or maximum of a chunk, if it was found in the order of the column's type. */
export function trustedBound(
  statistics: ColumnStatistics,
  column: StatedColumn,
  side: Side,
): Uint8Array | undefined {
  const { min, max, minValue, maxValue } = statistics
  const ordered = side === 'lower' ? minValue : maxValue
  if (ordered !== undefined && column.leaf.hasTypeOrder) return ordered
  if (min === undefined || max === undefined || !isOldPairTrusted(min, max, column)) {
    return undefined
  }
  return side === 'lower' ? min : max
}

/** Writers of the deprecated pair compared signed bytes; a single value needs no order. */
function isOldPairTrusted(
  min: Uint8Array,
  max: Uint8Array,
  { leaf, form, createdBy }: StatedColumn,
): boolean {
  if (SIGNED_FORMS.has(form)) return true
  const isReused = leaf.physicalType.endsWith('BYTE_ARRAY') && hasReusedBounds(createdBy)
  return !isReused && min.length <= SAME_BYTES_MAX && compareBytes(min, max) === 0
}

/**
 * Whether any of the top-level columns has a minimum or maximum that may not be one: engines use
 * them all the same, and would leave out row groups with rows that they look for. In steps, with
 * pauses for others.
 */
export function* hasUnsureBoundsSteps(
  { leaves, rowGroups, createdBy }: ParquetFooter,
  columns: ReadonlySet<string | undefined>,
): Generator<void, boolean> {
  for (const leaf of leaves) {
    if (!columns.has(leaf.path[0])) continue
    const type = leafTypeOf(leaf)
    const column = { leaf, createdBy, form: 'unsupported' in type ? 'unusable' : type.form }
    for (const [i, group] of rowGroups.entries()) {
      const statistics = group.columns[leaf.leafIndex]?.statistics
      if (statistics !== undefined && isUnsure(statistics, column)) return true
      if (isTurnDue(i)) yield
    }
    yield
  }
  return false
}

function isUnsure(statistics: ColumnStatistics, column: StatedColumn): boolean {
  const { min, max, minValue = min, maxValue = max } = statistics
  const isUnsureOn = (side: Side, bound: Uint8Array | undefined) =>
    bound !== undefined &&
    (column.form === 'unusable' || trustedBound(statistics, column, side) !== bound)
  return isUnsureOn('lower', minValue) || isUnsureOn('upper', maxValue)
}
