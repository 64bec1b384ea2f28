/**
 * A parsed filter, not yet bound to a schema. Positions are offsets into the text, in UTF-16 units.
 */
export interface FilterExpression {
  readonly text: string
  readonly root: FilterNode
}

export type FilterNode =
  /** At least two operands. */
  | { readonly kind: 'and' | 'or'; readonly operands: readonly FilterNode[] }
  | { readonly kind: 'not'; readonly operand: FilterNode }
  | FilterPredicate

export type FilterPredicate =
  | {
      readonly kind: 'comparison'
      readonly column: ColumnReference
      readonly operator: ComparisonOperator
      readonly literal: Literal
    }
  | { readonly kind: 'in'; readonly column: ColumnReference; readonly literals: readonly Literal[] }
  | { readonly kind: 'is-null'; readonly column: ColumnReference }
  | { readonly kind: 'like'; readonly column: ColumnReference; readonly pattern: Literal }

export type ComparisonOperator = '=' | '!=' | '<' | '<=' | '>' | '>='

export interface ColumnReference {
  /** A column name, followed by the names of struct members. */
  readonly path: readonly string[]
  readonly position: number
}

/** A literal; `text` is kept verbatim, so that numbers stay exact. */
export interface Literal {
  readonly kind: 'null' | 'boolean' | 'number' | 'string' | 'bytes'
  readonly text: string
  readonly position: number
}
