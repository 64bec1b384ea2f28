import { BoundedMap } from '../../core/bounded-map.ts'
import { nameOfPrincipal } from '../../http/authorizer.ts'
import type { Call } from '../../http/route.ts'
import { ProblemError } from '../../problem/problems.ts'
import { type QueryAccount, QueryCharge } from './query-charge.ts'

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

/** Reports what a query reads, as `JobOptions.onRead` does. */
export type OnRead = QueryCharge['onRead']

/** A query that a job runs for a caller, in any process. */
export interface QueryOfJob {
  readonly key: string
  /** As `askerOf` has it. */
  readonly asker: string
  readonly costBytes: number
}

interface Asker extends QueryAccount {
  running: number
  /** How many of these are of jobs. */
  jobs: number
  /** Requests that make jobs. */
  admitting: number
  readonly waiting: (() => void)[]
}

/**
 * By what callers are told apart: their name or, without one, their address, so that one does not
 * use up what others have.
 */
export function askerOf({ principal, request }: Omit<AskingCall, 'closed'>): string {
  return principal.kind === 'anonymous'
    ? `address:${request.clientAddress ?? ''}`
    : nameOfPrincipal(principal)
}

/** How many queries run for each caller in this process, and how much they read in a day. */
export class QueryLimits {
  readonly #deps: QueryLimitsDependencies
  readonly #askers = new BoundedMap<string, Asker>(ASKERS_MAX)
  /** What queries pay that jobs are to run, as long as they have not run here. */
  readonly #reserved = new BoundedMap<string, QueryCharge>(ASKERS_MAX)

  constructor(deps: QueryLimitsDependencies) {
    this.#deps = deps
  }

  /**
   * Runs `work` in its turn among the queries of the caller. It is charged the estimate before, and
   * what it has read after. Throws `quota-exceeded`.
   */
  async inTurn<T>(
    call: AskingCall,
    costBytes: number,
    work: (onRead: OnRead) => Promise<T>,
  ): Promise<{ readonly value: T; readonly headers: Readonly<Record<string, string>> }> {
    const asker = this.#askerOf(askerOf(call))
    this.#requireBytes(asker, costBytes)
    const charge = new QueryCharge(asker, costBytes)
    try {
      await this.#takePlace(asker, call.closed)
      try {
        const value = await work(charge.onRead)
        charge.settle()
        return { value, headers: this.#headersOf(asker, takenBy(asker) - 1) }
      } finally {
        leavePlace(asker)
      }
    } finally {
      charge.settle()
    }
  }

  /**
   * Makes a job of the caller's beside the `openJobs` that have not ended; waits for no place.
   * Throws `quota-exceeded`.
   */
  async admit<T>(
    { asker: name, costBytes }: Omit<QueryOfJob, 'key'>,
    openJobs: () => Promise<number>,
    make: () => Promise<T>,
  ): Promise<T> {
    const { running, queued } = this.#deps.queryLimits
    const asker = this.#askerOf(name)
    this.#requireBytes(asker, costBytes)
    const charge = new QueryCharge(asker, costBytes)
    asker.admitting++
    try {
      // Jobs that run here are among those that have not ended.
      const others = takenBy(asker) - asker.jobs
      if (others + (await openJobs()) > running + queued) throw this.#tooMany(asker)
      return await make()
    } finally {
      asker.admitting--
      charge.settle()
    }
  }

  /** Charges the estimate of a query until a job of this process has run it. */
  reserve({ key, asker, costBytes }: QueryOfJob): void {
    if (this.#reserved.get(key) !== undefined) return
    this.#reserved.set(key, new QueryCharge(this.#askerOf(asker), costBytes))
  }

  /** Runs the work of a job, or returns `undefined` while its caller has enough queries running. */
  async ifRoom<T>(
    { key, asker: name, costBytes }: QueryOfJob,
    work: (onRead: OnRead) => Promise<T>,
  ): Promise<{ readonly value: T } | undefined> {
    const asker = this.#askerOf(name)
    if (asker.running >= this.#deps.queryLimits.running) return undefined
    asker.running++
    asker.jobs++
    const charge = this.#reserved.get(key) ?? new QueryCharge(asker, costBytes)
    this.#reserved.delete(key)
    try {
      return { value: await work(charge.onRead) }
    } finally {
      charge.settle()
      asker.jobs--
      leavePlace(asker)
    }
  }

  #askerOf(name: string): Asker {
    const today = Math.floor(this.#deps.ambient.nowMs() / DAY_MS)
    const known = this.#askers.get(name)
    if (known?.day === today) return known
    if (known !== undefined) return Object.assign(known, { day: today, bytes: 0 })
    const none = { running: 0, jobs: 0, admitting: 0 }
    const asker: Asker = { ...none, waiting: [], day: today, bytes: 0 }
    this.#askers.set(name, asker)
    return asker
  }

  #secondsLeft(): number {
    const { ambient } = this.#deps
    return Math.ceil((DAY_MS - (ambient.nowMs() % DAY_MS)) / 1_000)
  }

  #requireBytes(asker: Asker, costBytes: number): void {
    const { bytesPerDay } = this.#deps.queryLimits
    const left = Math.max(0, bytesPerDay - asker.bytes)
    if (bytesPerDay === 0 || (left > 0 && costBytes <= left)) return
    throw new ProblemError(
      'quota-exceeded',
      `queries of one caller read at most ${bytesPerDay} bytes a day, of which ${left} are left, ` +
        `and this one reads about ${costBytes}: ask for fewer columns or files by a filter, ` +
        'or after midnight UTC',
      {
        facts: {
          ...{ quota: 'bytes-per-day', limit: bytesPerDay, left, costBytes },
          ...{ retryAfterSeconds: this.#secondsLeft() },
          ...this.#factsOf(asker),
        },
      },
    )
  }

  async #takePlace(asker: Asker, signal: AbortSignal): Promise<void> {
    const { running, queued } = this.#deps.queryLimits
    if (asker.running < running) {
      asker.running++
      return
    }
    if (asker.waiting.length >= queued) throw this.#tooMany(asker)
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

  #tooMany(asker: Asker): ProblemError {
    const { running, queued } = this.#deps.queryLimits
    return new ProblemError(
      'quota-exceeded',
      `of one caller ${running} queries run at once and ${queued} wait, datasets that are being ` +
        'made among them: ask again when some of yours have ended',
      {
        facts: {
          ...{ quota: 'queries', limit: running + queued, retryAfterSeconds: RETRY_AFTER_SECONDS },
          ...this.#factsOf(asker, running + queued),
        },
      },
    )
  }

  /** What makes the headers of a refusal. */
  #factsOf(asker: Asker, taken = takenBy(asker)) {
    const headers = this.#headersOf(asker, taken)
    return { rateLimitPolicy: headers['RateLimit-Policy'], rateLimit: headers['RateLimit'] }
  }

  /** As draft-ietf-httpapi-ratelimit-headers has them, from its version 10 on. */
  #headersOf({ bytes }: Asker, taken: number): Readonly<Record<string, string>> {
    const { running, queued, bytesPerDay } = this.#deps.queryLimits
    const all = running + queued
    const policies = [`"queries";q=${all};qu="concurrent-requests"`]
    const limits = [`"queries";r=${Math.max(0, all - taken)}`]
    if (bytesPerDay > 0) {
      policies.push(`"bytes";q=${bytesPerDay};w=${DAY_MS / 1_000};qu="content-bytes"`)
      limits.push(`"bytes";r=${Math.max(0, bytesPerDay - bytes)};t=${this.#secondsLeft()}`)
    }
    return { 'RateLimit-Policy': policies.join(', '), RateLimit: limits.join(', ') }
  }
}

function takenBy({ running, waiting, admitting }: Asker): number {
  return running + waiting.length + admitting
}

/** To the next in line, if there is one. */
function leavePlace(asker: Asker): void {
  const next = asker.waiting.shift()
  if (next === undefined) asker.running--
  else next()
}
