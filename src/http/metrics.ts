import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Meter } from '../lake/dependencies.ts'
import type { DumpMeter } from '../modules/dumps/dumps.ts'

const HOLD_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]
const SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120]

/** What operators see at `/metrics`. Each service of a process has its own. */
export class Metrics implements Meter, DumpMeter {
  readonly #registry = new Registry()
  readonly #requests = this.#counter(
    'moraine_http_requests_total',
    'Requests by method, route pattern and status.',
    ['method', 'route', 'status'],
  )
  readonly #duration = new Histogram({
    name: 'moraine_http_request_duration_seconds',
    help: 'From the first byte of the request to the last of the answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS,
    registers: [this.#registry],
  })
  readonly #commits = this.#counter('moraine_commits_total', 'Transactions committed.')
  readonly #refusals = this.#counter(
    'moraine_commit_refusals_total',
    'Commits refused, by problem code.',
    ['code'],
  )
  readonly #retries = this.#counter(
    'moraine_commit_retries_total',
    'Commits that went again because another process came first.',
  )
  readonly #stagedFiles = this.#counter('moraine_staged_files_total', 'Data files staged.')
  readonly #publications = this.#counter(
    'moraine_publications_total',
    'Table metadata files written.',
  )
  readonly #cacheHits = this.#counter(
    'moraine_manifest_cache_hits_total',
    'Manifests and manifest lists that were decoded already.',
  )
  readonly #cacheMisses = this.#counter(
    'moraine_manifest_cache_misses_total',
    'Manifests and manifest lists that were read from storage.',
  )
  readonly #cacheBytes = new Gauge({
    name: 'moraine_manifest_cache_bytes',
    help: 'Held by decoded manifests.',
    registers: [this.#registry],
  })
  readonly #dumpStreams = new Gauge({
    name: 'moraine_dump_streams',
    help: 'Dumps that are being sent, or waited for.',
    registers: [this.#registry],
  })
  readonly #dumpBytes = this.#counter('moraine_dump_bytes_total', 'Bytes of dumps sent.')
  readonly #dumpStalls = this.#counter(
    'moraine_dump_stalled_readers_total',
    'Readers of dumps cut off because they took nothing for too long.',
  )
  readonly #dumpBuilds = this.#counter('moraine_dump_builds_total', 'Dumps that were begun.')
  readonly #dumpFailures = this.#counter(
    'moraine_dump_failures_total',
    'Dumps that could not be made, by problem code.',
    ['code'],
  )

  readonly #loopHolds = new Histogram({
    name: 'moraine_event_loop_held_seconds',
    help: 'How late timers came because one piece of work held the event loop; one a turn of 5 ms.',
    buckets: HOLD_SECONDS,
    registers: [this.#registry],
  })
  /** Since the last scrape. */
  #longestHoldSeconds = 0

  constructor() {
    this.#exportLongestHold()
    collectDefaultMetrics({ register: this.#registry })
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** In the Prometheus text format. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  eventLoopHeld(seconds: number): void {
    this.#loopHolds.observe(seconds)
    this.#longestHoldSeconds = Math.max(this.#longestHoldSeconds, seconds)
  }

  #exportLongestHold(): void {
    const takeLongest = () => {
      const seconds = this.#longestHoldSeconds
      this.#longestHoldSeconds = 0
      return seconds
    }
    new Gauge({
      name: 'moraine_event_loop_held_max_seconds',
      help: 'The longest since the last scrape.',
      registers: [this.#registry],
      collect() {
        this.set(takeLongest())
      },
    })
  }

  requestEnded(request: {
    readonly method: string
    /** The pattern, never the path: a label has few values. */
    readonly route: string
    readonly status: number
    readonly seconds: number
  }): void {
    const { method, route, seconds } = request
    const labels = { method, route, status: String(request.status) }
    this.#requests.inc(labels)
    this.#duration.observe(labels, seconds)
  }

  committed(transactions: number): void {
    this.#commits.inc(transactions)
  }

  commitRefused(code: string): void {
    this.#refusals.inc({ code })
  }

  commitRetried(): void {
    this.#retries.inc()
  }

  filesStaged(files: number): void {
    this.#stagedFiles.inc(files)
  }

  published(): void {
    this.#publications.inc()
  }

  manifestCacheHit(): void {
    this.#cacheHits.inc()
  }

  manifestCacheMiss(): void {
    this.#cacheMisses.inc()
  }

  manifestCacheBytes(bytes: number): void {
    this.#cacheBytes.set(bytes)
  }

  dumpStreamsActive(streams: number): void {
    this.#dumpStreams.set(streams)
  }

  dumpBytesSent(bytes: number): void {
    this.#dumpBytes.inc(bytes)
  }

  dumpReaderStalled(): void {
    this.#dumpStalls.inc()
  }

  dumpStarted(): void {
    this.#dumpBuilds.inc()
  }

  dumpFailed(code: string): void {
    this.#dumpFailures.inc({ code })
  }

  #counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.#registry] })
  }
}
