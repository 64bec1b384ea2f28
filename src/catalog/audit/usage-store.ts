/**
 * How much each principal used, by day and namespace. Its contract:
 * test/catalog/audit.contract.ts.
 */
export interface UsageStore {
  /** Adds to what is there. */
  add(usage: readonly DayUsage[]): Promise<void>
  /** By day, principal and namespace. */
  list(query: UsageQuery): Promise<readonly DayUsage[]>
  /** Forgets days before this one; returns how many rows. */
  forget(beforeDay: string): Promise<number>
}

/** What is counted of one principal in one namespace on one day. */
export interface UsageKey {
  /** As in `2024-03-17`, in UTC. */
  readonly day: string
  readonly principal: string
  /** Dotted; empty for requests that are in no namespace. */
  readonly namespace: string
}

export interface DayUsage extends UsageKey {
  readonly requests: number
  readonly bytesReceived: number
  readonly bytesSent: number
}

export interface UsageQuery {
  readonly fromDay?: string | undefined
  /** Up to and including. */
  readonly toDay?: string | undefined
  readonly principal?: string | undefined
  readonly namespace?: string | undefined
  readonly after?: UsageKey | undefined
  readonly limit: number
}
