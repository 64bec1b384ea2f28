import { BoundedMap } from '../../core/bounded-map.ts'
import { nameOfPrincipal } from '../../http/authorizer.ts'
import type { Call } from '../../http/route.ts'
import { ProblemError } from '../../problem/problems.ts'
import { isCostly } from './query-source.ts'

const DAY_MS = 86_400_000
/** Principals, and addresses without one, that are remembered. */
const ASKERS_MAX = 100_000
/** How long a client with too many queries does well to wait. */
const RETRY_AFTER_SECONDS = 1

export interface QueryLimitsConfig {
  /** Queries of one principal that run at once. */
  readonly running: number
  /** Queries of one principal that wait for these. */
  readonly queued: number
  /** Bytes that the queries of one principal may read in a day (UTC); 0: any number. */
  readonly bytesPerDay: number
}

export interface QueryLimitsDependencies {
  readonly ambient: { nowMs(): number }
  readonly queryLimits: QueryLimitsConfig
}

/** Whose query it is. */
export type AskingCall = Pick<Call<unknown, unknown>, 'principal' | 'request' | 'closed'>

interface Asker {
  running: number
  readonly waiting: (() => void)[]
  /** The day of which `bytes` are. */
  day: number
  bytes: number
}

/**
 * How many queries run for each principal in this process, and how much they read in a day. Callers
 * without a name are told apart by their addresses, so that one does not use up what others have.
 */
export class QueryLimits {
  readonly #deps: QueryLimitsDependencies
  readonly #askers = new BoundedMap<string, Asker>(ASKERS_MAX)

  constructor(deps: QueryLimitsDependencies) {
    this.#deps = deps
  }

  /**
   * Runs `work` in its turn among the queries of the caller, and charges what the estimate says
   * that it reads; what reads nothing in the end is not charged. Throws `quota-exceeded`.
   */
  async inTurn<T>(
    call: AskingCall,
    costBytes: number,
    work: () => Promise<T>,
  ): Promise<{ readonly value: T; readonly headers: Readonly<Record<string, string>> }> {
    const asker = this.#askerOf(call)
    this.#charge(asker, costBytes)
    try {
      await this.#takePlace(asker, call.closed)
    } catch (error) {
      asker.bytes -= costBytes
      throw error
    }
    try {
      const value = await work()
      return { value, headers: this.#headersOf(asker) }
    } catch (error) {
      if (!isCostly(error)) asker.bytes -= costBytes
      throw error
    } finally {
      const next = asker.waiting.shift()
      if (next === undefined) asker.running--
      else next()
    }
  }

  #askerOf({ principal, request }: AskingCall): Asker {
    const key =
      principal.kind === 'anonymous'
        ? `address:${request.clientAddress ?? ''}`
        : nameOfPrincipal(principal)
    const known = this.#askers.get(key)
    if (known !== undefined) return known
    const asker: Asker = { running: 0, waiting: [], day: this.#today(), bytes: 0 }
    this.#askers.set(key, asker)
    return asker
  }

  #today(): number {
    return Math.floor(this.#deps.ambient.nowMs() / DAY_MS)
  }

  #secondsLeft(): number {
    const { ambient } = this.#deps
    return Math.ceil((DAY_MS - (ambient.nowMs() % DAY_MS)) / 1_000)
  }

  #charge(asker: Asker, costBytes: number): void {
    const today = this.#today()
    if (asker.day !== today) Object.assign(asker, { day: today, bytes: 0 })
    const { bytesPerDay } = this.#deps.queryLimits
    if (bytesPerDay > 0 && asker.bytes + costBytes > bytesPerDay) {
      const left = Math.max(0, bytesPerDay - asker.bytes)
      throw new ProblemError(
        'quota-exceeded',
        `the query would read about ${costBytes} bytes, and ${left} of the ${bytesPerDay} of ` +
          'today are left: filter it, or ask again tomorrow',
        {
          facts: {
            ...{ quota: 'bytes-per-day', limit: bytesPerDay, left, costBytes },
            retryAfterSeconds: this.#secondsLeft(),
          },
        },
      )
    }
    asker.bytes += costBytes
  }

  async #takePlace(asker: Asker, signal: AbortSignal): Promise<void> {
    const { running, queued } = this.#deps.queryLimits
    if (asker.running < running) {
      asker.running++
      return
    }
    if (asker.waiting.length >= queued) {
      throw new ProblemError(
        'quota-exceeded',
        `${running} of your queries run and ${queued} wait: ask again when some have ended`,
        {
          facts: {
            ...{ quota: 'queries', limit: running + queued },
            retryAfterSeconds: RETRY_AFTER_SECONDS,
          },
        },
      )
    }
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const start = () => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        asker.waiting.splice(asker.waiting.indexOf(start), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
      asker.waiting.push(start)
    })
  }

  /** As draft-ietf-httpapi-ratelimit-headers has them, from its version 10 on. */
  #headersOf({ running, waiting, bytes }: Asker): Readonly<Record<string, string>> {
    const { running: runningMax, queued, bytesPerDay } = this.#deps.queryLimits
    const all = runningMax + queued
    const policies = [`"queries";q=${all};qu="concurrent-requests"`]
    const limits = [`"queries";r=${all - running + 1 - waiting.length}`]
    if (bytesPerDay > 0) {
      policies.push(`"bytes";q=${bytesPerDay};w=${DAY_MS / 1_000};qu="content-bytes"`)
      limits.push(`"bytes";r=${Math.max(0, bytesPerDay - bytes)};t=${this.#secondsLeft()}`)
    }
    return { 'RateLimit-Policy': policies.join(', '), RateLimit: limits.join(', ') }
  }
}
