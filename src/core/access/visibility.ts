/** Whose privileges count in a list: only what one of them may see is in it. */
export interface Visibility {
  readonly principals: readonly string[]
}

/** Who reads rows: a list that tells of them has only what one of these may read. */
export interface Readers extends Visibility {
  /**
   * Tables that they read by what they have on the catalog: `none`, all that are there or are kept
   * for their datasets (`kept`), or `all`. Policies withhold any of them.
   */
  readonly everywhere: 'none' | 'kept' | 'all'
}
