import { counter, gauge } from '../../../http/metrics.ts'
import type { DumpMeter } from '../dumps.ts'
import type { StreamMeter } from './dump-streams.ts'

/** What dumps count, for operators. */
export class DumpMetrics implements DumpMeter, StreamMeter {
  readonly #streams = gauge('moraine_dump_streams', 'Dumps that are being sent, or waited for.')
  readonly #bytes = counter('moraine_dump_bytes_total', 'Bytes of dumps sent.')
  readonly #stalls = counter(
    'moraine_dump_stalled_readers_total',
    'Readers of dumps cut off because they took nothing for too long.',
  )
  readonly #builds = counter('moraine_dump_builds_total', 'Dumps that were begun.')
  readonly #failures = counter(
    'moraine_dump_failures_total',
    'Dumps that could not be made, by problem code.',
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
