/** Reports a failure for which no caller waits. */
export interface Log {
  warn(facts: Readonly<Record<string, unknown>>, message: string): void
}
