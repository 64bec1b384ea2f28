/**
 * The longest that one request about a table of very many files holds the event loop: staging and
 * committing them, cloning, planning, dumping and dropping.
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
import { printMachine, printRow } from './machine.ts'
import { IS_QUICK, openReport } from './report.ts'
import { WIDE_COLUMNS, wideFile } from './wide-files.ts'

const FILES = IS_QUICK ? 10_000 : 100_000
const COMMITTED = IS_QUICK ? 10_000 : 40_000
const FILES_PER_REQUEST = 10_000
const AIM = { atMost: 100 }
const TABLES = '/v1/tables'

const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
const links = await FileLinks.make(home)
const environment = { MORAINE_ALLOWED_LOCATIONS: links.folder }
let service = await startBenchService(home, environment)
const wide = await make('wide', WIDE_COLUMNS)
await make('grown', LINKED_COLUMNS)
await service.stop()
await fillFiles(home, {
  tableUuid: wide.table_id,
  added: Array.from({ length: FILES }, (_, i) => wideFile(home, i)),
})
links.prepare(COMMITTED)

printMachine(`The longest hold of the event loop by a table of ${FILES} files`)
const report = openReport('large-table')
service = await startBenchService(home, environment)
printRow(['what', 'longest hold ms', 'took ms'])
printRow(['---', '---', '---'])
await sleep(2_000) // for the publications of the start
const { transaction_id } = await post('/v1/transactions/start', {})
await timed(`staging ${COMMITTED} files`, async () => {
  for (let staged = 0; staged < COMMITTED; staged += FILES_PER_REQUEST) {
    const files = Array.from({ length: FILES_PER_REQUEST }, () => ({ path: links.take() }))
    await post(`${TABLES}/grown/files`, { transaction_id, files })
  }
})
await timed(`committing ${COMMITTED} files`, () =>
  post('/v1/transactions/commit', { transaction_id }),
)
await timed('a clone', () => post(`${TABLES}/wide/clone`, { name: 'copy' }))
await timed('a plan', () => post('/iceberg/v1/namespaces/default/tables/wide/plan', {}))
// The files are not there, so it is reset or refused; what is measured comes before.
await timed('the beginning of a dump', async () => {
  const dump = await fetch(`${service.url}${TABLES}/wide/dump?format=csv`).catch(() => undefined)
  await dump?.text().catch(() => undefined)
})
await timed('a purge of the clone', () => drop('copy'))
await timed('a purge', () => drop('wide'))
await service.stop()
rmSync(home, { recursive: true })

function make(name: string, columns: unknown) {
  return post(TABLES, { name, schema: { columns } })
}

function post(path: string, body: unknown) {
  return call(service.url + path, { method: 'POST', body })
}

function drop(name: string) {
  return call(`${service.url}${TABLES}/${name}?purge=true`, { method: 'DELETE' })
}

async function timed(what: string, work: () => Promise<unknown>): Promise<void> {
  await longestHoldMs(service)
  const begin = performance.now()
  await work()
  const took = performance.now() - begin
  const held = await longestHoldMs(service)
  printRow([what, held.toFixed(0), took.toFixed(0)])
  report.figure({ what: `longest hold: ${what}`, value: held, unit: 'ms', aim: AIM })
}
