/**
 * Maps items to results in their order, running at most `atOnce` at a time. After the first failure
 * nothing more is started.
 */
export async function mapBounded<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Array<Result>(items.length)
  let next = 0
  let failed = false
  const worker = async (): Promise<void> => {
    while (next < items.length && !failed) {
      const index = next++
      try {
        results[index] = await work(items[index] as Item)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker))
  return results
}

/**
 * Yields the results in the order of the items, running `atOnce` at a time until all are done. A
 * slow consumer does not hold up the work, so results should be small. Nothing more is started
 * after a failure, or when the consumer stops.
 */
export async function* inOrder<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): AsyncIterable<Result> {
  // Made when they are needed: of a hundred thousand items, all at once take a tenth of a second.
  const settlers = new Map<number, Settler<Result>>()
  const settlerAt = (index: number): Settler<Result> => {
    const settler = settlers.get(index) ?? newSettler<Result>()
    settlers.set(index, settler)
    return settler
  }
  let next = 0
  let isOver = false
  const worker = async (): Promise<void> => {
    while (next < items.length && !isOver) {
      const index = next++
      const { resolve, reject } = settlerAt(index)
      await work(items[index] as Item).then(resolve, (error) => {
        isOver = true
        reject(error)
      })
    }
  }
  const workers = Array.from({ length: Math.min(atOnce, items.length) }, worker)
  try {
    for (let index = 0; index < items.length; index++) {
      const result = await settlerAt(index).promise
      settlers.delete(index)
      yield result
    }
  } finally {
    isOver = true
    await Promise.all(workers)
  }
}

/**
 * Yields the results in the order of the items. At most `atOnce` of them exist at a time, begun,
 * waiting or with the consumer: nothing is started while the consumer is busy, so results may be
 * large. After a failure, or when the consumer stops, it waits for what was started.
 */
export async function* inWindow<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item, index: number) => Promise<Result>,
): AsyncIterable<Result> {
  const begun: Promise<Result>[] = []
  let next = 0
  try {
    for (;;) {
      while (next < items.length && begun.length < atOnce) {
        const result = work(items[next] as Item, next)
        // Awaited when its turn comes; until then a failure must not count as unhandled.
        result.catch(() => undefined)
        begun.push(result)
        next++
      }
      const first = begun.shift()
      if (first === undefined) return
      yield await first
    }
  } finally {
    await Promise.allSettled(begun)
  }
}

interface Settler<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
}

function newSettler<T>(): Settler<T> {
  let resolve: Settler<T>['resolve'] = () => undefined
  let reject: Settler<T>['reject'] = () => undefined
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  // Awaited when its turn comes; until then a failure must not count as unhandled.
  promise.catch(() => undefined)
  return { promise, resolve, reject }
}

/** So many callers at once; the others wait, first come, first served. */
export class Slots {
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(count: number) {
    this.#free = count
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      // The slot goes to the next one without being free in between.
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}
