import { failure } from './expected-failures.ts'
import type { TestResult } from './junit-report.ts'

const LINE = /^(passed|failed) (.+?)(?:: (.*))?$/gm
const REASON_LENGTH_MAX = 300

/** The checks that a program printed, one a line: `passed <name>` or `failed <name>: <reason>`. */
export function parsePrinted(
  text: string,
  { suite, code }: { readonly suite: string; readonly code: number | 'timed-out' },
): TestResult[] {
  const results = [...text.matchAll(LINE)].map(
    ([, outcome, name, reason = '']): TestResult => ({
      name: `${suite}#${name}`,
      outcome: outcome === 'passed' ? 'passed' : 'failed',
      reason: reason.slice(0, REASON_LENGTH_MAX),
      seconds: 0,
    }),
  )
  if (code === 0 && results.length > 0) return results
  return [...results, failure(`${suite}#run`, `the program ended with ${code}`)]
}
