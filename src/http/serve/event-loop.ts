/** Interval of the timer, and so the precision of the measured delays. */
const INTERVAL_MS = 5

/**
 * Reports by how many seconds each of its timers came late: while one piece of work holds the event
 * loop, nothing else in the process runs. Returns a function that stops the watch, which does not
 * keep the process alive.
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
