/** A timer that comes so often tells of a hold that lasted longer to within this long. */
const INTERVAL_MS = 5

/**
 * Tells `report` by how many seconds each of its timers came late: while one piece of work holds
 * the event loop, nothing else of the process runs, timers included. Returns a function that ends
 * the watch. It keeps no process alive.
 */
export function watchEventLoop(report: (seconds: number) => void): () => void {
  let before = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    report(Math.max(0, now - before - INTERVAL_MS) / 1000)
    before = now
  }, INTERVAL_MS)
  timer.unref()
  return () => clearInterval(timer)
}
