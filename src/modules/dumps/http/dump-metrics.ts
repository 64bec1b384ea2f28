import { counter, gauge } from '../../../http/metrics.ts'
import type { DumpMeter } from '../dump-dependencies.ts'
import type { StreamMeter } from './dump-streams.ts'

/** Metrics of dumps. */
export class DumpMetrics implements DumpMeter, StreamMeter {
  readonly #streams = gauge(
    'moraine_dump_streams',
    'Dump downloads in progress, including those waiting for the dump.',
  )
  readonly #bytes = counter('moraine_dump_bytes_total', 'Bytes of dumps sent to clients.')
  readonly #stalls = counter(
    'moraine_dump_stalled_readers_total',
    'Dump downloads cut off because the client stopped reading.',
  )
  readonly #builds = counter('moraine_dump_builds_total', 'Dumps started.')
  readonly #failures = counter(
    'moraine_dump_failures_total',
    'Dumps that failed, by problem code.',
    ['code'],
  )

  readonly meters = [this.#streams, this.#bytes, this.#stalls, this.#builds, this.#failures]

  dumpStreamsActive(streams: number): void {
    this.#streams.set(streams)
  }

  dumpBytesSent(bytes: number): void {
    this.#bytes.inc(bytes)
  }

  dumpReaderStalled(): void {
    this.#stalls.inc()
  }

  dumpStarted(): void {
    this.#builds.inc()
  }

  dumpFailed(code: string): void {
    this.#failures.inc({ code })
  }
}
