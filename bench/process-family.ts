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
  for (const [id, one] of statistics) if (isOfFamily(id)) ticks += one.ticks
  return ticks * MS_PER_TICK
}

interface ProcessStatistics {
  readonly pid: number
  readonly parent: number
  readonly ticks: number
}

function readAll(): readonly ProcessStatistics[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const text = readFileSync(`/proc/${name}/stat`, 'utf8')
      // `id (name) state parent ...`: the name may contain anything.
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
      const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0)
      return [{ pid: Number(name), parent: Number(fields[1]), ticks }]
    } catch {
      return [] // it ended in between
    }
  })
}
