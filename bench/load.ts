import { setTimeout as sleep } from 'node:timers/promises'
import { HttpConnection } from './http-connection.ts'
import { percentile } from './machine.ts'
import { processCpuUs } from './process-family.ts'
import { IS_QUICK } from './report.ts'

export const LOAD_SECONDS = Number(process.env['BENCH_SECONDS'] ?? (IS_QUICK ? 1 : 5))
/** Before the clock starts: opens connections, compiles code. */
export const WARM_UP_SECONDS = IS_QUICK ? 0.5 : 2

export interface Load {
  readonly url: string
  /** Each has a connection of its own, and sends its next request after the reply to the last. */
  readonly clients: number
  readonly seconds?: number
  readonly warmUpSeconds?: number
  /** Its processor time is reported beside that of the client. */
  readonly pid: number
  /** Does one round; `false` is not counted as done. */
  work(connection: HttpConnection, client: number): Promise<unknown>
}

export interface LoadResult {
  readonly perSecond: number
  /** Rounds that returned `false`. */
  readonly refusedPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Processor time for each round, of this process and of the one that is measured. */
  readonly clientCpuUs: number
  readonly serviceCpuUs: number
}

/**
 * Runs this many clients that repeat one thing. What is still under way at the end is not counted.
 */
export async function runLoad(load: Load): Promise<LoadResult> {
  const connections = await Promise.all(
    Array.from({ length: load.clients }, () => HttpConnection.open(load.url)),
  )
  let isOver = false
  const warmUpSeconds = load.warmUpSeconds ?? WARM_UP_SECONDS
  const counter = new Counter()
  const clients = connections.map(async (connection, client) => {
    while (!isOver) {
      const begin = performance.now()
      const answer = await load.work(connection, client)
      counter.count(answer !== false, performance.now() - begin)
    }
  })
  const finish = async (): Promise<LoadResult> => {
    await sleep(warmUpSeconds * 1000)
    const before = { at: performance.now(), client: ownCpuUs(), service: processCpuUs(load.pid) }
    counter.reset()
    await sleep((load.seconds ?? LOAD_SECONDS) * 1000)
    const { times, refused } = counter
    const seconds = (performance.now() - before.at) / 1000
    const share = (us: number) => us / Math.max(1, times.length)
    isOver = true
    return {
      perSecond: times.length / seconds,
      refusedPerSecond: refused / seconds,
      p50Ms: percentile(times, 0.5),
      p99Ms: percentile(times, 0.99),
      clientCpuUs: share(ownCpuUs() - before.client),
      serviceCpuUs: share(processCpuUs(load.pid) - before.service),
    }
  }
  const [result] = await Promise.all([finish(), ...clients])
  for (const connection of connections) connection.close()
  return result
}

class Counter {
  times: number[] = []
  refused = 0

  count(isDone: boolean, ms: number): void {
    if (isDone) this.times.push(ms)
    else this.refused++
  }

  reset(): void {
    this.times = []
    this.refused = 0
  }
}

function ownCpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
