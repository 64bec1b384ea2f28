import {
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'

/** What every figure depends on: printed above them. */
export function printMachine(title: string): void {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const [cpu] = cpus()
  console.log(`\n## ${title}`)
  console.log(
    `Moraine ${version}, Node ${process.version}, ${cpus().length} x ${cpu?.model ?? 'unknown'}, ` +
      `${Math.round(totalmem() / 2 ** 30)} GiB; fdatasync of 4 KiB: ${fdatasyncsPerSecond()}/s\n`,
  )
}

/** How often this disk can promise that bytes stay: nothing durable is faster, but by sharing. */
export function fdatasyncsPerSecond(): number {
  const folder = mkdtempSync(join(tmpdir(), 'moraine-fdatasync-'))
  const file = openSync(join(folder, 'x'), 'w')
  const block = Buffer.alloc(4096, 1)
  const rounds = 300
  const begin = performance.now()
  for (let i = 0; i < rounds; i++) {
    writeSync(file, block)
    fdatasyncSync(file)
  }
  const seconds = (performance.now() - begin) / 1000
  closeSync(file)
  rmSync(folder, { recursive: true })
  return Math.round(rounds / seconds)
}

export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN
}

export function printRow(cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(' | ')} |`)
}
