import type { FilterExpression, FilterNode, FilterPredicate } from './expression.ts'

/**
 * A filter that keeps at least every row for which the given one is not TRUE: it is FALSE, or
 * unknown because a value is null. What it rules out is kept by the given one, row by row.
 * `undefined` where any row may be such a row, since a comparison with NULL is unknown for all.
 */
export function otherRows({ text, root }: FilterExpression): FilterExpression | undefined {
  const predicates = predicatesOf(root)
  if (predicates.some(hasNull)) return undefined
  const unknown = predicates.map(({ column }): FilterNode => ({ kind: 'is-null', column }))
  return { text, root: { kind: 'or', operands: [{ kind: 'not', operand: root }, ...unknown] } }
}

function predicatesOf(node: FilterNode): readonly FilterPredicate[] {
  switch (node.kind) {
    case 'and':
    case 'or':
      return node.operands.flatMap(predicatesOf)
    case 'not':
      return predicatesOf(node.operand)
    case 'comparison':
    case 'in':
    case 'like':
    case 'is-null':
      return [node]
  }
}

function hasNull(predicate: FilterPredicate): boolean {
  switch (predicate.kind) {
    case 'comparison':
      return predicate.literal.kind === 'null'
    case 'in':
      return predicate.literals.some(({ kind }) => kind === 'null')
    case 'like':
      return predicate.pattern.kind === 'null'
    case 'is-null':
      return false
  }
}
