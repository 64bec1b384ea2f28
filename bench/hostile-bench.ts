/**
 * The longest that a request holds the event loop whose body somebody made to hold it: bodies of
 * every excess that the shape of each route allows, and beyond its limits.
 *
 * Other programs lengthen a hold, and a request holds the loop no longer than the main thread works
 * for it: the less of the two is told, and both are shown. The wait for a disk is in neither.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Route } from '../src/http/route.ts'
import { documentedDialects } from '../src/modules.ts'
import { startBenchService } from './bench-service.ts'
import { call } from './client.ts'
import { longestHoldMs } from './event-loop-hold.ts'
import { excessiveBodies, largeBodies } from './hostile-bodies.ts'
import { hostileFooters, hostileUploads } from './hostile-uploads.ts'
import { HttpConnection, type Question } from './http-connection.ts'
import { printMachine, printRow } from './machine.ts'
import { mainThreadCpuMs } from './process-family.ts'
import { IS_QUICK, openReport } from './report.ts'

const AIM = { atMost: 100 }
const BASE_MS = 5_000
/** Characters of a body that is answered by a failure. */
const BODY_SHOWN = 2_000
/** How many of a route's bodies are sent, evenly spread over all. */
const BODIES_MAX = IS_QUICK ? 40 : Number.POSITIVE_INFINITY

const READS = [
  ...['', '/rows?limit=1', '/rows?limit=1&filter=id=1', '/columns/id/statistics'],
  ...['csv', 'parquet', 'arrow'].map((format) => `/dump?format=${format}`),
]

/** One route by its operation, `<operation>..` for it and all after it, or `files`. */
const asked = process.argv[2]
const only = asked?.endsWith('..') === true ? undefined : asked
let isBefore = asked !== only
const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
const folder = join(home, 'files')
mkdirSync(folder)
const service = await startBenchService(home, { MORAINE_ALLOWED_LOCATIONS: folder })
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
    if (`${route.operationId}..` === asked) isBefore = false
    if (isBefore || (only !== undefined && route.operationId !== only)) continue
    const path = root + pathOf(paths.served(route.path))
    if (route.body !== undefined) await measure(route, path)
    if (route.uploads !== undefined) await measureUploads(route, path)
  }
}
if (only === undefined || only === 'files') await measureFiles()
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
  const method = route.method.toUpperCase()
  await measureAll(
    route.operationId,
    bodies.map((body) => ({ what: body.what, ask: () => ({ method, path, body: body.text }) })),
  )
}

async function measureUploads(route: Route, path: string): Promise<void> {
  const uploads = hostileUploads(route).map(({ what, mediaType, bytes }) => ({
    what: `${mediaType}: ${what}`,
    ask: () => ({ method: 'POST', path, mediaType, body: bytes() }),
  }))
  await measureAll(`${route.operationId}, uploads`, uploads)
}

/** Parquet files with hostile footers: what makes a table of them, adds them, and reads them. */
async function measureFiles(): Promise<void> {
  const questions = hostileFooters().flatMap(({ what, file, isFitting }, i) => {
    const path = join(folder, `${i}.parquet`)
    writeFileSync(path, file())
    const add = (json: object, at: string) => ({
      what,
      ask: () => ({ method: 'POST', path: at, body: JSON.stringify(json) }),
    })
    const adding = add({ files: [{ path }] }, '/v1/tables/flights/files')
    const inferring = add({ name: `t${i}`, infer_from: path }, '/v1/tables')
    const reads = isFitting ? READS : []
    return [
      adding,
      inferring,
      ...reads.map((read) => ({
        what: `${read} of ${what}`,
        ask: () => ({ path: `/v1/tables/flights${read}` }),
      })),
    ]
  })
  await measureAll('files by path', questions)
}

interface Asked {
  readonly what: string
  /** Made when it is sent. */
  ask(): Question
}

async function measureAll(name: string, all: readonly Asked[]): Promise<void> {
  const stride = Math.max(1, Math.ceil(all.length / BODIES_MAX))
  const holds: Hold[] = []
  for (let i = 0; i < all.length; i += stride) holds.push(await holdOf(all[i] as Asked))
  holds.sort((left, right) => right.heldMs - left.heldMs)
  const shown = holds.slice(0, only === undefined ? 1 : 20)
  for (const { heldMs, seenMs, mainThreadMs, what } of shown) {
    const times = [heldMs, seenMs, mainThreadMs].map((ms) => ms.toFixed(0))
    printRow([name, String(holds.length), ...times, what])
  }
  const longest = holds[0]?.heldMs ?? 0
  const what = `longest hold by a hostile body: ${name}`
  report.figure({ what, value: longest, unit: 'ms', aim: AIM })
}

interface Hold {
  readonly heldMs: number
  readonly seenMs: number
  readonly mainThreadMs: number
  readonly what: string
}

async function holdOf({ what, ask }: Asked): Promise<Hold> {
  const question = ask()
  await longestHoldMs(service)
  const beforeMs = mainThreadCpuMs(service.pid)
  await send(question).catch((error: unknown) => {
    throw new Error(`${what}: ${question.body?.toString().slice(0, BODY_SHOWN)}`, { cause: error })
  })
  const seenMs = await longestHoldMs(service)
  const mainThreadMs = mainThreadCpuMs(service.pid) - beforeMs
  return { heldMs: Math.min(seenMs, mainThreadMs), seenMs, mainThreadMs, what }
}

async function send(question: Question): Promise<void> {
  const connection = await HttpConnection.open(service.url)
  try {
    // A dump that fails after its first bytes ends by its connection.
    const isDump = question.path.includes('/dump?')
    const cut = { status: 200, body: Buffer.alloc(0) }
    const asked = connection.ask(question)
    const { status, body } = await (isDump ? asked.catch(() => cut) : asked)
    if (status < 500 || status === 501) return
    throw new Error(`${question.path}: ${status} ${body.toString()}`)
  } finally {
    connection.close()
  }
}
