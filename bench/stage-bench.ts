/**
 * How fast data files can be staged: footers read and metrics taken, 16 files in parallel.
 * Run: npx tsx bench/stage-bench.ts [files]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { parquetMetadataAsync } from 'hyparquet'
import { nameMappingOf } from '../src/core/schema/name-mapping.ts'
import { runSteps } from '../src/core/steps.ts'
import type { Schema } from '../src/core/value/type.ts'
import { type ParquetFooter, readParquetFooter } from '../src/formats/parquet/footer/footer.ts'
import { inferSchemaFields } from '../src/formats/parquet/schema/parquet-schema.ts'
import { matchFileSchema } from '../src/formats/parquet/schema/schema-match.ts'
import { fileMetricsSteps } from '../src/formats/parquet/statistics/file-metrics.ts'
import { openLocalStore } from '../src/objects/local/local-store.ts'
import type { ObjectStore } from '../src/objects/object-store.ts'
import { printMachine, versionsOf } from './machine.ts'
import { IS_QUICK, openReport } from './report.ts'

const PARALLEL = 16
/** What the service requests, and what is enough for most files. */
const TAILS = [64 * 1024, 16 * 1024]
const ROUNDS = IS_QUICK ? 2 : 5
const ROWS_OF_FILE = `
  SELECT file * 1000 + i AS id, DATE '2024-01-01' + (i % 365)::INTEGER AS day,
    'carrier-' || (i % 20) AS carrier, (i * 1.25)::DECIMAL(12,2) AS price, i / 3 AS delay,
    TIMESTAMP '2024-01-01' + to_seconds(i) AS departed, md5(i::VARCHAR) AS code, i % 2 = 0 AS late
  FROM range(1000) t(i)`

const report = openReport('stage')
const VERSIONS = versionsOf(['hyparquet', '@duckdb/node-api'])

async function main(): Promise<void> {
  const fileCount = Number(process.argv[2] ?? (IS_QUICK ? 100 : 1000))
  const folder = await mkdtemp(join(tmpdir(), 'moraine-stage-bench-'))
  try {
    await writeFiles(folder, fileCount)
    const locations = Array.from({ length: fileCount }, (_, i) => `file://${folder}/f-${i}.parquet`)
    const store = await openLocalStore({ writableRoots: [], readableRoots: [folder] })
    const first = await readFooter(store, locations[0] as string, 64 * 1024)
    printLoad(first, fileCount)
    for (const tailBytes of TAILS) {
      console.log(`tail of ${tailBytes / 1024} KiB`)
      await measureTail({ store, locations, first, tailBytes })
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function measureTail({ store, locations, first, tailBytes }: Load): Promise<void> {
  const schema: Schema = { schemaId: 0, fields: inferSchemaFields(first), identifierFieldIds: [] }
  const nameMapping = nameMappingOf(schema)
  const storeAlone = await measure(
    'the store alone, nothing decoded',
    locations,
    async (location) => {
      await store.readTail(location, tailBytes)
    },
  )
  await measure('footers', locations, (location) => readFooter(store, location, tailBytes))
  const whole = await measure(
    'footers, matched to the schema, with metrics',
    locations,
    async (location) => {
      const footer = await readFooter(store, location, tailBytes)
      const match = matchFileSchema({ footer, schema, nameMapping })
      runSteps(fileMetricsSteps(footer, match, schema))
    },
  )
  const hyparquet = await measure('peer: hyparquet metadata', locations, async (location) => {
    const tail = await store.readTail(location, tailBytes)
    const start = tail.sizeBytes - tail.bytes.length
    const slice = async (from: number, to = tail.sizeBytes) =>
      Uint8Array.from(tail.bytes.subarray(from - start, to - start)).buffer
    await parquetMetadataAsync(
      { byteLength: tail.sizeBytes, slice },
      { initialFetchSize: tail.bytes.length },
    )
  })
  report.figure({
    what:
      `footers read and matched with metrics, ${PARALLEL} at once, ` +
      `tail of ${tailBytes / 1024} KiB`,
    ...{ value: whole, unit: 'files/s' },
    limit: { what: 'the store alone', value: storeAlone },
    peer: {
      what: 'hyparquet, metadata only',
      version: VERSIONS['hyparquet'] ?? '',
      value: hyparquet,
    },
  })
}

interface Load {
  readonly store: ObjectStore
  readonly locations: readonly string[]
  readonly first: ParquetFooter
  readonly tailBytes: number
}

async function writeFiles(folder: string, fileCount: number): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  for (let file = 0; file < fileCount; file++) {
    const rows = ROWS_OF_FILE.replace('file *', `${file} *`)
    await connection.run(`COPY (${rows}) TO '${folder}/f-${file}.parquet' (FORMAT parquet)`)
  }
  connection.closeSync()
  instance.closeSync()
}

async function readFooter(
  store: ObjectStore,
  location: string,
  tailBytes: number,
): Promise<ParquetFooter> {
  const tail = await store.readTail(location, tailBytes)
  return readParquetFooter(tail, (offset, bytesMax) => store.readRange(location, offset, bytesMax))
}

async function measure(
  name: string,
  locations: readonly string[],
  work: (location: string) => Promise<unknown>,
): Promise<number> {
  const rates: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const startedAtMs = performance.now()
    const queue = [...locations].values()
    const worker = async () => {
      for (const location of queue) await work(location)
    }
    await Promise.all(Array.from({ length: PARALLEL }, worker))
    rates.push((locations.length * 1000) / (performance.now() - startedAtMs))
  }
  rates.sort((a, b) => a - b)
  const best = Math.round(rates.at(-1) ?? 0).toLocaleString('en')
  const median = rates[rates.length >> 1] ?? 0
  console.log(
    `  ${name.padEnd(46)} ${best.padStart(8)} files/s best, ` +
      `${Math.round(median).toLocaleString('en')} median`,
  )
  return median
}

function printLoad(footer: ParquetFooter, fileCount: number): void {
  const footerBytes = footer.fileSizeBytes - footer.footerOffset - 8
  printMachine('Staging: footers of data files')
  console.log(
    `${fileCount} files of DuckDB (@duckdb/node-api ${VERSIONS['@duckdb/node-api']}), ` +
      `${footer.leaves.length} columns, ${footer.fileSizeBytes} bytes each, ` +
      `footer ${footerBytes}; ${PARALLEL} in parallel, ${ROUNDS} rounds`,
  )
}

await main()
