/**
 * `npm run bench [name ...]`: every measurement, one after the other, then one table of all
 * figures. BENCH_QUICK=1 for a short look. A bench that fails does not stop the others, but the
 * exit code is 1.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { build } from './build.ts'
import { requireDiskFolder } from './disk-folder.ts'
import { loadAverage, ROOT } from './machine.ts'
import { RECORDS_VARIABLE } from './report.ts'
import { type BenchRun, parseRecords, RESULTS_FOLDER, renderTable, saveResults } from './results.ts'
import { fileOfBench, selectBenches } from './selection.ts'

const FOLDER = join(ROOT, 'bench')
/** A bench that hangs would hide what the others measured. */
const BENCH_TIMEOUT_MS = 30 * 60 * 1000
/** Load average, as a share of the cores, beyond which other work distorts the figures. */
const BUSY_SHARE = 0.5

function main(words: readonly string[]): void {
  requireDiskFolder(tmpdir())
  const benches = selectBenches(readdirSync(FOLDER), words)
  const busyWith = loadAverage()
  build()
  mkdirSync(RESULTS_FOLDER, { recursive: true })
  const recordsFile = join(RESULTS_FOLDER, `records-${process.pid}.ndjson`)
  const runs = benches.map((bench) => runBench(bench, recordsFile))
  const records = parseRecords(existsSync(recordsFile) ? readFileSync(recordsFile, 'utf8') : '')
  rmSync(recordsFile, { force: true })
  const file = saveResults({ runs, records })
  console.log(`\n# All figures\n\n${renderTable(records)}\n`)
  for (const { bench, outcome, seconds } of runs) console.log(`${outcome}  ${bench}, ${seconds} s`)
  const total = runs.reduce((sum, { seconds }) => sum + seconds, 0)
  console.log(`\n${total} s in all; written to ${relative(ROOT, file)}`)
  if (busyWith > BUSY_SHARE * availableParallelism()) {
    console.log(`The machine was busy before (load average ${busyWith}): compare ratios only.`)
  }
  if (runs.some(({ outcome }) => outcome === 'failed')) process.exitCode = 1
}

function runBench(bench: string, recordsFile: string): BenchRun {
  const begin = performance.now()
  const { status } = spawnSync(
    process.execPath,
    ['--import', 'tsx', join(FOLDER, fileOfBench(bench))],
    {
      stdio: 'inherit',
      timeout: BENCH_TIMEOUT_MS,
      env: { ...process.env, [RECORDS_VARIABLE]: recordsFile },
    },
  )
  const seconds = Math.round((performance.now() - begin) / 1000)
  return { bench, outcome: status === 0 ? 'done' : 'failed', seconds }
}

try {
  main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}
