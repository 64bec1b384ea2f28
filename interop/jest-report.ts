import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand } from './command.ts'
import { failure } from './expected-failures.ts'
import type { TestResult } from './junit-report.ts'
import { RESULTS } from './places.ts'

const REASON_LENGTH_MAX = 300

export interface JestRun {
  /** Folder of the logs and results. */
  readonly label: string
  /** The project, with its node_modules. */
  readonly folder: string
  readonly tiers: readonly string[]
  /** Files whose path has one of these; all where absent. */
  readonly files?: readonly string[]
  readonly timeoutMs: number
  readonly environment?: Readonly<Record<string, string>>
}

/** What Jest's `--json` says about a file. */
interface TestedFile {
  readonly name: string
  /** `focused`: passed, with some of its tests left out. */
  readonly status: 'passed' | 'failed' | 'pending' | 'skipped' | 'focused'
  readonly message: string
  readonly startTime: number
  readonly endTime: number
}

const OUTCOMES = {
  passed: 'passed',
  focused: 'passed',
  failed: 'failed',
  pending: 'skipped',
  skipped: 'skipped',
} as const

/** Runs tiers of our own tests: a result for each test file. */
export async function runJest(run: JestRun): Promise<TestResult[]> {
  const report = join(RESULTS, `${run.label}-report.json`)
  const log = join(RESULTS, `${run.label}-jest.log`)
  rmSync(report, { force: true })
  const code = await runCommand({
    program: 'npx',
    args: [
      ...['jest', '--json', `--outputFile=${report}`, ...(run.files ?? [])],
      ...['--selectProjects', ...run.tiers],
    ],
    cwd: run.folder,
    log,
    timeoutMs: run.timeoutMs,
    environment: { ...run.environment, NODE_OPTIONS: '--experimental-vm-modules' },
  })
  if (!existsSync(report)) return [failure(run.label, `no report, ended with ${code}: ${log}`)]
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'))
  return (testResults as TestedFile[]).map(({ name, status, message, startTime, endTime }) => ({
    name: `${run.label}#${name.slice(run.folder.length + 1)}`,
    outcome: OUTCOMES[status],
    reason: message.replaceAll(/\s+/g, ' ').slice(0, REASON_LENGTH_MAX),
    seconds: (endTime - startTime) / 1000,
  }))
}
