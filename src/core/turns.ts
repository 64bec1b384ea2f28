import { runStepsInTurns } from './steps.ts'

/** Length of a slice of work between two turns of the event loop. */
const SLICE_MS = 8

/** Callers waiting for a turn, first come, first served. */
const WAITING: (() => void)[] = []

/**
 * Lets long work yield to others. However many callers there are, only one of them runs a slice
 * before the event loop handles its sockets and timers again.
 */
export class Turns {
  readonly #signal: AbortSignal | undefined
  #endMs = 0

  /** Work whose signal has ended takes no further turn. */
  constructor(signal?: AbortSignal) {
    this.#signal = signal
  }

  /**
   * Returns `undefined` to continue at once. The first call always waits, so that requests that
   * arrive together take turns, too. Throws the reason of the signal.
   */
  take(): Promise<void> | undefined {
    this.#signal?.throwIfAborted()
    return performance.now() < this.#endMs ? undefined : this.#wait()
  }

  async #wait(): Promise<void> {
    await new Promise<void>((resolve) => {
      WAITING.push(resolve)
      if (WAITING.length === 1) setImmediate(giveTurn)
    })
    this.#endMs = performance.now() + SLICE_MS
  }
}

/** Small items that are sorted or looked at in a row: about a millisecond's work. */
const RUN_LENGTH = 512

/** Whether so many of many small items were done in a row that others should have a turn. */
export function isTurnDue(index: number): boolean {
  return index % RUN_LENGTH === RUN_LENGTH - 1
}

/** As `toSorted`, with turns for others in between: what is short is sorted at once. */
export async function sortInTurns<T>(
  items: readonly T[],
  compare: (left: T, right: T) => number,
  turns = new Turns(),
): Promise<readonly T[]> {
  return runStepsInTurns(sortSteps(items, compare), () => turns.take())
}

/** As `sortInTurns`, in steps. */
export function* sortSteps<T>(
  items: readonly T[],
  compare: (left: T, right: T) => number,
): Generator<void, readonly T[]> {
  if (items.length <= RUN_LENGTH) return items.toSorted(compare)
  let runs: (readonly T[])[] = []
  for (let start = 0; start < items.length; start += RUN_LENGTH) {
    yield
    runs.push(items.slice(start, start + RUN_LENGTH).sort(compare))
  }
  while (runs.length > 1) {
    const merged: (readonly T[])[] = []
    for (let i = 0; i < runs.length; i += 2) {
      merged.push(yield* mergeSteps(runs[i] ?? [], runs[i + 1] ?? [], compare))
    }
    runs = merged
  }
  return runs[0] ?? []
}

/** Items of `left` come before equal ones of `right`. */
function* mergeSteps<T>(
  left: readonly T[],
  right: readonly T[],
  compare: (left: T, right: T) => number,
): Generator<void, readonly T[]> {
  const merged: T[] = []
  let at = 0
  for (const item of left) {
    while (at < right.length && compare(right[at] as T, item) < 0) {
      merged.push(right[at++] as T)
      if (merged.length % RUN_LENGTH === 0) yield
    }
    merged.push(item)
    if (merged.length % RUN_LENGTH === 0) yield
  }
  return merged.concat(right.slice(at))
}

function giveTurn(): void {
  // Immediates set now run after the event loop has handled sockets and timers.
  WAITING.shift()?.()
  if (WAITING.length > 0) setImmediate(giveTurn)
}
