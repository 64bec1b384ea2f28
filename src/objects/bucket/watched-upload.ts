import { StalledError } from './without-stalls.ts'

export const UPLOAD_STALL_MS_MAX = 120_000

/**
 * Ends as `upload` does, or with a `StalledError` when it has neither taken a chunk nor ended for
 * too long: a library that waits for an answer that never comes waits for ever. The time that the
 * chunks themselves take does not count. The signal ends what is left of the upload.
 */
export async function watchedUpload(
  chunks: AsyncIterable<Uint8Array>,
  stallMs: number,
  upload: (chunks: AsyncIterable<Uint8Array>, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController()
  const source = chunks[Symbol.asyncIterator]()
  let timer: NodeJS.Timeout | undefined
  let stall: (error: StalledError) => void = () => undefined
  const stalled = new Promise<never>((_, reject) => {
    stall = reject
  })
  const watch = () => {
    timer = setTimeout(() => stall(new StalledError('the store takes no more')), stallMs)
  }
  async function* watched(): AsyncGenerator<Uint8Array> {
    for (;;) {
      clearTimeout(timer)
      const result = await source.next().finally(watch)
      if (result.done === true) return
      yield result.value
    }
  }
  watch()
  try {
    await Promise.race([upload(watched(), stop.signal), stalled])
  } catch (error) {
    stop.abort(error)
    throw error
  } finally {
    clearTimeout(timer)
    await source.return?.()
  }
}
