import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createServer as createHttpServer, type IncomingHttpHeaders, request } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { pathToFileURL } from 'node:url'
import pino from 'pino'
import type { Engine } from '../../../../src/engine/engine.ts'
import { Metrics } from '../../../../src/http/metrics.ts'
import { createApp } from '../../../../src/http/serve/app.ts'
import type { Dumps } from '../../../../src/modules/dumps/dumps.ts'
import type { DumpLimits } from '../../../../src/modules/dumps/http/dump-streams.ts'
import { dumpsModule } from '../../../../src/modules/dumps/http/dumps-module.ts'
import { dialectsOf, listModules } from '../../../../src/modules.ts'
import { ask, type Json, must, post } from '../../../http/client.ts'
import type { TestService } from '../../../http/harness.ts'
import { withEngine } from '../../../lake/failing-disk.ts'
import { writeParquet } from '../../../parquet-files.ts'

let files = 0

/**
 * Makes a table that gets one file, and so one snapshot, for each query. Returns the snapshot ids.
 */
export async function makeTable(
  service: Pick<TestService, 'url' | 'dataFolder'>,
  name: string,
  queries: readonly string[],
): Promise<readonly string[]> {
  const snapshotIds: string[] = []
  for (const query of queries) {
    const { path, snapshotId } = await addFile(service, name, query)
    expect(path).toContain('.parquet')
    snapshotIds.push(snapshotId)
  }
  return snapshotIds
}

export async function addFile(
  service: Pick<TestService, 'url' | 'dataFolder'>,
  table: string,
  query: string,
): Promise<{ readonly path: string; readonly snapshotId: string }> {
  const path = await writeParquet(`${service.dataFolder}/${table}-${files++}.parquet`, query)
  if ((await ask(service, `/v1/tables/${table}`)).status === 404) {
    await must(post(service, '/v1/tables', { name: table, infer_from: path }), 201)
  }
  const { results } = await must(post(service, `/v1/tables/${table}/files`, { files: [{ path }] }))
  return { path, snapshotId: results[0].snapshot_id }
}

/** Rows that make some 28 bytes of CSV each. */
export function rows(count: number, from = 0): string {
  return `SELECT i AS id, 'name ' || i AS name, i * 1.5 AS x
    FROM range(${from}, ${from + count}) t(i)`
}

/** Waits until the dump is made. */
export async function makeDump(service: { readonly url: string }, path: string): Promise<Json> {
  const sha256Path = path.replace(/\/dump(\?|$)/, '/dump.sha256$1')
  expect((await ask(service, sha256Path)).status).toBe(200)
  return must(ask(service, path.replace(/\/dump(\?|$)/, '/dump/status$1')))
}

export interface Download {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** The connection ended as it should. */
  readonly isWhole: boolean
}

/** With nothing between the test and the wire. */
export function download(
  url: string,
  { headers = {}, method = 'GET' }: { headers?: Record<string, string>; method?: string } = {},
): Promise<Download> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      const done = (isWhole: boolean) =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
          isWhole,
        })
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('end', () => done(response.complete))
      response.once('error', () => done(false))
    })
    outgoing.once('error', reject)
    outgoing.end()
  })
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Waits, with a limit, for what must come true. */
export async function eventually(
  isTrue: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const end = Date.now() + timeoutMs
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error(`not true after ${timeoutMs} ms: ${isTrue}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export interface Face {
  readonly url: string
  readonly dumps: Dumps
  readonly metrics: Metrics
  /** A counter or gauge without labels. */
  metric(name: string): Promise<number>
  close(): Promise<void>
}

export interface FaceOptions {
  readonly limits?: Partial<DumpLimits>
  readonly engine?: Partial<Engine>
  /** After which the server drops connections of its own. */
  readonly idleMs?: number
}

/**
 * Another HTTP face of the same service, with limits of its own and an engine that the test has a
 * hand on.
 */
export async function openFace(
  service: TestService,
  { limits = {}, engine, idleMs = 0 }: FaceOptions = {},
): Promise<Face> {
  const metrics = new Metrics()
  const one = engine === undefined ? {} : { atOnce: 1 }
  const deps = withEngine(service.deps, engine ?? {}, one)
  const dumping = dumpsModule({ ...deps, dumpLimits: limits })
  metrics.register(dumping.meters ?? [])
  const { dumps } = dumping.service
  const others = listModules(deps).filter(({ name }) => name !== dumping.name)
  const log = pino({ level: 'silent' })
  const { ambient, catalog } = deps
  const answersOnce = { ...ambient, replays: catalog.replays }
  const app = createApp({ dialects: dialectsOf([dumping, ...others]), answersOnce, metrics, log })
  const server = createHttpServer(app)
  server.setTimeout(idleMs)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    dumps,
    metrics,
    async metric(name) {
      const line = (await metrics.text()).split('\n').find((text) => text.startsWith(`${name} `))
      return Number(line?.split(' ')[1])
    },
    async close() {
      await dumps.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Sends a request and reads nothing until asked to. */
export function openReader(url: string, { httpVersion = '1.1' } = {}): Promise<Socket> {
  const { hostname, port, pathname, search } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      const start = `GET ${pathname}${search} HTTP/${httpVersion}`
      socket.write(`${start}\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`)
      socket.pause()
      resolve(socket)
    })
    socket.once('error', reject)
    socket.on('error', () => undefined)
  })
}

/** How the connection ended, and all that came. */
export function readToEnd(socket: Socket): Promise<{ text: string; end: 'end' | 'reset' }> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    const done = (end: 'end' | 'reset') => resolve({ text: Buffer.concat(chunks).toString(), end })
    socket.once('end', () => done('end'))
    socket.once('error', () => done('reset'))
    socket.resume()
  })
}

export interface CuttingProxy {
  readonly port: number
  /** Connections that were cut. */
  readonly cuts: number
  close(): Promise<void>
}

/** Cuts off each of the first connections after this many bytes. */
export async function openCuttingProxy(
  url: string,
  { afterBytes, times = 1 }: { afterBytes: number; times?: number },
): Promise<CuttingProxy> {
  let cuts = 0
  const { hostname, port } = new URL(url)
  const server: Server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    let left = cuts < times ? afterBytes : Number.POSITIVE_INFINITY
    upstream.on('data', (chunk) => {
      if (left < chunk.length) {
        cuts++
        client.end(chunk.subarray(0, left))
        upstream.destroy()
        left = 0
        return
      }
      left -= chunk.length
      if (!client.write(chunk)) {
        upstream.pause()
        client.once('drain', () => upstream.resume())
      }
    })
    client.on('data', (chunk) => upstream.write(chunk))
    upstream.on('end', () => client.end())
    for (const socket of [client, upstream]) {
      socket.on('error', () => undefined)
      socket.on('close', () => (socket === client ? upstream : client).destroySoon())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    get cuts() {
      return cuts
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string } = {},
): Promise<Finished> {
  return new Promise((resolve) => {
    execFile(command, [...args], { ...options, timeout: 60_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr })
    })
  })
}

/** `test`, or `test.skip` where the program is not installed. */
export function testWith(program: string): typeof test {
  const { error } = spawnSync(program, ['--version'])
  return error === undefined ? test : (test.skip as typeof test)
}

export function uriOf(path: string): string {
  return pathToFileURL(path).href
}
