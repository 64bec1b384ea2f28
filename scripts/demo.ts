/** `make demo`: real flights through the public API, by commands that are printed and then run. */
import { relative, resolve } from 'node:path'
import { showDumps } from './demo-dump.ts'
import { splitFlights } from './demo-flights.ts'
import { startDemoService } from './demo-service.ts'
import { post, requireTools, run, say } from './demo-shell.ts'

const FOLDER = resolve(process.env['DEMO_FOLDER'] ?? '.demo')

async function main(): Promise<void> {
  requireTools()
  console.log('Splitting 3,000,000 real flights (January to June 2001) by month, some seconds ...')
  const files = await splitFlights(`${FOLDER}/flights`)
  const service = await startDemoService(FOLDER, { allowedLocation: `${FOLDER}/flights` })
  const table = `${service.url}/v1/tables/flights`
  createTable(service.url, files.months[0] ?? '')
  const march = commitMonths(service.url, files.months)
  readThePast(table, march)
  const now = replaceAndUndo(service.url, files.late)
  showDumps({ table, folder: FOLDER, snapshots: { march: march.snapshotId, now } })
  console.log(`
Moraine is still running at ${service.url}
  the API, to read and try    ${service.url}/docs
  this table                  ${table}
  its files                   ${relative('.', FOLDER)}/home/warehouse
  to stop it                  make stop`)
}

function createTable(url: string, file: string): void {
  say('A table, its columns taken from a file, partitioned by month')
  const body = {
    name: 'flights',
    infer_from: file,
    partitioning: [{ column: 'date', transform: 'month' }],
    description: 'US domestic flights, January to June 2001',
  }
  const columns = `jq -r '[.schema.columns[] | "\\(.name) \\(.type)"] | join(", ")'`
  run(`${post(`${url}/v1/tables`, body)} | ${columns}`)
}

interface Commit {
  readonly snapshotId: string
  readonly timestamp: string
}

/** Returns the commit of March. */
function commitMonths(url: string, months: readonly string[]): Commit {
  say('One transaction a month: start, stage, commit (six flights left at midnight of 1 July)')
  const commits = months.map((path) => {
    const message = path.slice(path.lastIndexOf('/') + 1)
    const start = post(`${url}/v1/transactions/start`, { author: 'demo', message })
    const transaction_id = run(`${start} | jq -r .transaction_id`)
    const stage = post(`${url}/v1/tables/flights/files`, { transaction_id, files: [{ path }] })
    run(`${stage} | jq -r '.staged[] | "\\(.record_count) rows staged"'`)
    const commit = post(`${url}/v1/transactions/commit`, { transaction_id })
    const shown = '.snapshot_id, .timestamp, "+\\(.added_records) rows"'
    const [snapshotId = '', timestamp = ''] = run(
      `${commit} | jq -r '.results[0] | [${shown}] | join("  ")'`,
    ).split('  ')
    return { snapshotId, timestamp }
  })
  const [, , march] = commits
  if (march === undefined) throw new Error('there is no third month')
  return march
}

function readThePast(table: string, march: Commit): void {
  say('The snapshot log, newest first')
  const entry = '.timestamp, .snapshot_id, .operation, .summary["total-records"], .message'
  run(`curl -fsS '${table}/snapshots' | jq -r '.snapshots[] | [${entry}] | join("  ")'`)
  say('The table as it was when March had been committed')
  const totals = '"\\(.totals.data_files) files, \\(.totals.records) rows"'
  run(`curl -fsS '${table}?as_at=${march.timestamp}' | jq -r '.snapshot.snapshot_id, ${totals}'`)
  say('A filter prunes files by their statistics: one of seven is left to read')
  const filter = "date >= '2001-03-05' AND date < '2001-03-12' AND origin = 'LAX'"
  run(
    `curl -fsSG '${table}' --data-urlencode "filter=${filter}" ` +
      `| jq -c '.planning.files, (.data_files[].path | sub(".*/"; ""))'`,
  )
}

/** Returns the snapshot that is current in the end. */
function replaceAndUndo(url: string, late: string): string {
  const table = `${url}/v1/tables/flights`
  const rows = (name = 'flights') =>
    run(`curl -fsS '${url}/v1/tables/${name}' | jq -r '"${name}: \\(.totals.records) rows"'`)
  rows()
  const now = run(`curl -fsS '${table}' | jq -r .snapshot.snapshot_id`)
  say('A clone: another table over the same files, no bytes copied')
  run(`${post(`${table}/clone`, { name: 'flights_lab' })} | jq -r .identifier`)
  say('Truncate and replace, as one transaction: readers see all of it or nothing')
  const transaction_id = run(`${post(`${url}/v1/transactions/start`, {})} | jq -r .transaction_id`)
  run(`${post(`${table}/files/truncate`, { transaction_id })} | jq -c 'keys'`)
  const stage = post(`${table}/files`, { transaction_id, files: [{ path: late }] })
  run(`${stage} | jq -r '.staged[] | "\\(.record_count) rows staged"'`)
  const done = '"\\(.operation): -\\(.removed_data_files) files, +\\(.added_records) rows"'
  const commit = post(`${url}/v1/transactions/commit`, { transaction_id })
  run(`${commit} | jq -r '.results[] | ${done}'`)
  rows()
  rows('flights_lab')
  say('Rollback: the older snapshot is current again, and nothing is forgotten')
  const rollback = post(`${table}/rollback`, { snapshot_id: now })
  run(`${rollback} | jq -r '"snapshot \\(.snapshot.snapshot_id)"'`)
  rows()
  const log = `curl -fsS '${table}/snapshots?page_size=3'`
  run(`${log} | jq -r '.snapshots[] | "\\(.logged_at)  \\(.snapshot_id)"'`)
  return now
}

await main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
