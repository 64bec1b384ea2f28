/** Something went wrong where nobody waits for an answer. */
export interface Log {
  warn(facts: Readonly<Record<string, unknown>>, message: string): void
}
