import { callerAddress } from '../../../core/access/caller-address.ts'
import { ANONYMOUS_NAME } from '../../../core/access/principal-name.ts'
import { BoundedMap } from '../../../core/bounded-map.ts'
import { provenName } from '../../../http/authorizer.ts'
import type { Call, StandingHeaders } from '../../../http/route.ts'
import { ProblemError } from '../../../problem/problems.ts'
import { type QueryAccount, QueryCharge } from './query-charge.ts'
import { QueryLine } from './query-line.ts'

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
  readonly queries: QueryLine
  /** Requests whose queries are still to be read and estimated. */
  readonly preparing: QueryLine
  /** How many of the queries that run are of jobs. */
  jobs: number
  /** Requests that make jobs. */
  admitting: number
  /** What queries pay that jobs are to run, as long as they have not run here. */
  readonly reserved: Map<string, Reservation>
}

interface Reservation {
  readonly charge: QueryCharge
  /** Whether the job is still to run, here or elsewhere. */
  readonly isOpen: () => Promise<boolean>
}

/**
 * By what callers are told apart: their name or, without one, their address, so that one does not
 * use up what others have.
 */
export function askerOf({ principal, request }: Omit<AskingCall, 'closed'>): string {
  const name = provenName(principal)
  return name === ANONYMOUS_NAME ? `address:${callerAddress(request.clientAddress ?? '')}` : name
}

/** How many queries run for each caller in this process, and how much they read in a day. */
export class QueryLimits {
  readonly #deps: QueryLimitsDependencies
  readonly #askers = new BoundedMap<string, Asker>(ASKERS_MAX)

  constructor(deps: QueryLimitsDependencies) {
    this.#deps = deps
  }

  /** What every response of a route with limits has. */
  get headers(): StandingHeaders {
    return {
      docs: {
        'RateLimit-Policy': 'The limits of the caller: queries at once, and bytes in a day.',
        RateLimit: 'What is left of them: `r`, and the seconds until it is whole again: `t`.',
      },
      of: (caller) => {
        const asker = this.#askerOf(askerOf(caller))
        return this.#headersOf(asker, takenBy(asker))
      },
    }
  }

  /**
   * Runs what comes before a query, the parsing of a text above all: it counts as a query of the
   * caller, but waits only for others like it. Throws `quota-exceeded`.
   */
  async prepare<T>(call: AskingCall, work: () => Promise<T>): Promise<T> {
    const asker = this.#askerOf(askerOf(call))
    this.#requirePlace(asker)
    await asker.preparing.enter(call.closed)
    try {
      return await work()
    } finally {
      asker.preparing.leave()
    }
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
    if (asker.reserved.size > 0) await this.#settleEnded(asker)
    this.#requireBytes(asker, costBytes)
    this.#requirePlace(asker)
    const charge = new QueryCharge(asker, costBytes)
    try {
      await asker.queries.enter(call.closed)
      try {
        const value = await work(charge.onRead)
        charge.settle()
        return { value, headers: this.#headersOf(asker, takenBy(asker) - 1) }
      } finally {
        asker.queries.leave()
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
    const asker = this.#askerOf(name)
    if (asker.reserved.size > 0) await this.#settleEnded(asker)
    this.#requireBytes(asker, costBytes)
    const charge = new QueryCharge(asker, costBytes)
    asker.admitting++
    try {
      // Jobs that run here are among those that have not ended.
      const others = takenBy(asker) - asker.jobs
      if (others + (await openJobs()) > this.#placesMax) throw this.#tooMany(asker)
      return await make()
    } finally {
      asker.admitting--
      charge.settle()
    }
  }

  /**
   * Charges the estimate of a query until a job of this process has run it, or it is found to have
   * ended elsewhere, which has charged it there.
   */
  reserve({ key, asker: name, costBytes }: QueryOfJob, isOpen: Reservation['isOpen']): void {
    const asker = this.#askerOf(name)
    if (asker.reserved.has(key)) return
    asker.reserved.set(key, { charge: new QueryCharge(asker, costBytes), isOpen })
  }

  /** Runs the work of a job, or returns `undefined` while its turn has not come. */
  async ifRoom<T>(
    { key, asker: name, costBytes }: QueryOfJob,
    work: (onRead: OnRead) => Promise<T>,
  ): Promise<{ readonly value: T } | undefined> {
    const asker = this.#askerOf(name)
    if (!asker.queries.enterJob(key)) return undefined
    asker.jobs++
    const reserved = asker.reserved.get(key)?.charge
    asker.reserved.delete(key)
    // What was reserved yesterday is read today.
    const charge = reserved?.isOf(asker.day) ? reserved : new QueryCharge(asker, costBytes)
    try {
      return { value: await work(charge.onRead) }
    } finally {
      charge.settle()
      asker.jobs--
      asker.queries.leave()
    }
  }

  get #placesMax(): number {
    const { running, queued } = this.#deps.queryLimits
    return running + queued
  }

  #askerOf(name: string): Asker {
    const today = Math.floor(this.#deps.ambient.nowMs() / DAY_MS)
    const known = this.#askers.get(name)
    if (known?.day === today) return known
    if (known !== undefined) return Object.assign(known, { day: today, bytes: 0 })
    const { running } = this.#deps.queryLimits
    const lines = { queries: new QueryLine(running), preparing: new QueryLine(running) }
    const none = { jobs: 0, admitting: 0, day: today, bytes: 0 }
    const asker: Asker = { ...lines, ...none, reserved: new Map() }
    this.#askers.set(name, asker)
    return asker
  }

  #secondsLeft(): number {
    const { ambient } = this.#deps
    return Math.ceil((DAY_MS - (ambient.nowMs() % DAY_MS)) / 1_000)
  }

  /** Frees what is reserved for jobs that have ended, and have not run here. */
  async #settleEnded({ reserved }: Asker): Promise<void> {
    for (const [key, { charge, isOpen }] of [...reserved]) {
      if (await isOpen()) continue
      charge.settle()
      reserved.delete(key)
    }
  }

  #requireBytes(asker: Asker, costBytes: number): void {
    const { bytesPerDay } = this.#deps.queryLimits
    const left = Math.max(0, bytesPerDay - asker.bytes)
    if (bytesPerDay === 0 || (left > 0 && costBytes <= left)) return
    const seconds = this.#secondsLeft()
    const reads = costBytes > left ? `, and this one counts for ${costBytes}` : ''
    const instead = costBytes > 0 ? 'ask for fewer columns or files by a filter, or ask' : 'ask'
    throw new ProblemError(
      'quota-exceeded',
      `queries of one caller read at most ${bytesPerDay} bytes a day, of which ${left} are left` +
        `${reads}: ${instead} again after midnight UTC, in ${seconds} s`,
      {
        facts: {
          ...{ quota: 'bytes-per-day', limit: bytesPerDay, left, costBytes },
          retryAfterSeconds: seconds,
          ...this.#factsOf(asker),
        },
      },
    )
  }

  #requirePlace(asker: Asker): void {
    if (takenBy(asker) >= this.#placesMax) throw this.#tooMany(asker)
  }

  #tooMany(asker: Asker): ProblemError {
    const { running, queued } = this.#deps.queryLimits
    return new ProblemError(
      'quota-exceeded',
      `of one caller ${running} ${running === 1 ? 'query runs' : 'queries run'} at once and ` +
        `${queued} ${queued === 1 ? 'waits' : 'wait'}, datasets that are being made among them: ` +
        'ask again when some of yours have ended',
      {
        facts: {
          ...{ quota: 'queries', limit: running + queued, retryAfterSeconds: RETRY_AFTER_SECONDS },
          ...this.#factsOf(asker, this.#placesMax),
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
    const { bytesPerDay } = this.#deps.queryLimits
    const all = this.#placesMax
    const policies = [`"queries";q=${all};qu="concurrent-requests"`]
    const limits = [`"queries";r=${Math.max(0, all - taken)}`]
    if (bytesPerDay > 0) {
      policies.push(`"bytes";q=${bytesPerDay};w=${DAY_MS / 1_000};qu="content-bytes"`)
      limits.push(`"bytes";r=${Math.max(0, bytesPerDay - bytes)};t=${this.#secondsLeft()}`)
    }
    return { 'RateLimit-Policy': policies.join(', '), RateLimit: limits.join(', ') }
  }
}

function takenBy({ queries, preparing, admitting }: Asker): number {
  return queries.taken + preparing.taken + admitting
}
