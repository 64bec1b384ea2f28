/**
 * Conversion of a table of 16 files, by the engine's children and by one plain DuckDB COPY of the
 * same files in the same run. `npx tsx bench/convert-bench.ts [rows, 4000000 by default] [csv, for
 * no other format]`
 */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance, version } from '@duckdb/node-api'
import type { Field } from '../src/core/value/type.ts'
import { openDuckDbEngine } from '../src/engine/duckdb.ts'
import type { Compression, Engine, ExportFormat } from '../src/engine/engine.ts'
import { printMachine } from './machine.ts'
import { IS_QUICK, openReport } from './report.ts'

const FILES = 16
const PROCESSES = 2
const rows = Number(process.argv[2] ?? (IS_QUICK ? 400_000 : 4_000_000))
const report = openReport('convert')

const FIELDS: readonly Field[] = [
  { id: 1, name: 'order_key', required: false, type: { kind: 'long' } },
  { id: 2, name: 'part_key', required: false, type: { kind: 'int' } },
  { id: 3, name: 'quantity', required: false, type: { kind: 'decimal', precision: 12, scale: 2 } },
  { id: 4, name: 'discount', required: false, type: { kind: 'double' } },
  { id: 5, name: 'shipped', required: false, type: { kind: 'date' } },
  { id: 6, name: 'received_at', required: false, type: { kind: 'timestamp' } },
  { id: 7, name: 'comment', required: false, type: { kind: 'string' } },
]
const ROWS = `SELECT range AS order_key, (hash(range) % 200000)::INTEGER AS part_key,
  ((hash(range) % 5000) / 100)::DECIMAL(12,2) AS quantity, (hash(range) % 11) / 100 AS discount,
  DATE '1992-01-01' + (range % 2500)::INTEGER AS shipped,
  TIMESTAMP '1992-01-01' + to_seconds(range % 80000000) AS received_at,
  'comment ' || (hash(range) % 1000000) AS comment`

const folder = await mkdtemp(join(tmpdir(), 'moraine-convert-bench-'))
const plainBytes = new Map<ExportFormat, number>()
const sources = Array.from({ length: FILES }, (_, i) => join(folder, `data-${i}.parquet`))
try {
  await main()
} finally {
  await rm(folder, { recursive: true, force: true })
}

async function main(): Promise<void> {
  printMachine('Conversions by the engine')
  console.log(`DuckDB ${version()}, ${PROCESSES} children`)
  await withDuckDb(async (db) => {
    for (const [i, path] of sources.entries()) {
      const from = Math.floor((rows * i) / FILES)
      const to = Math.floor((rows * (i + 1)) / FILES)
      await db.run(`COPY (${ROWS} FROM range(${from}, ${to})) TO '${path}' (COMPRESSION zstd)`)
    }
  })
  console.log(`${rows} rows in ${FILES} files, ${megabytes(await sizeOf(sources))} MB of Parquet\n`)
  console.log(
    '| format | engine MB/s | engine rows/s | one COPY MB/s | ratio ' +
      '| engine CPU s | one COPY CPU s | ratio |\n' +
      '|---|---|---|---|---|---|---|---|',
  )
  const engine = await openDuckDbEngine({
    processes: PROCESSES,
    memoryBytes: 512_000_000,
    temporaryFolder: join(folder, 'work'),
    jobTimeoutMs: 600_000,
    queueMax: FILES,
  })
  await Promise.all([0, 1].map(() => convert(engine, sources.slice(0, 1), ['csv', 'none'])))
  const [only] = process.argv.slice(3)
  await compare(engine, ['csv', 'none'], 'FORMAT csv')
  if (only === 'csv') return await engine.close()
  await compare(engine, ['csv', 'gzip'], 'FORMAT csv, COMPRESSION gzip')
  await compare(engine, ['csv', 'zstd'], 'FORMAT csv, COMPRESSION zstd')
  await compare(engine, ['ndjson', 'none'], 'FORMAT json')
  await compare(engine, ['parquet', 'none'], 'FORMAT parquet, COMPRESSION zstd')
  // DuckDB for Node writes no Arrow: measures the Parquet that our conversion starts with.
  await compare(engine, ['arrow', 'none'], 'FORMAT parquet, COMPRESSION snappy')
  await engine.close()
}

type Target = readonly [format: ExportFormat, compression: Compression]

/** Megabytes of plain text, also where the output is compressed. */
async function compare(engine: Engine, target: Target, options: string): Promise<void> {
  const [format, compression] = target
  const oursBeforeMs = await processorMs()
  const ours = await convert(engine, sources, target)
  const oursCpuMs = (await processorMs()) - oursBeforeMs
  const path = join(folder, 'plain')
  const plainBeforeMs = await processorMs()
  const plainMs = await withDuckDb(async (db) => {
    const list = sources.map((source) => `'${source}'`).join(', ')
    const startedAt = performance.now()
    await db.run(`COPY (SELECT * FROM read_parquet([${list}])) TO '${path}' (${options})`)
    return performance.now() - startedAt
  })
  const plainCpuMs = (await processorMs()) - plainBeforeMs
  await rm(path)
  const bytes = compression === 'none' ? ours.bytes : (plainBytes.get(format) ?? ours.bytes)
  plainBytes.set(format, bytes)
  const speed = (ms: number): string => (bytes / 1_000 / ms).toFixed(0)
  report.figure({
    what: `${FILES} files to ${format}, ${compression}, by ${PROCESSES} children`,
    ...{ value: bytes / 1_000 / ours.ms, unit: 'MB/s' },
    peer: { what: 'one DuckDB COPY', version: version(), value: bytes / 1_000 / plainMs },
  })
  console.log(
    `| ${format} ${compression} | ${speed(ours.ms)} | ${((rows / ours.ms) * 1000).toFixed(0)} ` +
      `| ${speed(plainMs)} | ${(plainMs / ours.ms).toFixed(2)} ` +
      `| ${(oursCpuMs / 1000).toFixed(1)} ` +
      `| ${(plainCpuMs / 1000).toFixed(1)} | ${(plainCpuMs / oursCpuMs).toFixed(2)} |`,
  )
}

async function convert(
  engine: Engine,
  paths: readonly string[],
  [format, compression]: Target,
): Promise<{ readonly ms: number; readonly bytes: number }> {
  const schema = { schemaId: 0, fields: FIELDS, identifierFieldIds: [] }
  const columns = FIELDS.map(({ id, name }) => ({ fieldId: id, nameInFile: name }))
  const startedAt = performance.now()
  const shards = await Promise.all(
    paths.map(async (path) => {
      const target = { path: join(folder, crypto.randomUUID()), format, compression }
      const { bytes } = await engine.export({ source: { path, columns }, schema, target })
      return { path: target.path, bytes }
    }),
  )
  const ms = performance.now() - startedAt
  for (const { path } of shards) await rm(path)
  return { ms, bytes: shards.reduce((sum, { bytes }) => sum + bytes, 0) }
}

async function withDuckDb<T>(use: (db: DuckDBConnection) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    return await use(connection)
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/**
 * Processor time of this process and, on Linux, its children: a loaded machine changes it less than
 * elapsed time.
 */
async function processorMs(): Promise<number> {
  const { user, system } = process.cpuUsage()
  const names = await readdir('/proc').catch(() => [])
  const stats = await Promise.all(
    names
      .filter((name) => /^\d+$/.test(name))
      .map((name) => readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')),
  )
  // `id (name) state parent ...`: the name may hold anything. Times are in hundredths of a second.
  const fields = stats.map((text) => text.slice(text.lastIndexOf(')') + 2).split(' '))
  const ofChildren = fields.filter(([, parent]) => Number(parent) === process.pid)
  const ticks = ofChildren.reduce((sum, field) => sum + Number(field[11]) + Number(field[12]), 0)
  return (user + system) / 1000 + ticks * 10
}

async function sizeOf(paths: readonly string[]): Promise<number> {
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0)
}
