import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './machine.ts'
import { type Aim, type BenchRecord, type Figure, IS_QUICK, meetsAim } from './report.ts'

export interface BenchRun {
  readonly bench: string
  readonly outcome: 'done' | 'failed'
  readonly seconds: number
}

export interface Results {
  readonly runs: readonly BenchRun[]
  readonly records: readonly BenchRecord[]
}

/** Not in the repository. */
export const RESULTS_FOLDER = join(ROOT, 'bench/results')
const RESULTS_FILE = join(RESULTS_FOLDER, IS_QUICK ? 'quick.json' : 'latest.json')

/** Keeps what earlier runs measured with other benches; returns the file. */
export function saveResults(results: Results): string {
  mkdirSync(RESULTS_FOLDER, { recursive: true })
  const merged = mergeResults(readResults(), results)
  const half = `${RESULTS_FILE}.${process.pid}`
  writeFileSync(half, `${JSON.stringify(merged, null, 2)}\n`)
  renameSync(half, RESULTS_FILE)
  return RESULTS_FILE
}

export function readResults(): Results {
  if (!existsSync(RESULTS_FILE)) return { runs: [], records: [] }
  return JSON.parse(readFileSync(RESULTS_FILE, 'utf8'))
}

/** Only the new figures of a bench that ran again are kept. */
export function mergeResults(before: Results, after: Results): Results {
  const again = new Set(after.runs.map(({ bench }) => bench))
  const others = <T extends { readonly bench: string }>(all: readonly T[]) =>
    all.filter(({ bench }) => !again.has(bench))
  const byBench = (a: { readonly bench: string }, b: { readonly bench: string }) =>
    a.bench.localeCompare(b.bench)
  return {
    runs: [...others(before.runs), ...after.runs].sort(byBench),
    records: [...others(before.records), ...after.records].sort(byBench),
  }
}

/** The commits that were measured, as text: one, unless benches ran apart. */
export function commitsOf(records: readonly BenchRecord[]): string {
  return [...new Set(records.map(({ commit }) => commit))].join(', ')
}

/** The first record, whose machine and versions are those of all. Throws if there is none. */
export function firstOf([first]: readonly BenchRecord[]): BenchRecord {
  if (first === undefined) throw new Error('there are no figures: npm run bench')
  return first
}

/** One line a record, as the benches hand them to `run-all.ts`. */
export function parseRecords(text: string): BenchRecord[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

const HEAD = ['bench', 'what', 'measured', 'aim', 'limit of the machine', 'peer in the same run']

/** All figures as one Markdown table. */
export function renderTable(records: readonly BenchRecord[]): string {
  const rows = records.map((record) => {
    if ('skipped' in record) return [record.bench, record.what, `skipped: ${record.skipped}`]
    return [record.bench, record.what, ...figureCells(record)]
  })
  const all = [HEAD, HEAD.map(() => '---'), ...rows]
  return all.map((cells) => `| ${HEAD.map((_, i) => cells[i] ?? '').join(' | ')} |`).join('\n')
}

/** The figures with an aim, missed ones first. */
export function renderAims(records: readonly BenchRecord[]): string {
  const aimed = records.filter((record) => 'aim' in record && record.aim !== undefined)
  const isMissed = (record: BenchRecord) => 'value' in record && meetsAim(record) === false
  return renderTable([...aimed].sort((a, b) => Number(isMissed(b)) - Number(isMissed(a))))
}

/**
 * Replaces a section of a Markdown document: between `<!-- name -->` and `<!-- /name -->`, each on
 * a line of its own.
 */
export function replaceBetweenMarks(document: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name} -->\n`, `\n<!-- /${name} -->`]
  const from = document.indexOf(begin) + begin.length
  const to = document.indexOf(end)
  if (from < begin.length || to < from - 1) throw new Error(`the document has no ${begin.trim()}`)
  return `${document.slice(0, from)}${text}${document.slice(to)}`
}

function figureCells({ value, unit, aim, limit, peer }: Figure): string[] {
  return [
    `${round(value)} ${unit}`,
    aim === undefined ? '' : `${describeAim(aim)}${meetsAim({ value, aim }) ? '' : ': **missed**'}`,
    limit === undefined ? '' : `${limit.what}: ${round(limit.value)}`,
    peer === undefined ? '' : `${peer.what} ${peer.version}: ${round(peer.value)}`,
  ]
}

function describeAim(aim: Aim): string {
  return 'atLeast' in aim ? `>= ${round(aim.atLeast)}` : `<= ${round(aim.atMost)}`
}

/** Three significant digits: more would be noise. */
export function round(value: number): string {
  const digits = Math.abs(value) >= 1000 ? 0 : 3
  const rounded = digits === 0 ? Math.round(value) : Number(value.toPrecision(digits))
  return rounded.toLocaleString('en', { maximumFractionDigits: 6 })
}
