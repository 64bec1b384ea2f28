import { readdirSync, readFileSync } from 'node:fs'

const MS_PER_TICK = 10

/**
 * Processor time so far, in milliseconds, of a process, its threads, its living children and
 * theirs, and of those that have ended and were waited for. Linux only; ticks of 10 ms.
 */
export function familyCpuMs(pid: number): number {
  const statistics = new Map(readAll().map((one) => [one.pid, one]))
  const isOfFamily = (id: number): boolean => {
    for (let at = id; at > 1; at = statistics.get(at)?.parent ?? 0) if (at === pid) return true
    return false
  }
  let ticks = 0
  for (const [id, one] of statistics) if (isOfFamily(id)) ticks += one.ownTicks + one.endedTicks
  return ticks * MS_PER_TICK
}

/**
 * Processor time so far, in microseconds, of a process and its threads; 0 where the system does not
 * say it.
 */
export function processCpuUs(pid: number): number {
  return (findStatistics(pid)?.ownTicks ?? 0) * MS_PER_TICK * 1000
}

/**
 * Processor time so far, in milliseconds, of the process's main thread, to the nanosecond;
 * infinite where the system does not say it.
 */
export function mainThreadCpuMs(pid: number): number {
  try {
    const [runNs] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')
    return Number(runNs) / 1e6
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/**
 * Processor time so far, in nanoseconds, of a process and its living threads. Linux only.
 */
export function processCpuNs(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`)
  const ranNs = tasks.map((id) => readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8'))
  return ranNs.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0)
}

interface ProcessStatistics {
  readonly pid: number
  readonly parent: number
  /** Time of the process itself and its threads. */
  readonly ownTicks: number
  /** Time of children that have ended. */
  readonly endedTicks: number
}

function readAll(): readonly ProcessStatistics[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    return findStatistics(Number(name)) ?? []
  })
}

/** `undefined` when the process has ended, and where the system is not Linux. */
function findStatistics(pid: number): ProcessStatistics | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // `id (name) state parent ...`: the name may contain anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const sum = (first: number) => Number(fields[first]) + Number(fields[first + 1])
    return { pid, parent: Number(fields[1]), ownTicks: sum(11), endedTicks: sum(13) }
  } catch {
    return undefined
  }
}
