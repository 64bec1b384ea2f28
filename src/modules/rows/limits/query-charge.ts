/** What one caller has read by queries in a day. */
export interface QueryAccount {
  /** Days since 1970 (UTC). */
  day: number
  bytes: number
}

/** What a query is charged: its estimate, until it is known what it has read. */
export class QueryCharge {
  readonly #account: QueryAccount
  readonly #day: number
  readonly #estimateBytes: number
  #readBytes = 0
  #isKnown = true
  #isSettled = false

  constructor(account: QueryAccount, estimateBytes: number) {
    this.#account = account
    this.#day = account.day
    this.#estimateBytes = estimateBytes
    account.bytes += estimateBytes
  }

  isOf(day: number): boolean {
    return this.#day === day
  }

  /** As `JobOptions.onRead`: without a number, the estimate is the least that was read. */
  readonly onRead = (bytes: number | undefined): void => {
    if (bytes === undefined) this.#isKnown = false
    else this.#readBytes += bytes
  }

  /** Corrects the account, once; what was of another day has gone with it. */
  settle(): void {
    if (this.#isSettled) return
    this.#isSettled = true
    if (this.#account.day !== this.#day) return
    const read = this.#isKnown ? this.#readBytes : Math.max(this.#readBytes, this.#estimateBytes)
    this.#account.bytes += read - this.#estimateBytes
  }
}
