import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type Metric,
  Registry,
} from 'prom-client'

const HOLD_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]
const SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120]

/** One metric, made by the module that counts; `Metrics.register` publishes it. */
export type Meter = Metric

/** Metrics with a label for each caller. */
const NAMES_CALLERS = new WeakSet<object>()

export function counter(
  name: string,
  help: string,
  labelNames: readonly string[] = [],
): Counter<string> {
  const made = new Counter({ name, help, labelNames: [...labelNames], registers: [] })
  if (labelNames.includes('principal')) NAMES_CALLERS.add(made)
  return made
}

export function gauge(name: string, help: string): Gauge<string> {
  return new Gauge({ name, help, registers: [] })
}

/** Tells facts by its labels; its value is 1. */
export function constantGauge(
  name: string,
  help: string,
  labels: Readonly<Record<string, string>>,
): Gauge<string> {
  const told = new Gauge({ name, help, labelNames: Object.keys(labels), registers: [] })
  told.set(labels, 1)
  return told
}

/** Counts what is counted elsewhere: `read` returns how many there were since the start. */
export function counterOf(name: string, help: string, read: () => number): Counter<string> {
  return new Counter({
    ...{ name, help, registers: [] },
    collect() {
      this.reset()
      this.inc(read())
    },
  })
}

/** Shows what is known elsewhere: `read` returns how much there is now. */
export function gaugeOf(
  name: string,
  help: string,
  read: () => number | Promise<number>,
): Gauge<string> {
  return new Gauge({
    ...{ name, help, registers: [] },
    async collect() {
      this.set(await read())
    },
  })
}

/** Shows what is known elsewhere, by one label: `read` returns what there is now. */
export function refreshedGauge(
  name: string,
  help: string,
  label: string,
  read: () => readonly (readonly [label: string, value: number])[],
): Gauge<string> {
  return new Gauge({
    ...{ name, help, labelNames: [label], registers: [] },
    collect() {
      this.reset()
      for (const [of, value] of read()) this.set({ [label]: of }, value)
    },
  })
}

/**
 * As `refreshedGauge`, for what has to be asked. When that fails, nothing is shown, and the other
 * metrics are.
 */
export function askedGauge(
  name: string,
  help: string,
  label: string,
  read: () => Promise<readonly (readonly [label: string, value: number])[]>,
): Gauge<string> {
  return new Gauge({
    ...{ name, help, labelNames: [label], registers: [] },
    async collect() {
      const values = await read().catch(() => [])
      this.reset()
      for (const [of, value] of values) this.set({ [label]: of }, value)
    },
  })
}

/** The metrics at `/metrics`. Each service of a process has its own. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #requests = counter(
    'moraine_http_requests_total',
    'Requests by method, route pattern and status.',
    ['method', 'route', 'status'],
  )
  readonly #duration = new Histogram({
    name: 'moraine_http_request_duration_seconds',
    help: 'Seconds from the first byte of the request to the last byte of the response.',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS,
    registers: [],
  })
  readonly #loopHolds = new Histogram({
    name: 'moraine_event_loop_held_seconds',
    help: 'Delay of timers while one piece of work held the event loop; one sample each 5 ms.',
    buckets: HOLD_SECONDS,
    registers: [],
  })
  /** Longest delay since the last scrape. */
  #longestHoldSeconds = 0

  constructor() {
    this.register([this.#requests, this.#duration, this.#loopHolds, this.#longestHold()])
    collectDefaultMetrics({ register: this.#registry })
  }

  /** Publishes the metrics of modules. */
  register(meters: readonly Meter[]): void {
    for (const meter of meters) this.#registry.registerMetric(meter)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** In the Prometheus text format: all metrics, or all but those that name callers. */
  async text({ withCallers = true }: { readonly withCallers?: boolean } = {}): Promise<string> {
    if (withCallers) return this.#registry.metrics()
    const shown = this.#registry.getMetricsAsArray().filter((metric) => !NAMES_CALLERS.has(metric))
    const texts = shown.map(({ name }) => this.#registry.getSingleMetricAsString(name))
    return `${(await Promise.all(texts)).join('\n\n')}\n`
  }

  eventLoopHeld(seconds: number): void {
    this.#loopHolds.observe(seconds)
    this.#longestHoldSeconds = Math.max(this.#longestHoldSeconds, seconds)
  }

  #longestHold(): Gauge {
    const takeLongest = () => {
      const seconds = this.#longestHoldSeconds
      this.#longestHoldSeconds = 0
      return seconds
    }
    return new Gauge({
      name: 'moraine_event_loop_held_max_seconds',
      help: 'Longest delay since the last scrape.',
      registers: [],
      collect() {
        this.set(takeLongest())
      },
    })
  }

  requestEnded(request: {
    readonly method: string
    /** The pattern, never the path, since a label must have few values. */
    readonly route: string
    readonly status: number
    readonly seconds: number
  }): void {
    const { method, route, seconds } = request
    const labels = { method, route, status: String(request.status) }
    this.#requests.inc(labels)
    this.#duration.observe(labels, seconds)
  }
}
