/** The Iceberg REST API: loads of a table with a long history, and commits per second. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseExactJson, stringifyExactJson } from '../src/formats/iceberg/exact-json.ts'
import { startBenchService } from './bench-service.ts'
import type { Answer } from './client.ts'
import { percentile, printMachine, printRow } from './machine.ts'
import { writeBenchSnapshot } from './rest-snapshot.ts'

const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 5)
const SNAPSHOTS = 9_000
const LOADS = 300
const SCHEMA = {
  type: 'struct',
  fields: [{ id: 1, name: 'id', required: false, type: 'long' }],
}

const agent = new Agent({ keepAlive: true, maxSockets: 256 })
const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))

interface Got {
  readonly status: number
  readonly etag: string
  readonly bytes: Buffer
}

function ask(
  url: string,
  {
    method = 'GET',
    body,
    headers = {},
  }: { method?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, agent, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          etag: response.headers.etag ?? '',
          bytes: Buffer.concat(chunks),
        }),
      )
    })
    outgoing.on('error', reject)
    outgoing.end(body === undefined ? undefined : stringifyExactJson(body))
  })
}

async function must(got: Promise<Got>): Promise<Answer> {
  const { status, bytes } = await got
  if (status >= 300) throw new Error(`${status} ${bytes.toString().slice(0, 500)}`)
  return bytes.length === 0 ? undefined : parseExactJson(bytes.toString())
}

async function withService<T>(
  work: (rest: string, warehouse: string) => Promise<T>,
  folder: string,
): Promise<T> {
  const place = join(home, folder)
  const service = await startBenchService(place, { MORAINE_LOG_LEVEL: 'info' })
  const rest = `${service.url}/iceberg/v1`
  await must(ask(`${rest}/namespaces`, { method: 'POST', body: { namespace: ['bench'] } }))
  try {
    return await work(rest, join(place, 'warehouse'))
  } finally {
    await service.stop()
  }
}

printMachine(`Load of a table with ${SNAPSHOTS} snapshots`)
printRow(['what', 'bytes', 'first ms', 'p50 ms', 'p99 ms'])
printRow(['---', '---', '---', '---', '---'])
await withService(measureLoads, 'loads')

// --loads: without the commits.
if (process.argv.includes('--loads')) {
  rmSync(home, { recursive: true })
  process.exit()
}
printMachine(
  'Commits per second through REST, each with a metadata file of its own or a shared one',
)
printRow(['what', 'clients', 'tables', 'commits/s', 'refused/s', 'p50 ms', 'p99 ms'])
printRow(['---', '---', '---', '---', '---', '---', '---'])
for (const what of ['properties', 'append'] as const) {
  for (const tables of [1, 16]) {
    for (const clients of [1, 16, 64]) {
      await withService(
        (rest) => measureCommits(rest, { what, clients, tables }),
        `commits-${what}-${tables}-${clients}`,
      )
    }
  }
}
rmSync(home, { recursive: true })

async function measureLoads(rest: string, warehouse: string): Promise<void> {
  await registerLongTable(rest, warehouse)
  const table = `${rest}/namespaces/bench/tables/long`
  const health = rest.replace('/iceberg/v1', '/health')
  await printLoads('(/health, for comparison)', { url: health, headers: {}, bytes: 0, firstMs: 0 })
  for (const [what, query] of [
    ['all', ''],
    ['refs', '?snapshots=refs'],
  ] as const) {
    const begin = performance.now()
    const { bytes, etag } = await ask(table + query)
    const firstMs = performance.now() - begin
    await printLoads(what, { url: table + query, headers: {}, bytes: bytes.length, firstMs })
    const headers = { 'if-none-match': etag }
    await printLoads(`304 of ${what}`, { url: table + query, headers, bytes: 0, firstMs: 0 })
  }
}

async function printLoads(
  what: string,
  load: { url: string; headers: Record<string, string>; bytes: number; firstMs: number },
): Promise<void> {
  const times: number[] = []
  for (let i = 0; i < LOADS; i++) {
    const begin = performance.now()
    await ask(load.url, { headers: load.headers })
    times.push(performance.now() - begin)
  }
  const ms = (p: number) => percentile(times, p).toFixed(2)
  printRow([what, load.bytes, load.firstMs.toFixed(1), ms(0.5), ms(0.99)])
}

/** As another catalog left it: every snapshot has the one manifest list. */
async function registerLongTable(rest: string, warehouse: string): Promise<void> {
  const made = await must(
    ask(`${rest}/namespaces/bench/tables`, {
      method: 'POST',
      body: { name: 'seed', schema: SCHEMA },
    }),
  )
  const written = writeBenchSnapshot(made.metadata, 1n)
  const start = Date.now() - SNAPSHOTS * 1000
  const snapshots = Array.from({ length: SNAPSHOTS }, (_, i) => ({
    ...written,
    'snapshot-id': 4_000_000_000_000_000_000n + BigInt(i),
    'sequence-number': i + 1,
    'timestamp-ms': start + i * 1000,
    summary: {
      ...{ operation: 'append', 'added-data-files': '1', 'added-records': '1000' },
      ...{ 'total-data-files': `${i + 1}`, 'total-records': `${i * 1000}` },
      ...{ 'spark.app.id': `local-${start}`, 'engine-name': 'spark', 'engine-version': '3.5.1' },
    },
  }))
  const folder = join(warehouse, 'bench', 'long')
  mkdirSync(join(folder, 'metadata'), { recursive: true })
  const last = snapshots.at(-1)
  const metadata = {
    ...made.metadata,
    'table-uuid': '11111111-2222-4333-8444-555555555555',
    location: `file://${folder}`,
    'last-sequence-number': SNAPSHOTS,
    'last-updated-ms': last?.['timestamp-ms'],
    'current-snapshot-id': last?.['snapshot-id'],
    refs: { main: { type: 'branch', 'snapshot-id': last?.['snapshot-id'] } },
    snapshots,
    'snapshot-log': snapshots.map((s) => ({
      ...{ 'snapshot-id': s['snapshot-id'], 'timestamp-ms': s['timestamp-ms'] },
    })),
    'metadata-log': [],
  }
  const path = join(folder, 'metadata', '00001-x.metadata.json')
  writeFileSync(path, stringifyExactJson(metadata))
  const body = { name: 'long', 'metadata-location': `file://${path}` }
  await must(ask(`${rest}/namespaces/bench/register`, { method: 'POST', body }))
}

interface Load {
  readonly what: 'properties' | 'append'
  readonly clients: number
  readonly tables: number
}

async function measureCommits(rest: string, { what, clients, tables }: Load): Promise<void> {
  const urls: string[] = []
  for (let i = 0; i < tables; i++) {
    const body = { name: `t${i}`, schema: SCHEMA }
    await must(ask(`${rest}/namespaces/bench/tables`, { method: 'POST', body }))
    urls.push(`${rest}/namespaces/bench/tables/t${i}`)
  }
  const times: number[] = []
  let refused = 0
  let snapshotId = 0n
  const end = performance.now() + SECONDS * 1000
  const work = Array.from({ length: clients }, async (_, client) => {
    const url = urls[client % tables] as string
    let metadata = (await must(ask(url))).metadata
    while (performance.now() < end) {
      const begin = performance.now()
      snapshotId += 1n
      const body =
        what === 'append' ? appendOf(metadata, snapshotId) : propertyOf(client, `${begin}`)
      const got = await ask(url, { method: 'POST', body })
      if (got.status === 409) {
        refused += 1
        metadata = (await must(ask(`${url}?snapshots=refs`))).metadata
        continue
      }
      const done = await must(Promise.resolve(got))
      metadata = done.metadata
      times.push(performance.now() - begin)
    }
  })
  await Promise.all(work)
  const perSecond = (count: number) => Math.round(count / SECONDS)
  const ms = (p: number) => percentile(times, p).toFixed(1)
  printRow([
    ...[what, clients, tables, perSecond(times.length), perSecond(refused)],
    ...[ms(0.5), ms(0.99)],
  ])
}

function propertyOf(client: number, value: string): unknown {
  const updates = [{ action: 'set-properties', updates: { [`client-${client}`]: value } }]
  return { requirements: [], updates }
}

function appendOf(metadata: Answer, snapshotId: bigint): unknown {
  const snapshot = writeBenchSnapshot(metadata, snapshotId)
  const before = metadata['current-snapshot-id'] ?? null
  return {
    requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': before }],
    updates: [
      { action: 'add-snapshot', snapshot },
      {
        ...{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch' },
        'snapshot-id': snapshotId,
      },
    ],
  }
}
