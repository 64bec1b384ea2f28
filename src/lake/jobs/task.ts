/** Work on a schedule, done by one replica at a time and once for each tick. */
export type Task = {
  /** Unique among all modules; names the lease, so it is never changed. */
  readonly name: string
  /**
   * `signal` ends when the lease is lost or the service stops. A failure is logged; the next tick
   * comes anyhow.
   */
  run(signal: AbortSignal): Promise<void>
} & Schedule

export type Schedule =
  | { readonly everyMs: number }
  | {
      /** Five fields (minute first), or six with seconds before them. */
      readonly cron: string
      /** Name in the IANA database, such as `Europe/London`; UTC when absent. */
      readonly zone?: string
    }
