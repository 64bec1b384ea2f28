/** Whose privileges count in a list: only what one of them may see is in it. */
export interface Visibility {
  readonly principals: readonly string[]
}
