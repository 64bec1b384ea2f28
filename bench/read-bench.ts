/** Reads: `as_at` over a long history, and a filter over many data files, cold and warm. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fillFiles } from './bench-home.ts'
import { startBenchService } from './bench-service.ts'
import { call } from './client.ts'
import { HttpConnection } from './http-connection.ts'
import { measureHttpLimits, measureStream } from './http-limits.ts'
import { fillHistory } from './long-history.ts'
import { percentile, printMachine, printRow } from './machine.ts'
import { IS_QUICK, openReport } from './report.ts'
import { WIDE_COLUMNS, wideFile } from './wide-files.ts'

const SNAPSHOTS = Number(process.env['BENCH_SNAPSHOTS'] ?? (IS_QUICK ? 10_000 : 100_000))
const FILES = Number(process.env['BENCH_FILES'] ?? (IS_QUICK ? 10_000 : 100_000))
const LOOKUPS = IS_QUICK ? 200 : 2_000

/** Time for the service to publish what the fill left unpublished. */
const SETTLE_MS = 3_000

const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
let service = await startBenchService(home)
const make = (body: unknown) => call(`${service.url}/v1/tables`, { method: 'POST', body })
const wide = await make({ name: 'wide', schema: { columns: WIDE_COLUMNS } })
const long = await make({ name: 'long', schema: { columns: WIDE_COLUMNS.slice(0, 1) } })
await service.stop()

await fillHistory(home, { tableUuid: long.table_id, snapshots: SNAPSHOTS })
await fillFiles(home, {
  tableUuid: wide.table_id,
  added: Array.from({ length: FILES }, (_, i) => wideFile(home, i)),
})

printMachine(
  `Reading: as_at over ${SNAPSHOTS} snapshots, a filter over ${FILES} data files with 8 columns`,
)
const report = openReport('read')
const { get1 } = await measureHttpLimits()
const streamed = await measureStream()
const limit = { what: 'GET from bare Express, 1 client, mean', value: 1000 / get1 }
printRow(['what', 'bytes', 'p50 ms', 'p99 ms'])
printRow(['---', '---', '---', '---'])
service = await startBenchService(home)
await sleep(SETTLE_MS)
const connection = await HttpConnection.open(service.url)
await timed('raw HTTP: GET /health', 200, () => '/health')
await timed('as_at: GET /v1/tables/long?as_at= at random', LOOKUPS, () => {
  const at = new Date(1_600_000_000_000 + Math.floor(Math.random() * SNAPSHOTS) * 1000 + 500)
  return `/v1/tables/long?as_at=${at.toISOString()}`
})
const one = encodeURIComponent(`c0 = ${FILES * 500}`)
await timed('cold: GET /v1/tables/wide?filter= for one file', 1, () => {
  return `/v1/tables/wide?filter=${one}`
})
await timed('warm: the same', 50, () => `/v1/tables/wide?filter=${one}`)
const half = encodeURIComponent(`c1 >= ${FILES * 500}`)
const json = await timed('warm: half of the files as JSON', 10, () => {
  return `/v1/tables/wide?filter=${half}`
})
report.figure({
  what: `${FILES / 2} files as JSON, streamed`,
  value: json.bytes / 1e3 / json.p50,
  unit: 'MB/s',
  limit: { what: 'bytes of one buffer from bare Express', value: streamed },
})
connection.close()
await service.stop()
rmSync(home, { recursive: true })

async function timed(what: string, rounds: number, path: () => string) {
  const times: number[] = []
  let bytes = 0
  for (let i = 0; i < rounds; i++) {
    const begin = performance.now()
    const { status, body } = await connection.ask({ path: path() })
    if (status !== 200) throw new Error(`${what}: ${status} ${body.toString().slice(0, 500)}`)
    times.push(performance.now() - begin)
    bytes = body.length
  }
  const p50 = percentile(times, 0.5)
  printRow([what, bytes, p50.toFixed(2), percentile(times, 0.99).toFixed(2)])
  const size = `${SNAPSHOTS} snapshots, ${FILES} files`
  report.figure({ what: `${size}: ${what}, p50`, value: p50, unit: 'ms', limit })
  return { p50, bytes }
}
