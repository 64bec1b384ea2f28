/** A bucket that the service uses. */
export interface WatchedStore {
  /** Scheme and bucket: `s3://lake`. */
  readonly name: string
  /** Without the warehouse nothing works; other buckets matter to those who read from them. */
  readonly isNeeded: boolean
  /** Asks the store once. Throws what is wrong. */
  look(): Promise<void>
}
