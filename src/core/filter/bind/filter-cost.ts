import { allOf, type BoundFilter, EVERY_ROW } from './bound-filter.ts'

/** Approximate number of comparisons needed to test one file. */
export function filterCost(filter: BoundFilter): number {
  switch (filter.kind) {
    case 'always':
      return 0
    case 'and':
    case 'or':
      return filter.operands.reduce((sum, operand) => sum + filterCost(operand), 0)
    case 'in': {
      const { length } = filter.values
      // Bounds of UUIDs may follow either of two orders, so binary search is not possible.
      return filter.column.type.kind === 'uuid' ? length : 1 + Math.ceil(Math.log2(length))
    }
    default:
      return 1
  }
}

/**
 * A filter of at most this cost that keeps every row that `filter` keeps: the cheapest parts of a
 * conjunction, or all or nothing of anything else.
 */
export function affordableFilter(filter: BoundFilter, costMax: number): BoundFilter {
  if (filterCost(filter) <= costMax) return filter
  if (filter.kind !== 'and') return EVERY_ROW
  const byCost = filter.operands
    .map((operand) => ({ operand, cost: filterCost(operand) }))
    .sort((left, right) => left.cost - right.cost)
  let left = costMax
  const kept = byCost.filter(({ cost }) => {
    left -= cost
    return left >= 0
  })
  return allOf(kept.map(({ operand }) => operand))
}
