/** Append transactions per second through the public API: durable, one file each. */
import { linkSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { startBenchService } from './bench-service.ts'
import { call } from './client.ts'
import { percentile, printMachine, printRow } from './machine.ts'

const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 5)

interface Load {
  readonly clients: number
  readonly tables: number
  readonly steps: 'one call' | 'start + stage + commit'
}

const LOADS: readonly Load[] = [
  { clients: 1, tables: 1, steps: 'one call' },
  { clients: 64, tables: 1, steps: 'one call' },
  { clients: 64, tables: 1, steps: 'start + stage + commit' },
  { clients: 1, tables: 16, steps: 'one call' },
  { clients: 64, tables: 16, steps: 'one call' },
]

const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
const lake = join(home, 'lake')
mkdirSync(lake)
const template = join(home, 'template.parquet')
const instance = await DuckDBInstance.create(':memory:')
const connection = await instance.connect()
await connection.run(
  `COPY (SELECT range AS id, range * 1.5 AS price, 'name ' || range AS name FROM range(1000))
   TO '${template}' (FORMAT parquet)`,
)
let files = 0
function newFile(): string {
  const path = join(lake, `f-${++files}.parquet`)
  linkSync(template, path)
  return path
}

printMachine('Commits: transactions per second, one Parquet file each, acknowledged means fsynced')
printRow(['clients', 'tables', 'steps', 'transactions/s', 'snapshots/s', 'p50 ms', 'p99 ms'])
printRow(['---', '---', '---', '---', '---', '---', '---'])
for (const load of LOADS) await measure(load)
rmSync(home, { recursive: true })

async function measure({ clients, tables, steps }: Load): Promise<void> {
  const service = await startBenchService(join(home, `home-${files}`), {
    MORAINE_ALLOWED_LOCATIONS: lake,
    MORAINE_LOG_LEVEL: 'info',
  })
  const columns = [
    { name: 'id', type: 'long' },
    { name: 'price', type: 'decimal(21,1)' },
    { name: 'name', type: 'string' },
  ]
  const names = Array.from({ length: tables }, (_, i) => `t${i}`)
  for (const name of names) {
    await call(`${service.url}/v1/tables`, { method: 'POST', body: { name, schema: { columns } } })
  }
  const times: number[] = []
  const end = performance.now() + SECONDS * 1000
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let i = client; performance.now() < end; i++) {
        const begin = performance.now()
        await commit(`${service.url}/v1`, { table: names[i % tables] as string, steps })
        times.push(performance.now() - begin)
      }
    }),
  )
  let snapshots = 0
  for (const name of names) {
    const page = await call(`${service.url}/v1/tables/${name}/snapshots?page_size=1`)
    snapshots += Number(page.snapshots[0]?.sequence_number ?? 0)
  }
  await service.stop()
  const perSecond = (count: number) => Math.round(count / SECONDS)
  const ms = (p: number) => percentile(times, p).toFixed(1)
  printRow([
    clients,
    tables,
    steps,
    perSecond(times.length),
    perSecond(snapshots),
    ms(0.5),
    ms(0.99),
  ])
}

async function commit(
  v1: string,
  { table, steps }: { table: string; steps: Load['steps'] },
): Promise<void> {
  const file = { files: [{ path: newFile() }] }
  const post = (path: string, body: unknown) => call(v1 + path, { method: 'POST', body })
  if (steps === 'one call') {
    await post(`/tables/${table}/files`, file)
    return
  }
  const { transaction_id } = await post('/transactions/start', {})
  await post(`/tables/${table}/files`, { transaction_id, ...file })
  await post('/transactions/commit', { transaction_id })
}
