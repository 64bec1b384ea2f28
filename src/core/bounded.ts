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
  const results = items.map(() => newSettler<Result>())
  let next = 0
  let isOver = false
  const worker = async (): Promise<void> => {
    while (next < items.length && !isOver) {
      const index = next++
      const { resolve, reject } = results[index] as Settler<Result>
      await work(items[index] as Item).then(resolve, (error) => {
        isOver = true
        reject(error)
      })
    }
  }
  const workers = Array.from({ length: Math.min(atOnce, items.length) }, worker)
  try {
    for (const { promise } of results) yield await promise
  } finally {
    isOver = true
    await Promise.all(workers)
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
