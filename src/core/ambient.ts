/** What a service must not take from thin air: the clock and random ids. Tests give their own. */
export interface Ambient {
  /** Epoch milliseconds; may jump backwards. */
  nowMs(): number
  /** A random UUID, lower case with dashes. */
  newUuid(): string
}
