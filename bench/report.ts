import { execFileSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { describeMachine, loadAverage, ROOT, versionsOf } from './machine.ts'

/**
 * Where `run-all.ts` wants the records, one line of JSON each; a bench that runs alone keeps none.
 */
export const RECORDS_VARIABLE = 'BENCH_RECORDS'
/** Short loads and small tables: shows that everything works; no figures to quote. */
export const IS_QUICK = Boolean(process.env['BENCH_QUICK'])

/** `atLeast` where more is better, `atMost` where less is, in the unit of the figure. */
export type Aim = { readonly atLeast: number } | { readonly atMost: number }

export interface Figure {
  /** The load and what was measured; unique within its bench. */
  readonly what: string
  readonly value: number
  readonly unit: string
  readonly aim?: Aim
  /** The most that this machine can do, measured in the same run, in the unit of the figure. */
  readonly limit?: { readonly what: string; readonly value: number }
  /** What other software did in the same run, in the unit of the figure. */
  readonly peer?: Peer
}

export interface Peer {
  readonly what: string
  readonly version: string
  readonly value: number
}

/** Something that could not be measured here. */
export interface Skip {
  readonly what: string
  readonly skipped: string
}

export interface Circumstances {
  readonly bench: string
  readonly machine: string
  readonly versions: Readonly<Record<string, string>>
  /** Ends with `+` when the working tree differed from it. */
  readonly commit: string
  /** RFC 3339, UTC. */
  readonly time: string
  readonly quick: boolean
  /** Load average of the minute before the bench: other work shares the cores. */
  readonly loadAverage: number
}

export type BenchRecord = Circumstances & (Figure | Skip)

export interface Report {
  figure(figure: Figure): void
  skip(what: string, reason: string): void
}

/**
 * Collects the figures of a bench as they are measured; its name is that of the file without
 * `-bench.ts`.
 */
export function openReport(bench: string): Report {
  const target = process.env[RECORDS_VARIABLE]
  const common = {
    bench,
    machine: describeMachine(),
    versions: versionsOf(['express', 'better-sqlite3', '@duckdb/node-api']),
    commit: commitId(),
    quick: IS_QUICK,
    loadAverage: loadAverage(),
  }
  const record = (entry: Figure | Skip) => {
    if (target === undefined) return
    const whole: BenchRecord = { ...common, time: new Date().toISOString(), ...entry }
    appendFileSync(target, `${JSON.stringify(whole)}\n`)
  }
  return {
    figure(figure) {
      if (!Number.isFinite(figure.value)) throw new Error(`no figure: ${JSON.stringify(figure)}`)
      record(figure)
    },
    skip(what, reason) {
      console.log(`skipped  ${what}: ${reason}`)
      record({ what, skipped: reason })
    },
  }
}

/** Whether the figure meets its aim; `undefined` without one. */
export function meetsAim({ value, aim }: Pick<Figure, 'value' | 'aim'>): boolean | undefined {
  if (aim === undefined) return undefined
  return 'atLeast' in aim ? value >= aim.atLeast : value <= aim.atMost
}

function commitId(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' })
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '+'
    return git('rev-parse', '--short=10', 'HEAD').trim() + changed
  } catch {
    return 'unknown' // a copy without its history
  }
}
