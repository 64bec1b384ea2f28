import type { TestResult } from './junit-report.ts'

/** One `Class#test: reason` a line; a line that starts with `#` is a comment. */
export function parseExpectedFailures(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const [, name, reason] = /^(\S+#.+?): (.+)$/.exec(line.trim()) ?? []
      if (name === undefined || reason === undefined) throw new Error(`not 'test: reason': ${line}`)
      return [name, reason]
    }),
  )
}

/**
 * Keeps the list true: a listed failure counts as skipped, with its reason; a listed test that
 * passes, or that the kit does not have, is a failure.
 */
export function judgeByList(
  results: readonly TestResult[],
  expected: ReadonlyMap<string, string>,
): TestResult[] {
  const known = new Set(results.map((result) => result.name))
  const judged = results.map((result): TestResult => {
    const reason = expected.get(result.name)
    if (reason === undefined || result.outcome === 'skipped') return result
    if (result.outcome === 'failed') return { ...result, outcome: 'skipped', reason }
    return { ...result, outcome: 'failed', reason: 'passes: take it off the list' }
  })
  const stale = [...expected.keys()].filter((name) => !known.has(name))
  return [
    ...judged,
    ...stale.map((name) => failure(name, 'is listed as a failure, but there is no such test')),
  ]
}

export function failure(name: string, reason: string): TestResult {
  return { name, outcome: 'failed', reason, seconds: 0 }
}

/**
 * A suite that cannot run here: skipped by name, or failed where what it needs is required, unless
 * it is one of those that only `make interop-all` runs.
 */
export function missing(
  name: string,
  obstacle: string,
  { isRequired }: { readonly isRequired: boolean },
): TestResult {
  const isLeftOut = obstacle.includes('make interop-all')
  return isRequired && !isLeftOut ? failure(name, obstacle) : skip(name, obstacle)
}

export function skip(name: string, reason: string): TestResult {
  return { name, outcome: 'skipped', reason, seconds: 0 }
}
