/** One reason why a file does not fit a table. */
export interface SchemaProblem {
  /** Dotted path: the file's, of a missing column the table's. */
  readonly column: string
  readonly rule:
    | 'ambiguous-column'
    | 'column-type'
    | 'extra-column'
    | 'field-ids'
    | 'missing-column'
    | 'null-in-required-column'
  readonly detail: string
}
