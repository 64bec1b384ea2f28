/**
 * Dumps from a bucket that the service sends itself: the memory of readers who take nothing, and of
 * a dump of many gigabytes, whose data files are copies of one.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { type BenchBucket, openBenchBucket } from './bench-bucket.ts'
import { type BenchService, startBenchService } from './bench-service.ts'
import { call } from './client.ts'
import { loadAverage, printMachine, printRow } from './machine.ts'
import { IS_QUICK, openReport } from './report.ts'

const STALLED_READERS = 500
/** More than are converted at once, so that both dumps are made by as many uploads. */
const SMALL_FILES = 10
const FILES = IS_QUICK ? 30 : 100
const ROWS_PER_FILE = 25_000
const TEXT_LENGTH = 4_000
const SAMPLE_MS = 50
const SETTLE_MS = 3_000
const PAGE_BYTES = 4_096
const DOWNLOAD_BYTES_MAX = 1 << 20

const run = promisify(execFile)
const report = openReport('bucket-dump')
printMachine('Dumps from a bucket, sent by the service')
// The other server of tests keeps three gigabytes.
const opened = await openBenchBucket(['versitygw'])
if (typeof opened === 'string') {
  report.skip('bucket-dump: stalled readers', opened)
  report.skip('bucket-dump: a large dump', opened)
} else {
  const home = mkdtempSync(join(tmpdir(), 'moraine-bucket-dump-'))
  try {
    const service = await startBenchService(join(home, 'home'), {
      ...opened.settings('dumps', opened.endpoint),
      MORAINE_DUMP_BUDGET: '100GB',
    })
    try {
      await fill(opened, service, home)
      const small = await measureDump(service, 'small')
      const large = await measureDump(service, 'large')
      tell(small, large)
      await measureStalledReaders(service, 'small')
    } finally {
      await service.stop()
    }
  } finally {
    await opened.stop()
    rmSync(home, { recursive: true, force: true })
  }
}

/** Rows of a long text, which take no room in Parquet. */
async function fill(bucket: BenchBucket, service: BenchService, home: string): Promise<void> {
  const local = join(home, 'template.parquet')
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const rows = `SELECT range AS id, repeat('x', ${TEXT_LENGTH}) AS t FROM range(${ROWS_PER_FILE})`
  await connection.run(`COPY (${rows}) TO '${local}'`)
  connection.closeSync()
  instance.closeSync()
  const bytes = readFileSync(local)
  const columns = [
    { name: 'id', type: 'long' },
    { name: 't', type: 'string' },
  ]
  for (const [name, count] of [
    ['small', SMALL_FILES],
    ['large', FILES],
  ] as const) {
    const folder = `${bucket.folder('lake')}/${name}`
    const paths = Array.from({ length: count }, (_, i) => `${folder}/${i}.parquet`)
    await bucket.put(paths, bytes)
    await call(`${service.url}/v1/tables`, { method: 'POST', body: { name, schema: { columns } } })
    const body = { files: paths.map((path) => ({ path })) }
    await call(`${service.url}/v1/tables/${name}/files`, { method: 'POST', body })
  }
}

interface Measured {
  readonly bytes: number
  /** Highest resident memory of the service's own process, while it was made and sent. */
  readonly madeBytesMax: number
  /** The same while it was sent again. */
  readonly sentBytesMax: number
  readonly madeSeconds: number
  readonly sentSeconds: number
}

async function measureDump(service: BenchService, table: string): Promise<Measured> {
  const made = await measureDownload(service, table)
  // It is read once more for its digest.
  await sleep(SETTLE_MS)
  const sent = await measureDownload(service, table)
  return {
    bytes: sent.bytes,
    ...{ madeBytesMax: made.highest, sentBytesMax: sent.highest },
    ...{ madeSeconds: made.seconds, sentSeconds: sent.seconds },
  }
}

async function measureDownload(service: BenchService, table: string) {
  const url = `${service.url}/v1/tables/${table}/dump?format=csv&redirect=never`
  const format = '%{size_download} %{time_total}'
  let isOver = false
  const download = run('curl', ['-sf', '-o', '/dev/null', '-w', format, url], {
    maxBuffer: DOWNLOAD_BYTES_MAX,
  }).finally(() => {
    isOver = true
  })
  let highest = 0
  while (!isOver) {
    highest = Math.max(highest, residentBytes(service.pid))
    await Promise.race([sleep(SAMPLE_MS), download.catch(() => undefined)])
  }
  const [bytes = 0, seconds = 0] = (await download).stdout.split(' ').map(Number)
  return { highest, bytes, seconds }
}

/** Without the pages of files, such as those of the program itself. */
function residentBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  return 1_024 * Number(/^RssAnon:\s+(\d+)/m.exec(text)?.[1])
}

/** What the kernel holds for all connections of this machine. */
function socketBytes(): number {
  const text = readFileSync('/proc/net/sockstat', 'utf8')
  return PAGE_BYTES * Number(/^TCP:.* mem (\d+)/m.exec(text)?.[1])
}

function tell(small: Measured, large: Measured): void {
  console.log(`\nDumps made from a bucket and sent, load average ${loadAverage()}\n`)
  printRow(['dump', 'made and sent, s', 'highest MB', 'sent again, s', 'highest MB'])
  printRow(['---', '---', '---', '---', '---'])
  for (const { bytes, ...one } of [small, large]) {
    const highest = [one.madeBytesMax, one.sentBytesMax].map((each) => (each / 1e6).toFixed(0))
    const [made = '', sent = ''] = highest
    const seconds = [one.madeSeconds, one.sentSeconds].map((each) => each.toFixed(1))
    printRow([`${sizeOf(bytes)} of CSV`, seconds[0] ?? '', made, seconds[1] ?? '', sent])
  }
  const what = `highest resident memory of the service while a dump of ${sizeOf(large.bytes)}`
  report.figure({
    what: `${what} is made from a bucket and sent`,
    ...{ value: large.madeBytesMax / 1e6, unit: 'MB' },
    limit: { what: `the same of ${sizeOf(small.bytes)}`, value: small.madeBytesMax / 1e6 },
  })
  report.figure({
    what: `${what} is sent from a bucket`,
    ...{ value: large.sentBytesMax / 1e6, unit: 'MB' },
    limit: { what: `the same of ${sizeOf(small.bytes)}`, value: small.sentBytesMax / 1e6 },
  })
}

async function measureStalledReaders(service: BenchService, table: string): Promise<void> {
  const target = `/v1/tables/${table}/dump?format=csv&redirect=never`
  // What is needed once, whoever reads.
  await leave(service, await openReaders(service, target))
  await sleep(SETTLE_MS)
  const before = { resident: residentBytes(service.pid), sockets: socketBytes() }
  const readers = await openReaders(service, target)
  await sleep(SETTLE_MS)
  const after = { resident: residentBytes(service.pid), sockets: socketBytes() }
  await leave(service, readers)
  const each = (from: number, to: number) => (to - from) / STALLED_READERS / 1_024
  const own = each(before.resident, after.resident)
  const kernel = each(before.sockets, after.sockets)
  console.log(
    `\n${STALLED_READERS} stalled readers from a bucket: ${own.toFixed(0)} KiB of resident ` +
      `memory each (aim 256), and ${kernel.toFixed(0)} KiB of the kernel, for all four ends of ` +
      `the connections of reader and store; load average ${loadAverage()}`,
  )
  report.figure({
    what: `memory for each of ${STALLED_READERS} stalled readers of a dump in a bucket`,
    ...{ value: own, unit: 'KiB', aim: { atMost: 256 } },
  })
  report.figure({
    what: `sockets in the kernel for each of them, both ends of both connections`,
    ...{ value: kernel, unit: 'KiB' },
  })
}

/** Readers that each send a request and read nothing. */
async function openReaders(service: BenchService, target: string): Promise<readonly Socket[]> {
  const { hostname, port } = new URL(service.url)
  const readers = await Promise.all(
    Array.from({ length: STALLED_READERS }, async () => {
      const socket = connect({ port: Number(port), host: hostname })
      socket.on('error', () => undefined)
      await new Promise((resolve) => socket.once('connect', resolve))
      socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      return socket
    }),
  )
  while ((await streams(service)) < STALLED_READERS) await sleep(20)
  return readers
}

async function leave(service: BenchService, readers: readonly Socket[]): Promise<void> {
  for (const reader of readers) reader.destroy()
  while ((await streams(service)) > 0) await sleep(20)
}

async function streams(service: BenchService): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text()
  return Number(/^moraine_dump_streams (\S+)$/m.exec(text)?.[1])
}

function sizeOf(bytes: number): string {
  return `${(bytes / 1e9).toFixed(0)} GB`
}
