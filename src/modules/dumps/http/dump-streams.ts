import type { ServerResponse } from 'node:http'
import { CatalogError } from '../../../core/errors.ts'

/** Counts dump downloads. */
export interface StreamMeter {
  dumpStreamsActive(streams: number): void
  dumpBytesSent(bytes: number): void
  dumpReaderStalled(): void
}

export interface DumpLimits {
  /** Downloads at once, including those waiting for their dump. */
  readonly streamsMax: number
  /** A reader that takes nothing for this long is cut off, after at most twice the time. */
  readonly stalledMs: number
  /** How long a request that needs the finished dump waits for it. */
  readonly indexWaitMs: number
  /** A dump finished within this time is sent with its length and digest. */
  readonly firstWaitMs: number
  /**
   * How much longer a dump being made waits for its first rows, so that an early failure is a
   * problem document.
   */
  readonly firstRowsMs: number
  /** Memory for each reader besides its connection, however slow it is. */
  readonly chunkBytes: number
}

export const DUMP_LIMITS: DumpLimits = {
  streamsMax: 1_000,
  stalledMs: 120_000,
  indexWaitMs: 60_000,
  firstWaitMs: 500,
  firstRowsMs: 300,
  chunkBytes: 128 * 1024,
}

const RETRY_AFTER_SECONDS = 5

/** Sends dumps to many readers at once, each at its own speed, none for ever. */
export class DumpStreams {
  readonly limits: DumpLimits
  readonly #meter: StreamMeter
  #active = 0

  constructor(meter: StreamMeter, limits: Partial<DumpLimits> = {}) {
    this.#meter = meter
    this.limits = { ...DUMP_LIMITS, ...limits }
  }

  /** Takes a place until the response is closed; throws `overloaded` if none is free. */
  enter(closed: AbortSignal): void {
    closed.throwIfAborted()
    if (this.#active >= this.limits.streamsMax) {
      throw new CatalogError(
        'overloaded',
        `too many downloads: ${this.#active} dumps are being sent already`,
        {
          facts: { streamsMax: this.limits.streamsMax, retryAfterSeconds: RETRY_AFTER_SECONDS },
        },
      )
    }
    this.#count(1)
    closed.addEventListener('abort', () => this.#count(-1), { once: true })
  }

  /**
   * Sends the chunks, pulling each when the kernel took the one before: a slow reader costs one
   * chunk. Returns early if the reader is gone; ends the iteration in any case.
   */
  async send(response: ServerResponse, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const watch = this.#watch(response)
    for await (const chunk of chunks) {
      watch.isSending = true
      if (!(await taken(response, chunk))) return
      watch.isSending = false
      this.#meter.dumpBytesSent(chunk.byteLength)
    }
    watch.isSending = true
    response.end()
  }

  /** Cuts off a reader that does not read. Waiting for a dump in the making is not a stall. */
  #watch(response: ServerResponse): { isSending: boolean } {
    const watch = { isSending: false }
    response.setTimeout(this.limits.stalledMs, () => {
      if (!watch.isSending) return
      this.#meter.dumpReaderStalled()
      // A reset also frees the kernel's buffers.
      response.socket?.resetAndDestroy()
    })
    return watch
  }

  #count(by: 1 | -1): void {
    this.#active += by
    this.#meter.dumpStreamsActive(this.#active)
  }
}

/** Whether the reader is still connected once the chunk has left this process. */
function taken(response: ServerResponse, chunk: Uint8Array): Promise<boolean> {
  if (response.destroyed) return Promise.resolve(false)
  return new Promise((resolve) => {
    const closed = () => resolve(false)
    response.once('close', closed)
    response.write(chunk, (error) => {
      response.off('close', closed)
      resolve(error === undefined || error === null)
    })
  })
}
