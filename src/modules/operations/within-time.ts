/** Whatever takes longer to respond is not ready. */
const REPLY_MS_MAX = 5_000

export class NoReplyError extends Error {}

/** Throws a `NoReplyError` that names what did not respond in time; the work goes on. */
export async function withinTime<T>(work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const tell = () => reject(new NoReplyError(`${what} did not respond in time`))
    timer = setTimeout(tell, REPLY_MS_MAX)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
