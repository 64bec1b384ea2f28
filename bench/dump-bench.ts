/**
 * Dumps: conversion beside one DuckDB COPY of the same files in the same run; the cost of one more
 * file; time to the first byte.
 * Run: BENCH_ROWS=24000000 npx tsx bench/dump-bench.ts
 */
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance, version } from '@duckdb/node-api'
import { readConfig } from '../src/config.ts'
import type { Engine } from '../src/engine/engine.ts'
import { getTable } from '../src/lake/table/table-lookup.ts'
import { readPieces } from '../src/modules/dumps/dump-digest.ts'
import { type DumpFormatChoice, dumpTargetOf } from '../src/modules/dumps/dump-key.ts'
import { DumpProgress } from '../src/modules/dumps/dump-progress.ts'
import { Dumps } from '../src/modules/dumps/dumps.ts'
import type { DumpIndex } from '../src/modules/dumps/format/dump-index.ts'
import { createTable } from '../src/modules/tables/tables.ts'
import { openPlatform } from '../src/service.ts'
import { commitFiles, givenFile } from '../test/lake/trusted-caller.ts'
import { diskMegabytesPerSecond } from './disk-limits.ts'
import { printMachine, printRow } from './machine.ts'
import { IS_QUICK, openReport } from './report.ts'

const ROWS = Number(process.env['BENCH_ROWS'] ?? (IS_QUICK ? 1_000_000 : 20_000_000))
const FILES = 16
const SMALL_FILES = 100
const SMALL_FILE_ROWS = Math.ceil(ROWS / 400)

const report = openReport('dump')

const CHOICES: readonly (DumpFormatChoice & { readonly copyOptions: string })[] = [
  { format: 'csv', compression: 'none', copyOptions: 'FORMAT csv' },
  { format: 'csv', compression: 'gzip', copyOptions: 'FORMAT csv, COMPRESSION gzip' },
  { format: 'ndjson', compression: 'none', copyOptions: 'FORMAT json' },
  { format: 'parquet', compression: 'none', copyOptions: 'FORMAT parquet, COMPRESSION zstd' },
]

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-dump-bench-'))
  const service = await openService(folder)
  try {
    printMachine('Dumps')
    console.log(`DuckDB ${version()}; ${availableParallelism()} engine processes of one thread\n`)
    await warmUp(service, folder)
    const paths = await writeFiles(folder, { name: 'big', count: FILES, rows: ROWS / FILES })
    await service.createTable('big', paths)
    await measureConversions(service, folder, paths)
    await measureIncrement(service, folder)
  } finally {
    await service.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Like the lineitem table of TPC-H: numbers, dates, decimals, short words and a comment. */
function rowsSql(first: number, end: number): string {
  return `SELECT i AS orderkey, (hash(i) % 200000)::BIGINT AS partkey, (i % 7)::INTEGER AS line,
    ((hash(i + 1) % 10000000) / 100)::DECIMAL(12, 2) AS price, (hash(i) % 11) / 100.0 AS discount,
    CASE WHEN i % 3 = 0 THEN 'R' WHEN i % 3 = 1 THEN 'A' ELSE 'N' END AS flag,
    DATE '1992-01-01' + (hash(i) % 2500)::INTEGER AS shipped,
    TIMESTAMP '1992-01-01' + to_seconds(i % 100000000) AS received,
    CASE WHEN i % 5 > 0 THEN 'regular deposits, "final" ' || md5(i::VARCHAR) END AS comment
    FROM range(${first}, ${end}) t(i)`
}

async function writeFiles(
  folder: string,
  { name, count, rows }: { name: string; count: number; rows: number },
): Promise<string[]> {
  await mkdir(join(folder, 'lake'), { recursive: true })
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const paths: string[] = []
  for (let i = 0; i < count; i++) {
    const path = join(folder, 'lake', `${name}-${String(i).padStart(4, '0')}.parquet`)
    const query = rowsSql(Math.floor(i * rows), Math.floor((i + 1) * rows))
    await connection.run(`COPY (${query}) TO '${path}' (FORMAT parquet, COMPRESSION zstd)`)
    paths.push(path)
  }
  connection.closeSync()
  instance.closeSync()
  return paths
}

interface Service {
  readonly engine: MeasuredEngine
  createTable(name: string, paths: readonly string[]): Promise<void>
  append(name: string, path: string): Promise<void>
  dump(name: string, choice: DumpFormatChoice): Promise<MeasuredDump>
  /** Work done when nobody waits: sweeps, and the digest that the next dump continues. */
  settle(): Promise<void>
  forgetAll(): Promise<void>
  close(): Promise<void>
}

interface MeasuredDump {
  readonly index: DumpIndex
  readonly seconds: number
  readonly firstByteSeconds: number
}

/** The given engine, which also adds up the time of its exports. */
class MeasuredEngine implements Engine {
  readonly #engine: Engine
  exports = 0
  seconds = 0

  constructor(engine: Engine) {
    this.#engine = engine
  }

  export: Engine['export'] = async (job, options) => {
    this.exports++
    const begin = performance.now()
    try {
      return await this.#engine.export(job, options)
    } finally {
      this.seconds += (performance.now() - begin) / 1000
    }
  }

  ingest: Engine['ingest'] = (job, options) => this.#engine.ingest(job, options)

  split: Engine['split'] = (job, options) => this.#engine.split(job, options)

  query: Engine['query'] = (job, options) => this.#engine.query(job, options)

  parseSql: Engine['parseSql'] = (sql, options) => this.#engine.parseSql(sql, options)

  querySql: Engine['querySql'] = (job, options) => this.#engine.querySql(job, options)

  close(): Promise<void> {
    return this.#engine.close()
  }
}

async function openService(folder: string): Promise<Service> {
  const config = readConfig({
    MORAINE_HOME: folder,
    MORAINE_ALLOWED_LOCATIONS: join(folder, 'lake'),
  })
  const engines: MeasuredEngine[] = []
  const platform = await openPlatform(config, {
    log: { warn: (facts, message) => console.warn(message, facts) },
    wrapEngine: (duckDb) => {
      const measured = new MeasuredEngine(duckDb)
      engines.push(measured)
      return measured
    },
    engineJobTimeoutMs: 3_600_000,
  })
  const [engine] = engines
  if (engine === undefined) throw new Error('no engine was opened')
  const { catalog, objects } = platform
  const dumps = new Dumps(platform, { keepNewest: 3 })
  return {
    engine,
    async createTable(name, paths) {
      await createTable(platform, { name, inferFrom: givenFile(paths[0]) })
      await commitFiles(platform, { table: name, paths })
    },
    async append(name, path) {
      await commitFiles(platform, { table: name, paths: [path] })
    },
    async dump(name, choice) {
      const state = await getTable(catalog, name)
      if (state.currentSnapshot === undefined) throw new Error('no snapshot')
      const begin = performance.now()
      const asked = { ...choice, restriction: 'unrestricted' as const }
      const opened = await dumps.open(dumpTargetOf(state, state.currentSnapshot, asked))
      const first = await firstByte(opened)
      const firstByteSeconds = (first - begin) / 1000
      const index = opened instanceof DumpProgress ? await opened.done : opened
      return { index, seconds: (performance.now() - begin) / 1000, firstByteSeconds }
    },
    settle: () => dumps.settle(),
    async forgetAll() {
      await dumps.settle()
      await rm(join(folder, 'warehouse', 'dumps'), { recursive: true, force: true })
    },
    async close() {
      await dumps.close()
      await platform.close()
    },
  }

  async function firstByte(opened: DumpIndex | DumpProgress): Promise<number> {
    const pieces = opened instanceof DumpProgress ? opened.follow() : opened.pieces
    for await (const piece of pieces) {
      // Nobody waits for a header.
      if (piece.rowCount === 0) continue
      for await (const _ of readPieces(objects, [piece])) return performance.now()
    }
    return performance.now()
  }
}

/** Starts two children beforehand: a second, once in the life of a service. */
async function warmUp(service: Service, folder: string): Promise<void> {
  const paths = await writeFiles(folder, { name: 'warm', count: FILES, rows: 100 })
  await service.createTable('warm', paths)
  const begin = performance.now()
  await service.dump('warm', { format: 'csv', compression: 'none' })
  const milliseconds = performance.now() - begin
  console.log(
    `A first dump, of ${FILES} tiny files, that starts the engine: ${milliseconds.toFixed(0)} ms\n`,
  )
}

async function measureConversions(
  service: Service,
  folder: string,
  paths: readonly string[],
): Promise<void> {
  console.log(`### ${ROWS} rows in ${FILES} files\n`)
  const heads = ['format', 'million rows/s', 'MB/s of output', 's', 'first row of data, ms']
  printRow([...heads, 'one DuckDB COPY, s', 'times as fast'])
  printRow(['---', '---', '---', '---', '---', '---', '---'])
  const disk = diskMegabytesPerSecond().written
  for (const choice of CHOICES) {
    const copySeconds = await copyWithDuckDb(folder, paths, choice.copyOptions)
    const { index, seconds, firstByteSeconds } = await service.dump('big', choice)
    await service.forgetAll()
    const name =
      choice.compression === 'none' ? choice.format : `${choice.format} ${choice.compression}`
    const bytesPerRow = index.lengthBytes / index.rowCount
    report.figure({
      what: `${ROWS} rows in ${FILES} files to ${name}`,
      ...{ value: index.rowCount / seconds / 1e6, unit: 'million rows/s' },
      limit: { what: 'the disk, written in sequence and synced', value: disk / bytesPerRow },
      peer: {
        what: 'one DuckDB COPY, not synced',
        version: version(),
        value: ROWS / copySeconds / 1e6,
      },
    })
    printRow([
      name,
      (index.rowCount / seconds / 1e6).toFixed(2),
      (index.lengthBytes / seconds / 1e6).toFixed(0),
      seconds.toFixed(2),
      (firstByteSeconds * 1000).toFixed(0),
      copySeconds.toFixed(2),
      (copySeconds / seconds).toFixed(2),
    ])
  }
}

/** What anybody would do without Moraine: one process, as many threads as it likes, order kept. */
async function copyWithDuckDb(
  folder: string,
  paths: readonly string[],
  options: string,
): Promise<number> {
  const target = join(folder, 'copy')
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: '4GB' })
  const connection = await instance.connect()
  const files = paths.map((path) => `'${path}'`).join(', ')
  const begin = performance.now()
  await connection.run(`COPY (FROM read_parquet([${files}])) TO '${target}' (${options})`)
  const seconds = (performance.now() - begin) / 1000
  connection.closeSync()
  instance.closeSync()
  if ((await stat(target)).size === 0) throw new Error('nothing was copied')
  await rm(target)
  return seconds
}

async function measureIncrement(service: Service, folder: string): Promise<void> {
  const count = SMALL_FILES + 1
  const paths = await writeFiles(folder, { name: 'small', count, rows: SMALL_FILE_ROWS })
  const added = paths.pop() ?? ''
  await service.createTable('growing', paths)
  const choice = { format: 'csv', compression: 'none' } as const
  const first = await measured(service, choice)
  await service.settle()
  await service.append('growing', added)
  const second = await measured(service, choice)
  console.log(`\n### One file more than ${SMALL_FILES}, CSV of ${first.megabytes.toFixed(0)} MB\n`)
  printRow(['dump', 'exports', 'engine seconds', 'wall seconds'])
  printRow(['---', '---', '---', '---'])
  for (const [name, figures] of [
    ['first', first],
    ['second', second],
  ] as const) {
    const { exports, engineSeconds, seconds } = figures
    printRow([name, exports, engineSeconds.toFixed(2), seconds.toFixed(2)])
  }
  const engine = (100 * second.engineSeconds) / first.engineSeconds
  const wall = (100 * second.seconds) / first.seconds
  const what = `a dump with one file more than ${SMALL_FILES}, of the first one's`
  report.figure({ what: `${what} engine time`, value: engine, unit: '%' })
  report.figure({ what: `${what} time`, value: wall, unit: '%' })
  console.log(
    `\nThe second costs ${engine.toFixed(1)} % of the engine, ${wall.toFixed(1)} % of wall.`,
  )
}

async function measured(service: Service, choice: DumpFormatChoice) {
  const { engine } = service
  const before = { exports: engine.exports, seconds: engine.seconds }
  const { index, seconds } = await service.dump('growing', choice)
  return {
    exports: engine.exports - before.exports,
    engineSeconds: engine.seconds - before.seconds,
    seconds,
    megabytes: index.lengthBytes / 1e6,
  }
}

await main()
