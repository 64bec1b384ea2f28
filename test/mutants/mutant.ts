/** Deliberate bugs in one file, each a text found once and what stands there instead. */
export interface MutantGroup {
  readonly file: string
  /** The tests that are to catch them, the narrowest there are. */
  readonly tests: readonly string[]
  /** A pattern of the names of those that are run, where a file has many others. */
  readonly named?: string
  readonly edits: readonly (readonly [from: string, to: string])[]
}
