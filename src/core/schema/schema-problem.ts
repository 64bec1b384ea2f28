/** One reason why a file does not fit a table. */
export interface SchemaProblem {
  /** Dotted path in the file, or in the table for a missing column. */
  readonly column: string
  readonly rule:
    | 'ambiguous-column'
    | 'column-type'
    | 'extra-column'
    | 'field-ids'
    | 'missing-column'
    | 'null-in-required-column'
    | 'path-value'
  readonly detail: string
}
