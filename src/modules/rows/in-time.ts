import { LinkedStop } from '../../core/linked-stop.ts'

export interface TimeLimit {
  readonly closed: AbortSignal
  /** `undefined`: as long as it takes. */
  readonly leftMs: number | undefined
  /** The reason of the signal when the time is over. */
  readonly late: Error
}

/** Runs work whose signal ends with the caller, or when the time is over. */
export async function inTime<T>(
  { closed, leftMs, late }: TimeLimit,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ends = new LinkedStop(closed)
  const timer = leftMs === undefined ? undefined : setTimeout(() => ends.abort(late), leftMs)
  try {
    return await work(ends.signal)
  } finally {
    clearTimeout(timer)
    ends.unlink()
  }
}
