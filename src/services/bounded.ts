/** Maps in order, with at most `atOnce` under way. The first failure stops the rest from starting. */
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

/** Works ahead by at most `atOnce`, and gives the results in the order of the items. */
export async function* inOrder<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): AsyncIterable<Result> {
  const running: Promise<Result>[] = []
  let next = 0
  const startNext = () => {
    if (next >= items.length) return
    const started = work(items[next++] as Item)
    // Looked at in turn; until then a failure must not count as unhandled.
    started.catch(() => undefined)
    running.push(started)
  }
  for (let i = 0; i < atOnce; i++) startNext()
  try {
    for (let first = running.shift(); first !== undefined; first = running.shift()) {
      yield await first
      startNext()
    }
  } finally {
    await Promise.allSettled(running)
  }
}
