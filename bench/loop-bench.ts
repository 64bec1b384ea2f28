/**
 * The longest that one request holds the event loop while all others wait, for the heaviest
 * requests.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fillFiles } from './bench-home.ts'
import { startBenchService } from './bench-service.ts'
import { call } from './client.ts'
import { longestHoldMs } from './event-loop-hold.ts'
import { FileLinks, LINKED_COLUMNS } from './file-links.ts'
import { HttpConnection } from './http-connection.ts'
import { fillHistory } from './long-history.ts'
import { printMachine, printRow } from './machine.ts'
import { IS_QUICK, openReport } from './report.ts'
import { WIDE_COLUMNS, wideFile } from './wide-files.ts'

const FILES = IS_QUICK ? 10_000 : 100_000
const SNAPSHOTS = IS_QUICK ? 2_000 : 9_000
const COLUMNS = 2_000
const COMMITS = 64
const ROUNDS = 3
const AIM = { atMost: 50 }

const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
const links = await FileLinks.make(home)
const environment = { MORAINE_ALLOWED_LOCATIONS: links.folder }
let service = await startBenchService(home, environment)
const make = (name: string, columns: unknown) =>
  call(`${service.url}/v1/tables`, { method: 'POST', body: { name, schema: { columns } } })
const wide = await make('wide', WIDE_COLUMNS)
const long = await make('long', LINKED_COLUMNS)
await make('busy', LINKED_COLUMNS)
await service.stop()
await fillHistory(home, { tableUuid: long.table_id, snapshots: SNAPSHOTS })
await fillFiles(home, {
  tableUuid: wide.table_id,
  added: Array.from({ length: FILES }, (_, i) => wideFile(home, i)),
})

printMachine('The longest hold of the event loop by the heaviest requests')
const report = openReport('loop')
service = await startBenchService(home, environment)
printRow(['what', 'longest hold ms', 'took ms'])
printRow(['---', '---', '---'])
const rest = '/iceberg/v1/namespaces/default/tables'
const half = encodeURIComponent(`c1 >= ${FILES * 500}`)
const columns = Array.from({ length: COLUMNS }, (_, i) => ({ name: `column_${i}`, type: 'long' }))
await sleep(2_000) // for the publications of the start
await timed('nothing', () => sleep(500))
await timed(`cold: ${FILES} files as JSON`, () => get('/v1/tables/wide'))
await timed(`${FILES} files as JSON`, () => get('/v1/tables/wide'))
await timed('half of them by a bound', () => get(`/v1/tables/wide?filter=${half}`))
await timed('8 such lists at once', () =>
  Promise.all(Array.from({ length: 8 }, () => get(`/v1/tables/wide?filter=${half}`))),
)
await timed('a plan of all of them, its first page', () => post(`${rest}/wide/plan`, {}))
await timed(`REST load of ${SNAPSHOTS} snapshots, the first`, () => get(`${rest}/long`))
await timed('the same, 16 at once', () =>
  Promise.all(Array.from({ length: 16 }, () => get(`${rest}/long`))),
)
await timed('a page of the log, 1,000 of it', () => get('/v1/tables/long/snapshots?page_size=1000'))
await timed(`a commit to ${SNAPSHOTS} snapshots, and its load`, async () => {
  links.prepare(1)
  await append('long')
  await get(`${rest}/long`)
})
await timed(`a table of ${COLUMNS} columns made`, () => make('broad', columns), 1)
await timed(`a table of ${COLUMNS} columns`, () => get('/v1/tables/broad'))
links.prepare(COMMITS * ROUNDS)
await timed(`${COMMITS} commits at once`, () =>
  Promise.all(Array.from({ length: COMMITS }, () => append('busy'))),
)
await service.stop()
rmSync(home, { recursive: true })

async function get(path: string): Promise<void> {
  await ask({ path })
}

async function post(path: string, body: unknown): Promise<void> {
  await ask({ method: 'POST', path, body: JSON.stringify(body) })
}

function append(table: string): Promise<void> {
  return post(`/v1/tables/${table}/files`, { files: [{ path: links.take() }] })
}

async function ask(question: Parameters<HttpConnection['ask']>[0]): Promise<void> {
  const connection = await HttpConnection.open(service.url)
  const { status, body } = await connection.ask(question)
  connection.close()
  if (status < 300) return
  throw new Error(`${question.path}: ${status} ${body.toString().slice(0, 500)}`)
}

async function timed(what: string, work: () => Promise<unknown>, rounds = ROUNDS): Promise<void> {
  const isOnce = what.startsWith('cold')
  await longestHoldMs(service)
  const begin = performance.now()
  for (let i = 0; i < (isOnce ? 1 : rounds); i++) await work()
  const took = (performance.now() - begin) / (isOnce ? 1 : rounds)
  const held = await longestHoldMs(service)
  printRow([what, held.toFixed(0), took.toFixed(0)])
  report.figure({ what: `longest hold: ${what}`, value: held, unit: 'ms', aim: AIM })
}
