import type { PrimitiveType } from '../../value/type.ts'
import { compareValues, type Value } from '../../value/value.ts'

/**
 * A filter bound to a schema, without NOT. A row matches if the predicates evaluate to TRUE;
 * unknown counts as no match. `always` with `false` means that no row can match.
 */
export type BoundFilter =
  | { readonly kind: 'always'; readonly value: boolean }
  /** At least two operands. */
  | { readonly kind: 'and' | 'or'; readonly operands: readonly BoundFilter[] }
  | BoundPredicate

export interface BoundColumn {
  readonly fieldId: number
  readonly type: PrimitiveType
}

export interface Endpoint {
  readonly value: Value
  readonly isInclusive: boolean
}

/** Except for `is-null`, no predicate is TRUE for null. */
export type BoundPredicate = PresencePredicate | ComparingPredicate

export type PresencePredicate =
  | { readonly kind: 'is-null'; readonly column: BoundColumn }
  | { readonly kind: 'is-not-null'; readonly column: BoundColumn }
  | { readonly kind: 'is-nan'; readonly column: BoundColumn }

/** None of its values is NaN. */
export type ComparingPredicate =
  | OrderedPredicate
  | { readonly kind: 'not-equal'; readonly column: BoundColumn; readonly value: Value }
  /** On a string column; the prefix is not empty. */
  | { readonly kind: 'starts-with'; readonly column: BoundColumn; readonly prefix: string }
  | { readonly kind: 'not-starts-with'; readonly column: BoundColumn; readonly prefix: string }

export type OrderedPredicate =
  /** Has at least one end. NaN is above every number, so it matches when `high` is missing. */
  | {
      readonly kind: 'range'
      readonly column: BoundColumn
      readonly low?: Endpoint
      readonly high?: Endpoint
    }
  /** At least one value, in the order of the type, without duplicates. */
  | { readonly kind: 'in'; readonly column: BoundColumn; readonly values: readonly Value[] }

export const NEVER: BoundFilter = { kind: 'always', value: false }
export const EVERY_ROW: BoundFilter = { kind: 'always', value: true }

export function allOf(operands: readonly BoundFilter[]): BoundFilter {
  return combine('and', operands, false)
}

export function anyOf(operands: readonly BoundFilter[]): BoundFilter {
  return combine('or', operands, true)
}

/** `decisive` is the constant that decides the result; the other one is neutral. */
function combine(
  kind: 'and' | 'or',
  operands: readonly BoundFilter[],
  decisive: boolean,
): BoundFilter {
  const open: BoundFilter[] = []
  for (const operand of operands) {
    if (operand.kind !== 'always') open.push(operand)
    else if (operand.value === decisive) return operand
  }
  const [first] = open
  if (first === undefined) return { kind: 'always', value: !decisive }
  return open.length === 1 ? first : { kind, operands: open }
}

/** Sorts the values and removes duplicates. */
export function sortedValues(type: PrimitiveType, values: readonly Value[]): readonly Value[] {
  const sorted = values.toSorted((a, b) => compareValues(type, a, b))
  return sorted.filter((value, i) => {
    const previous = sorted[i - 1]
    return previous === undefined || compareValues(type, previous, value) !== 0
  })
}
