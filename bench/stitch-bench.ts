/**
 * Stitching Parquet files into one, beside a plain copy of the same bytes; and planning for many
 * files.
 * Run: npx tsx bench/stitch-bench.ts [megabytes]
 */
import { type FileHandle, mkdtemp, open, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { readParquetFooter } from '../src/formats/parquet/footer/footer.ts'
import { planStitch, type StitchPlan, StitchPlanner } from '../src/formats/parquet/stitch/stitch.ts'
import { printMachine } from './machine.ts'
import { IS_QUICK, openReport } from './report.ts'

const FILES = 16
const ROUNDS = IS_QUICK ? 2 : 5
const PLANNED_FILES = IS_QUICK ? [100] : [100, 1000, 10_000]
const CHUNK_BYTES = 1024 * 1024
const TAIL_BYTES = 64 * 1024
const BYTES_OF_ROW = 38

const PLAIN = 'plain copy, one file after another'
const STITCHED = 'stitched into one'
const report = openReport('stitch')

interface Source {
  readonly handle: FileHandle
  readonly sizeBytes: number
}

async function main(): Promise<void> {
  const megabytes = Number(process.argv[2] ?? (IS_QUICK ? 50 : 500))
  const folder = await mkdtemp(join(tmpdir(), 'moraine-stitch-bench-'))
  try {
    printMachine('Stitching Parquet')
    const sources = await writeFiles(folder, Math.ceil((megabytes * 1e6) / BYTES_OF_ROW / FILES))
    const target = join(folder, 'target.parquet')
    await measureCopies(sources, target)
    await checkRows(target)
    await measurePlans(sources)
    await Promise.all(sources.map(({ handle }) => handle.close()))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function writeFiles(folder: string, rowsOfFile: number): Promise<readonly Source[]> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' })
  const connection = await instance.connect()
  const sources: Source[] = []
  for (let i = 0; i < FILES; i++) {
    const path = join(folder, `part-${i}.parquet`)
    const [from, to] = [i * rowsOfFile, (i + 1) * rowsOfFile]
    await connection.run(
      `COPY (SELECT i AS id, md5(i::VARCHAR) AS code, i % 100 AS small,
         TIMESTAMP '2024-01-01' + to_seconds(i) AS "at", (i * 0.25)::DECIMAL(12,2) AS price,
         i / 7.0 AS ratio, i % 2 = 0 AS flag, 'c' || (i % 20) AS carrier
       FROM range(${from}, ${to}) t(i)) TO '${path}' (FORMAT parquet, COMPRESSION zstd)`,
    )
    sources.push({ handle: await open(path), sizeBytes: (await stat(path)).size })
  }
  connection.closeSync()
  instance.closeSync()
  return sources
}

async function measureCopies(sources: readonly Source[], target: string): Promise<void> {
  const bytes = sources.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  console.log(`\n${FILES} files, ${(bytes / 1e6).toFixed(0)} MB, best of ${ROUNDS}, not synced`)
  const kinds = { [PLAIN]: plainCopy, [STITCHED]: stitchCopy }
  const best = new Map<string, number>()
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, copy] of Object.entries(kinds)) {
      await rm(target, { force: true })
      const started = performance.now()
      await copy(sources, target)
      const ms = performance.now() - started
      best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, ms))
    }
  }
  for (const [name, ms] of best) {
    console.log(`${name.padEnd(40)} ${(bytes / 1e3 / ms).toFixed(0).padStart(6)} MB/s`)
  }
  const speedOf = (name: string) => bytes / 1e3 / (best.get(name) ?? Number.NaN)
  report.figure({
    what: `${FILES} Parquet files of ${(bytes / 1e6).toFixed(0)} MB stitched into one, not synced`,
    ...{ value: speedOf(STITCHED), unit: 'MB/s' },
    limit: { what: PLAIN, value: speedOf(PLAIN) },
  })
}

async function plainCopy(sources: readonly Source[], target: string): Promise<void> {
  const file = await open(target, 'w')
  for (const { handle, sizeBytes } of sources) {
    await copyRange(handle, file, { offset: 0, lengthBytes: sizeBytes })
  }
  await file.close()
}

async function stitchCopy(sources: readonly Source[], target: string): Promise<void> {
  const plan = await planOf(sources)
  const file = await open(target, 'w')
  await file.write(plan.head)
  for (const [i, ranges] of plan.ranges.entries()) {
    for (const range of ranges) await copyRange((sources[i] as Source).handle, file, range)
  }
  await file.write(plan.tail)
  await file.close()
  const { size } = await stat(target)
  if (size !== plan.lengthBytes) throw new Error(`${size} bytes, announced ${plan.lengthBytes}`)
}

async function planOf(sources: readonly Source[]): Promise<StitchPlan> {
  const footers = await Promise.all(sources.map(footerOf))
  return planStitch(footers.map((footer) => ({ footer })))
}

async function footerOf({ handle, sizeBytes }: Source) {
  const read = (offset: number, lengthBytes: number) => readRange(handle, offset, lengthBytes)
  const tailBytes = Math.min(TAIL_BYTES, sizeBytes)
  return readParquetFooter({ bytes: await read(sizeBytes - tailBytes, tailBytes), sizeBytes }, read)
}

async function readRange(handle: FileHandle, offset: number, lengthBytes: number) {
  const bytes = new Uint8Array(lengthBytes)
  const { bytesRead } = await handle.read(bytes, 0, lengthBytes, offset)
  return bytes.subarray(0, bytesRead)
}

const CHUNK = Buffer.allocUnsafe(CHUNK_BYTES)

async function copyRange(
  from: FileHandle,
  to: FileHandle,
  { offset, lengthBytes }: { readonly offset: number; readonly lengthBytes: number },
): Promise<void> {
  const end = offset + lengthBytes
  for (let position = offset; position < end; position += CHUNK_BYTES) {
    const { bytesRead } = await from.read(CHUNK, 0, Math.min(CHUNK_BYTES, end - position), position)
    await to.write(CHUNK, 0, bytesRead)
  }
}

async function checkRows(target: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const started = performance.now()
  const reader = await connection.runAndReadAll(
    `SELECT count(*), count(DISTINCT id), count(*) FILTER (code = md5(id::VARCHAR))
     FROM '${target}'`,
  )
  const ms = (performance.now() - started).toFixed(0)
  console.log(
    `DuckDB reads it: rows, ids, right codes: ${reader.getRows()[0]?.join(', ')} (${ms} ms)`,
  )
  connection.closeSync()
  instance.closeSync()
}

async function measurePlans(sources: readonly Source[]): Promise<void> {
  console.log(
    '\nplanning, the same files again and again; footers read and decoded from the page cache',
  )
  for (const files of PLANNED_FILES) {
    const planner = new StitchPlanner()
    let plannedMs = 0
    const started = performance.now()
    for (let i = 0; i < files; i += FILES) {
      const footers = await Promise.all(sources.slice(0, files - i).map(footerOf))
      const read = performance.now()
      for (const footer of footers) planner.add({ footer })
      plannedMs += performance.now() - read
    }
    const plan = planner.finish()
    const allMs = performance.now() - started
    console.log(
      `${String(files).padStart(6)} files, ${plan.rowGroupCount} row groups: footers ` +
        `${(allMs - plannedMs).toFixed(0)} ms, plan ${plannedMs.toFixed(0)} ms, ` +
        `new footer ${(plan.tail.length / 1e6).toFixed(1)} MB`,
    )
    report.figure({ what: `one footer planned for ${files} files`, value: allMs, unit: 'ms' })
  }
  console.log(`largest resident size ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`)
}

await main()
