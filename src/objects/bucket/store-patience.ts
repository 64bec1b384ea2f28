import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  retry,
  TaskCancelledError,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel'
import type { BucketClient, StoreFault } from './bucket-client.ts'
import { StalledError } from './without-stalls.ts'

const ATTEMPTS_MORE = 4
const FIRST_PAUSE_MS = 100
const PAUSE_MS_MAX = 2_000
const ATTEMPT_MS_MAX = 15_000
/** Failures in a row, of all requests together, after which the store is left alone. */
const FAILURES_MAX = 12
const LEFT_ALONE_MS = 5_000

/**
 * How often and how long a store is asked. A request that it has no answer for is made again after
 * growing pauses of random length; a store that answers nobody is left alone for a while, in which
 * requests fail at once, so that they do not pile up.
 */
export class StorePatience {
  readonly #circuit: CircuitBreakerPolicy
  #leftAloneAtMs = Number.NEGATIVE_INFINITY
  readonly #policy: {
    execute<T>(
      work: (context: { signal: AbortSignal }) => Promise<T>,
      signal: AbortSignal,
    ): Promise<T>
  }

  constructor(isBusy: (error: unknown) => boolean) {
    const worthWaiting = handleWhen((error) => isBusy(error) || error instanceof TaskCancelledError)
    const circuit = circuitBreaker(worthWaiting, {
      halfOpenAfter: LEFT_ALONE_MS,
      breaker: new ConsecutiveBreaker(FAILURES_MAX),
    })
    circuit.onBreak(() => {
      this.#leftAloneAtMs = performance.now()
    })
    this.#circuit = circuit
    this.#policy = wrap(
      retry(worthWaiting, {
        maxAttempts: ATTEMPTS_MORE,
        backoff: new ExponentialBackoff({ initialDelay: FIRST_PAUSE_MS, maxDelay: PAUSE_MS_MAX }),
      }),
      circuit,
      // The body of an answer is read after it has begun.
      timeout(ATTEMPT_MS_MAX, { strategy: TimeoutStrategy.Aggressive, abortOnReturn: false }),
    )
  }

  /**
   * Once, for as long as it takes: what takes minutes, and is tried again in parts by a library. It
   * fails at once while the store is left alone, and its failures count. It is not what finds out
   * whether the store is back: all others would wait for it.
   */
  async askLong<T>(work: () => Promise<T>): Promise<T> {
    if (this.#circuit.state === CircuitState.Closed) return await this.#circuit.execute(work)
    // The circuit stays open until a short request is made, however long that is.
    const isLeftAlone = performance.now() - this.#leftAloneAtMs < LEFT_ALONE_MS
    if (this.#circuit.state === CircuitState.Open && isLeftAlone) throw new BrokenCircuitError()
    return await work()
  }

  ask<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    // Of its own: on the one that they would share, all that run at once would listen.
    const { signal: own } = new AbortController()
    return this.#policy.execute(({ signal }) => work(signal), own)
  }
}

/** As the client explains it; `busy` of a store that was not even asked, or not heard in time. */
export function faultOf(
  error: unknown,
  client: Pick<BucketClient, 'explain'>,
): StoreFault | undefined {
  const isImpatience = error instanceof BrokenCircuitError || error instanceof TaskCancelledError
  return isImpatience || error instanceof StalledError ? 'busy' : client.explain(error)
}
