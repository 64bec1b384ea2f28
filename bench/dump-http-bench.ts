import { execFile, spawn, spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { startBenchService, startProgram } from './bench-service.ts'
import { call } from './client.ts'
import { percentile, printMachine, printRow } from './machine.ts'
import { IS_QUICK, openReport } from './report.ts'

const FILES = 4
const ROWS_PER_FILE = IS_QUICK ? 400_000 : 4_000_000
const ROUNDS = IS_QUICK ? 3 : 7
const STALLED_READERS = 500
const LEAVING_AT_ONCE = 50
const LEAVING_ROUNDS = IS_QUICK ? 2 : 10
const NGINX_PORT = 18_181
const TIMES = '%{time_starttransfer} %{time_total} %{size_download}'

const run = promisify(execFile)
const report = openReport('dump-http')

printMachine('Dumps over HTTP')
const home = await mkdtemp(join(tmpdir(), 'moraine-dump-bench-'))
const service = await startBenchService(home, { MORAINE_ALLOWED_LOCATIONS: `${home}/data` })
try {
  const url = await makeCachedDump()
  await compareThroughput(url)
  await measureStalledReaders(url)
  await measureRelease(url)
} finally {
  await service.stop()
  await rm(home, { recursive: true, force: true })
}

/** Returns the URL of a finished dump. */
async function makeCachedDump(): Promise<string> {
  await mkdir(`${home}/data`)
  const database = await DuckDBInstance.create(':memory:')
  const connection = await database.connect()
  const paths = Array.from({ length: FILES }, (_, i) => `${home}/data/${i}.parquet`)
  for (const [i, path] of paths.entries()) {
    const range = `range(${i * ROWS_PER_FILE}, ${(i + 1) * ROWS_PER_FILE})`
    const columns = `i AS id, 'a name of ' || i AS name, i * 1.5 AS x, i % 97 AS part`
    await connection.run(`COPY (SELECT ${columns} FROM ${range} t(i)) TO '${path}'`)
  }
  connection.closeSync()
  const table = { name: 'bench', infer_from: paths[0] }
  await call(`${service.url}/v1/tables`, { method: 'POST', body: table })
  const files = paths.map((path) => ({ path }))
  await call(`${service.url}/v1/tables/bench/files`, { method: 'POST', body: { files } })
  const moving = `${service.url}/v1/tables/bench/dump`
  const { stdout } = await run('curl', ['-s', '-o', '/dev/null', '-w', TIMES, moving])
  const [firstByte, total, bytes] = stdout.split(' ').map(Number)
  console.log(
    `Cold: ${megabytes(bytes)} MB of CSV in ${total} s, first byte after ${firstByte} s\n`,
  )
  for (;;) {
    const status = await call(`${moving}/status`)
    if (status.state === 'ready') return service.url + status.url
    await sleep(100)
  }
}

/** The same bytes from the service and, as one static file, from nginx, in turn. */
async function compareThroughput(url: string): Promise<void> {
  const nginx = await startNginx(url)
  const bare = await startProgram('bench/bare-express-main.ts')
  const ours: number[] = []
  const theirs: number[] = []
  const bares: number[] = []
  const { stdout } = await run('curl', ['-sf', '-o', '/dev/null', '-w', TIMES, url])
  const bytes = Number(stdout.split(' ')[2])
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(await megabytesPerSecond(url))
    bares.push(await megabytesPerSecond(`${bare.url}/bytes/${bytes}`))
    if (nginx !== undefined) theirs.push(await megabytesPerSecond(nginx.url))
  }
  await bare.stop()
  const p50 = percentile(ours, 0.5)
  report.figure({
    what: `a dump of ${megabytes(bytes)} MB, made already, to one client`,
    ...{ value: p50, unit: 'MB/s' },
    limit: { what: 'bytes of one buffer from bare Express', value: percentile(bares, 0.5) },
    ...(nginx !== undefined && {
      aim: { atLeast: 0.7 * percentile(theirs, 0.5) },
      peer: { what: 'nginx', version: nginx.version, value: percentile(theirs, 0.5) },
    }),
  })
  printRow(['one client, cached', 'MB/s p50', 'best'])
  printRow(['---', '---', '---'])
  printRow(['Moraine', percentile(ours, 0.5).toFixed(0), Math.max(...ours).toFixed(0)])
  if (nginx === undefined) {
    report.skip('peer: nginx, one static file', 'nginx is not installed')
    return
  }
  printRow([
    'nginx, one static file',
    percentile(theirs, 0.5).toFixed(0),
    Math.max(...theirs).toFixed(0),
  ])
  const ratio = percentile(ours, 0.5) / percentile(theirs, 0.5)
  const bestRatio = Math.max(...ours) / Math.max(...theirs)
  printRow(['ratio (aim 0.7)', ratio.toFixed(2), bestRatio.toFixed(2)])
  nginx.stop()
}

async function startNginx(url: string) {
  const told = spawnSync('nginx', ['-v'], { encoding: 'utf8' })
  if (told.error !== undefined) return undefined
  const version = /nginx\/(\S+)/.exec(told.stderr)?.[1] ?? 'unknown'
  const root = `${home}/static`
  await mkdir(`${home}/logs`, { recursive: true })
  await mkdir(root)
  await run('curl', ['-s', '-o', `${root}/dump.csv`, url])
  const { size } = await stat(`${root}/dump.csv`)
  if (size === 0) throw new Error('the dump is empty')
  const config = `daemon off; pid ${home}/nginx.pid; worker_processes 1; error_log stderr;
events {} http { access_log off; sendfile on; tcp_nopush on;
server { listen 127.0.0.1:${NGINX_PORT}; root ${root}; } }`
  await writeFile(`${home}/nginx.conf`, config)
  // Its worker may not be root, so the folder must be open to it.
  await run('chmod', ['-R', 'a+rX', home])
  const child = spawn('nginx', ['-p', home, '-c', `${home}/nginx.conf`], { stdio: 'ignore' })
  await sleep(500)
  const stop = () => child.kill('SIGQUIT')
  return { url: `http://127.0.0.1:${NGINX_PORT}/dump.csv`, version, stop }
}

async function megabytesPerSecond(url: string): Promise<number> {
  const { stdout } = await run('curl', ['-sf', '-o', '/dev/null', '-w', TIMES, url])
  const [, total = 0, bytes = 0] = stdout.split(' ').map(Number)
  return bytes / 1e6 / total
}

async function measureStalledReaders(url: string): Promise<void> {
  await leave(await openReaders(url, STALLED_READERS))
  await sleep(2_000)
  const before = await metric('process_resident_memory_bytes')
  const readers = await openReaders(url, STALLED_READERS)
  await sleep(3_000)
  const after = await metric('process_resident_memory_bytes')
  const firstTime = (after - before) / STALLED_READERS / 1024
  console.log(
    `\n${STALLED_READERS} stalled readers: ${firstTime.toFixed(0)} KiB of resident memory each ` +
      `(aim 256); ${megabytes(before)} MB before, ${megabytes(after)} MB with them`,
  )
  await leave(readers)
  report.figure({
    what: `memory for each of ${STALLED_READERS} stalled readers of a dump`,
    ...{ value: firstTime, unit: 'KiB', aim: { atMost: 256 } },
  })
}

/**
 * How long it takes, after its socket is closed, until a reader's slot, file and buffer are free.
 */
async function measureRelease(url: string): Promise<void> {
  const releasedAfterMs: number[] = []
  for (let round = 0; round < LEAVING_ROUNDS; round++) {
    const readers = await openReaders(url, LEAVING_AT_ONCE)
    await sleep(300)
    const leftAt = performance.now()
    for (const reader of readers) reader.destroy()
    for (let left = LEAVING_AT_ONCE; left > 0; ) {
      const active = await metric('moraine_dump_streams')
      const afterMs = performance.now() - leftAt
      for (; left > active; left--) releasedAfterMs.push(afterMs)
    }
  }
  const [p50, p99] = [0.5, 0.99].map((p) => percentile(releasedAfterMs, p).toFixed(0))
  report.figure({
    what: `what a dump's reader held is free, of ${LEAVING_AT_ONCE} that left at once, p99`,
    ...{ value: percentile(releasedAfterMs, 0.99), unit: 'ms', aim: { atMost: 250 } },
  })
  console.log(
    `Release after ${LEAVING_AT_ONCE} left at once: p50 ${p50} ms, p99 ${p99} ms (aim 250), ` +
      'according to /metrics',
  )
}

/** Readers that each send a request and read nothing. */
async function openReaders(url: string, count: number): Promise<readonly Socket[]> {
  const { hostname, port, pathname, search } = new URL(url)
  const readers = await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect({ port: Number(port), host: hostname })
      socket.on('error', () => undefined)
      await new Promise((resolve) => socket.once('connect', resolve))
      socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      return socket
    }),
  )
  while ((await metric('moraine_dump_streams')) < count) await sleep(20)
  return readers
}

async function leave(readers: readonly Socket[]): Promise<void> {
  for (const reader of readers) reader.destroy()
  while ((await metric('moraine_dump_streams')) > 0) await sleep(20)
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

function megabytes(bytes = 0): string {
  return (bytes / 1e6).toFixed(0)
}
