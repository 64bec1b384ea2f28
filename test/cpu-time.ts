/**
 * Milliseconds of processor time that this process takes for some work, on all its threads. Unlike
 * the clock it does not go on while others have the processors.
 */
export function cpuMsOf(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  return cpuMsSince(before)
}

export function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}
