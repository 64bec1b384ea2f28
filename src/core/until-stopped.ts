/**
 * The result of work that others may share and that goes on by itself, for as long as one waits for
 * it: rejects with the reason of the signal, at once if it has ended before.
 */
export async function untilStopped<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return await work
  let leave: () => void = () => undefined
  const stopped = new Promise<never>((_, reject) => {
    leave = () => reject(signal.reason)
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
  })
  try {
    return await Promise.race([work, stopped])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
