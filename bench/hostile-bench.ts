/**
 * The longest that a request holds the event loop whose body somebody made to hold it: bodies of
 * every excess that the shape of each route allows, and beyond its limits.
 *
 * Other programs lengthen a hold, and a request holds the loop no longer than the main thread works
 * for it: the less of the two is told, and both are shown. The wait for a disk is in neither.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Route } from '../src/http/route.ts'
import { documentedDialects } from '../src/modules.ts'
import { startBenchService } from './bench-service.ts'
import { call } from './client.ts'
import { longestHoldMs } from './event-loop-hold.ts'
import { excessiveBodies, type HostileBody, largeBodies } from './hostile-bodies.ts'
import { HttpConnection } from './http-connection.ts'
import { printMachine, printRow } from './machine.ts'
import { mainThreadCpuMs } from './process-family.ts'
import { IS_QUICK, openReport } from './report.ts'

const AIM = { atMost: 100 }
const BASE_MS = 5_000
/** How many of a route's bodies are sent, evenly spread over all. */
const BODIES_MAX = IS_QUICK ? 40 : Number.POSITIVE_INFINITY

const only = process.argv[2]
const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
const service = await startBenchService(home)
const columns = [
  { name: 'id', type: 'long' },
  { name: 'at', type: 'timestamptz' },
]
await call(`${service.url}/v1/tables`, {
  method: 'POST',
  body: { name: 'flights', schema: { columns } },
})
await call(`${service.url}/v1/views`, {
  method: 'POST',
  body: { name: 'late', queries: [{ dialect: 'duckdb', sql: 'SELECT 1' }], schema: { columns } },
})

printMachine('The longest hold of the event loop by hostile bodies')
const report = openReport('hostile')
printRow(['route', 'bodies', 'longest hold ms', 'as seen ms', 'main thread ms', 'by'])
printRow(['---', '---', '---', '---', '---', '---'])
await measureBase()
for (const { root, routes, paths } of documentedDialects()) {
  for (const route of routes) {
    if (route.body === undefined || (only !== undefined && route.operationId !== only)) continue
    await measure(route, root + pathOf(paths.served(route.path)))
  }
}
await service.stop()
rmSync(home, { recursive: true })

/** The hold that the machine makes of requests without work: what is below it is not ours. */
async function measureBase(): Promise<void> {
  await longestHoldMs(service)
  const endMs = performance.now() + BASE_MS
  while (performance.now() < endMs) await call(`${service.url}/health`)
  const held = await longestHoldMs(service)
  printRow(['health', '', '', held.toFixed(0), '', `nothing, for ${BASE_MS / 1_000} s`])
  report.figure({ what: 'longest hold: requests without work', value: held, unit: 'ms' })
}

function pathOf(path: string): string {
  const names: Record<string, string> = {
    ...{ table_identifier: 'flights', view_identifier: 'late', namespace: 'default' },
    ...{ table: 'flights', view: 'late' },
  }
  return path.replaceAll(/\{(.+?)\}/g, (_, name: string) => names[name] ?? 'x')
}

async function measure(route: Route, path: string): Promise<void> {
  const bodies = [...largeBodies(route), ...excessiveBodies(route)]
  const stride = Math.max(1, Math.ceil(bodies.length / BODIES_MAX))
  const holds: Hold[] = []
  for (let i = 0; i < bodies.length; i += stride) {
    holds.push(await holdOf(route, path, bodies[i] as HostileBody))
  }
  holds.sort((left, right) => right.heldMs - left.heldMs)
  const shown = holds.slice(0, only === undefined ? 1 : 20)
  for (const { heldMs, seenMs, mainThreadMs, what } of shown) {
    const times = [heldMs, seenMs, mainThreadMs].map((ms) => ms.toFixed(0))
    printRow([route.operationId, String(holds.length), ...times, what])
  }
  const longest = holds[0]?.heldMs ?? 0
  const what = `longest hold by a hostile body: ${route.operationId}`
  report.figure({ what, value: longest, unit: 'ms', aim: AIM })
}

interface Hold {
  readonly heldMs: number
  readonly seenMs: number
  readonly mainThreadMs: number
  readonly what: string
}

async function holdOf(route: Route, path: string, body: HostileBody): Promise<Hold> {
  await longestHoldMs(service)
  const beforeMs = mainThreadCpuMs(service.pid)
  await post(route, path, body)
  const seenMs = await longestHoldMs(service)
  const mainThreadMs = mainThreadCpuMs(service.pid) - beforeMs
  return { heldMs: Math.min(seenMs, mainThreadMs), seenMs, mainThreadMs, what: body.what }
}

async function post({ method }: Route, path: string, { text }: HostileBody): Promise<void> {
  const connection = await HttpConnection.open(service.url)
  try {
    const { status, body } = await connection.ask({
      method: method.toUpperCase(),
      path,
      body: text,
    })
    if (status >= 500 && status !== 501) throw new Error(`${path}: ${status} ${body.toString()}`)
  } finally {
    connection.close()
  }
}
