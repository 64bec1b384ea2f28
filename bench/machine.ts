import { readFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { fdatasyncsPerSecond } from './disk-limits.ts'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

export function describeMachine(): string {
  const [cpu] = cpus()
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  return `${process.platform}, ${cpus().length} x ${cpu?.model.trim() ?? 'unknown'}, ${memory}`
}

/** Load average of the last minute; 0 where the system has none. */
export function loadAverage(): number {
  return Number((loadavg()[0] ?? 0).toFixed(2))
}

/** Versions of Moraine, Node and these packages. */
export function versionsOf(packages: readonly string[]): Record<string, string> {
  const of = (folder: string): string =>
    JSON.parse(readFileSync(`${ROOT}${folder}package.json`, 'utf8')).version
  const others = packages.map((name) => [name, of(`node_modules/${name}/`)])
  return { moraine: of(''), node: process.versions.node, ...Object.fromEntries(others) }
}

/** What every figure depends on; printed above them. */
export function printMachine(title: string): void {
  const { moraine, node } = versionsOf([])
  console.log(`\n## ${title}`)
  console.log(
    `Moraine ${moraine}, Node ${node}, ${describeMachine()}, load average ${loadAverage()}; ` +
      `fdatasync of 4 KiB: ${fdatasyncsPerSecond()}/s\n`,
  )
}

export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN
}

export function printRow(cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(' | ')} |`)
}
