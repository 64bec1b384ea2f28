/** Reading: `as_at` over a long history, and a filter over many data files, cold and warm. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteCatalog } from '../src/catalog/sqlite.ts'
import type { DataFile } from '../src/core/data-file.ts'
import { encodeSingleValue } from '../src/core/single-value.ts'
import type { Snapshot } from '../src/core/snapshot.ts'
import { fillFiles, withDependencies } from './bench-home.ts'
import { startBenchService } from './bench-service.ts'
import { call } from './client.ts'
import { HttpConnection } from './http-connection.ts'
import { measureHttpLimits, measureStream } from './http-limits.ts'
import { percentile, printMachine, printRow } from './machine.ts'
import { IS_QUICK, openReport } from './report.ts'

const SNAPSHOTS = Number(process.env['BENCH_SNAPSHOTS'] ?? (IS_QUICK ? 10_000 : 100_000))
const FILES = Number(process.env['BENCH_FILES'] ?? (IS_QUICK ? 10_000 : 100_000))
const LOOKUPS = IS_QUICK ? 200 : 2_000

const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
let service = await startBenchService(home)
const types = ['long', 'long', 'double', 'string', 'timestamp', 'int', 'long', 'date'] as const
const columns = types.map((type, i) => ({ name: `c${i}`, type }))
const make = (body: unknown) => call(`${service.url}/v1/tables`, { method: 'POST', body })
const wide = await make({ name: 'wide', schema: { columns } })
const long = await make({ name: 'long', schema: { columns: columns.slice(0, 1) } })
await service.stop()

await fillHistory(long.table_id)
await fillFiles(home, {
  tableUuid: wide.table_id,
  added: Array.from({ length: FILES }, (_, i) => dataFile(i)),
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

/** Rows of the catalog as so many commits leave them; all of them share one manifest list. */
async function fillHistory(tableUuid: string): Promise<void> {
  const catalog = await openSqliteCatalog({ path: join(home, 'catalog.db') })
  let state = await catalog.findTable({ tableUuid })
  const step = 1_000
  for (let first = 0; first < SNAPSHOTS && state !== undefined; first += step) {
    const snapshots = Array.from({ length: step }, (_, i) => historic(first + i))
    const last = snapshots.at(-1) as Snapshot
    const changed = {
      ...state,
      version: state.version + 1,
      lastSequenceNumber: last.sequenceNumber,
      lastUpdatedMs: last.timestampMs,
      currentSnapshot: last,
    }
    await catalog.commit({
      tables: [
        {
          expectedVersion: state.version,
          state: changed,
          newSnapshots: snapshots,
          newLogEntries: snapshots,
          addedPaths: [],
        },
      ],
      transactions: [],
    })
    state = changed
  }
  if (state !== undefined) {
    // An empty manifest list would not be a snapshot's: one that exists serves them all.
    await withDependencies(home, async (deps) => {
      const { encodeManifestList } = await import('../src/formats/iceberg/manifest-list.ts')
      const list = { manifests: [], snapshotId: 1n, parentSnapshotId: null, sequenceNumber: 1n }
      await deps.objects.putIfAbsent(listLocation(), encodeManifestList(list))
    })
  }
  await catalog.close()
}

function listLocation(): string {
  return `file://${home}/warehouse/shared-list.avro`
}

function historic(index: number): Snapshot {
  return {
    snapshotId: BigInt(index + 1),
    parentSnapshotId: index === 0 ? null : BigInt(index),
    sequenceNumber: BigInt(index + 1),
    timestampMs: 1_600_000_000_000 + index * 1000,
    operation: 'append',
    summary: { 'added-data-files': '1', 'total-data-files': String(index + 1) },
    manifestList: listLocation(),
    schemaId: 0,
  }
}

function dataFile(index: number): DataFile {
  const bound = (i: number, high: boolean): Uint8Array => {
    const base = index * 1000 + (high ? 999 : 0)
    switch (types[i]) {
      case 'double':
        return encodeSingleValue({ kind: 'double' }, base / 7)
      case 'string':
        return encodeSingleValue({ kind: 'string' }, `key ${String(base).padStart(12, '0')}`)
      case 'int':
      case 'date':
        return encodeSingleValue({ kind: 'int' }, base % 20_000)
      default:
        return encodeSingleValue({ kind: 'long' }, BigInt(base))
    }
  }
  const byId = <T>(value: (i: number) => T) => new Map(types.map((_, i) => [i + 1, value(i)]))
  return {
    content: 'data',
    path: `file://${home}/warehouse/default/wide/data/part-${String(index).padStart(8, '0')}.parquet`,
    format: 'parquet',
    specId: 0,
    partition: [],
    recordCount: 1000,
    fileSizeBytes: 65_536,
    columnSizes: byId(() => 8_000),
    valueCounts: byId(() => 1000),
    nullValueCounts: byId(() => 0),
    lowerBounds: byId((i) => bound(i, false)),
    upperBounds: byId((i) => bound(i, true)),
    splitOffsets: [4],
  }
}
