/** `make demo`: real flights through the public API. Each request is printed as a curl command. */
import { relative, resolve } from 'node:path'
import { showDumps } from './demo-dump.ts'
import { splitFlights } from './demo-flights.ts'
import { startDemoService } from './demo-service.ts'

const FOLDER = resolve('.demo')

type Json = Record<string, unknown>
// biome-ignore lint/suspicious/noExplicitAny: answers are shown and picked apart, not computed with
type Answer = any

class Shell {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  async get(path: string, show: (answer: Answer) => unknown): Promise<Answer> {
    const [address, filter] = path.split('?filter=')
    const quoted = filter === undefined ? '' : ` -G --data-urlencode "filter=${filter}"`
    print(`curl '${this.#url}${address}'${quoted}`)
    return this.#answer(await fetch(encodeURI(this.#url + path)), show)
  }

  async post(path: string, body: Json, show: (answer: Answer) => unknown): Promise<Answer> {
    const json = JSON.stringify(body)
    print(`curl '${this.#url}${path}' --json '${json}'`)
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(this.#url + path, { method: 'POST', headers, body: json })
    return this.#answer(response, show)
  }

  async #answer(response: Response, show: (answer: Answer) => unknown): Promise<Answer> {
    const answer: Answer = await response.json()
    const shown = response.ok ? show(answer) : answer
    for (const line of Array.isArray(shown) ? shown : [shown]) {
      console.log(
        `   ${response.status}  ${typeof line === 'string' ? line : JSON.stringify(line)}`,
      )
    }
    if (!response.ok) throw new Error(`the demo was refused: ${answer.detail}`)
    return answer
  }
}

function say(text: string): void {
  console.log(`\n# ${text}`)
}

function print(command: string): void {
  console.log(`$ ${command}`)
}

const rows = (n: number) => `${n.toLocaleString('en-US')} rows`

async function main(): Promise<void> {
  console.log('Splitting 3,000,000 real flights (January to June 2001) by month ...')
  const files = await splitFlights(`${FOLDER}/flights`)
  console.log('Building and starting Moraine with its embedded defaults ...')
  const service = await startDemoService(FOLDER, { allowedLocation: `${FOLDER}/flights` })
  const shell = new Shell(service.url)
  const march = await commitMonths(shell, files.months)
  await readThePast(shell, march.timestamp)
  const now = await replaceAndUndo(shell, files.late)
  await showDumps({
    url: service.url,
    folder: FOLDER,
    snapshots: { march: march.snapshot_id, now: now.snapshot_id },
  })
  console.log(`
Moraine is still running at ${service.url}
  the API, to read and try    ${service.url}/docs
  this table                  ${service.url}/v1/tables/flights
  its files                   ${relative('.', FOLDER)}/home/warehouse
  to stop it                  kill ${service.pid}`)
}

/** Returns what the commit of March returned. */
async function commitMonths(shell: Shell, months: readonly string[]): Promise<Answer> {
  say('A table, its columns taken from a file, partitioned by month')
  await shell.post(
    '/v1/tables',
    {
      name: 'flights',
      infer_from: months[0],
      partitioning: [{ column: 'date', transform: 'month' }],
      description: 'US domestic flights, January to June 2001',
    },
    (t) => [
      t.schema.columns.map((c: Answer) => `${c.name} ${c.type}`).join(', '),
      `snapshot: ${t.snapshot}`,
    ],
  )
  say('One transaction a month: start, stage, commit (six flights left at midnight of 1 July)')
  let march: Answer
  for (const [index, path] of months.entries()) {
    const message = path.slice(path.lastIndexOf('/') + 1)
    const start = { author: 'demo', message }
    const { transaction_id } = await shell.post(
      '/v1/transactions/start',
      start,
      (t) => t.transaction_id,
    )
    await shell.post('/v1/tables/flights/files', { transaction_id, files: [{ path }] }, (s) =>
      s.staged.map((f: Answer) => `${rows(f.record_count)} staged`),
    )
    const commit = await shell.post(
      '/v1/transactions/commit',
      { transaction_id },
      ({ results: [r] }) =>
        `snapshot ${r.snapshot_id}: +${r.added_data_files} file, +${rows(r.added_records)}`,
    )
    if (index === 2) march = commit.results[0]
  }
  return march
}

async function readThePast(shell: Shell, march: string): Promise<void> {
  say('The snapshot log, newest first')
  await shell.get('/v1/tables/flights/snapshots', (log) =>
    log.snapshots.map((s: Answer) =>
      [
        s.timestamp,
        s.snapshot_id.padStart(16),
        s.operation,
        s.summary['total-records'],
        s.message,
      ].join('  '),
    ),
  )
  say('The table as it was when March had been committed')
  await shell.get(`/v1/tables/flights?as_at=${march}`, (t) => [
    `snapshot ${t.snapshot.snapshot_id}`,
    `${t.totals.data_files} files, ${rows(t.totals.records)}`,
  ])
  say('A filter prunes files by their statistics: one of seven is left to read')
  await shell.get(
    "/v1/tables/flights?filter=date >= '2001-03-05' AND date < '2001-03-12' AND origin = 'LAX'",
    (t) => [
      `planning ${JSON.stringify(t.planning.files)}`,
      ...t.data_files.map((f: Answer) => f.path.slice(f.path.lastIndexOf('/') + 1)),
    ],
  )
}

/** Returns the snapshot that is current in the end. */
async function replaceAndUndo(shell: Shell, late: string): Promise<Answer> {
  const now = (await shell.get('/v1/tables/flights', (t) => `${rows(t.totals.records)} now`))
    .snapshot
  say('A clone: another table over the same files, no bytes copied')
  await shell.post('/v1/tables/flights/clone', { name: 'flights_lab' }, (t) => t.identifier)
  say('Truncate and replace, as one transaction: readers see all of it or nothing')
  const { transaction_id } = await shell.post('/v1/transactions/start', {}, (t) => t.transaction_id)
  await shell.post('/v1/tables/flights/files/truncate', { transaction_id }, () => 'staged')
  await shell.post(
    '/v1/tables/flights/files',
    { transaction_id, files: [{ path: late }] },
    () => 'staged',
  )
  await shell.post(
    '/v1/transactions/commit',
    { transaction_id },
    ({ results: [r] }) =>
      `${r.operation}: -${r.removed_data_files} files, +${rows(r.added_records)}`,
  )
  await shell.get('/v1/tables/flights', (t) => `flights: ${rows(t.totals.records)}`)
  await shell.get('/v1/tables/flights_lab', (t) => `flights_lab: ${rows(t.totals.records)}`)
  say('Rollback: the older snapshot is current again, and nothing is forgotten')
  await shell.post(
    '/v1/tables/flights/rollback',
    { snapshot_id: now.snapshot_id },
    (t) => `snapshot ${t.snapshot.snapshot_id}`,
  )
  await shell.get('/v1/tables/flights', (t) => `flights: ${rows(t.totals.records)}`)
  await shell.get('/v1/tables/flights/snapshots?page_size=3', (log) =>
    log.snapshots.map((s: Answer) => `${s.logged_at}  ${s.snapshot_id.padStart(16)}`),
  )
  return now
}

await main()
