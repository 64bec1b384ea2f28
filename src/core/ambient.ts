/** The clock, timers and random ids that a service is given, so that tests can supply their own. */
export interface Ambient {
  /** Epoch milliseconds; may jump backwards. */
  nowMs(): number
  /** A random UUID, lower case with dashes. */
  newUuid(): string
  /** Resolves after at least this long, or as soon as `until` is aborted. */
  sleep(ms: number, until?: AbortSignal): Promise<void>
  /** From 0 up to but not including 1; for jitter only. */
  random(): number
}
