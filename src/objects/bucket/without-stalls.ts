import type { Readable } from 'node:stream'

const STALL_MS_MAX = 30_000

/** No bytes came for too long while they were asked for. */
export class StalledError extends Error {}

/** The same chunks; throws a `StalledError` when one that is waited for does not come. */
export async function* withoutStalls(chunks: Readable): AsyncGenerator<Uint8Array> {
  const source: AsyncIterator<Uint8Array> = chunks[Symbol.asyncIterator]()
  const stalled = () => chunks.destroy(new StalledError('the store sends no more'))
  try {
    for (;;) {
      const timer = setTimeout(stalled, STALL_MS_MAX)
      const result = await source.next().finally(() => clearTimeout(timer))
      if (result.done) return
      yield result.value
    }
  } finally {
    chunks.destroy()
  }
}
