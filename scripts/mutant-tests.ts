import { runCLI } from 'jest'

/**
 * Runs tests for `run-mutants.ts`, one file after the other up to the first that fails: a Jest that
 * is already there takes a quarter of the time of one that starts. The working directory is the
 * copy of the tree.
 */

/** Asked for by the parent. */
export interface TestRun {
  readonly tests: readonly string[]
  readonly named?: string | undefined
}

/** Answered to the parent. */
export interface TestOutcome {
  readonly hasPassed: boolean
  readonly testsRun: number
  /** Why tests failed. */
  readonly failures: string
}

/** One project in place of four. */
const CONFIG = JSON.stringify({
  testEnvironment: new URL('./first-failure-environment.ts', import.meta.url).pathname,
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // A machine that does other work, too, is slow, and a bug that waits ends with its run.
  testTimeout: 180_000,
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
        module: { type: 'es6' },
        sourceMaps: false,
      },
    ],
  },
})

async function runTests({ tests, named }: TestRun): Promise<TestOutcome> {
  let testsRun = 0
  for (const test of tests) {
    const { results } = await runCLI(
      {
        ...{ _: [test], $0: 'jest', config: CONFIG, runTestsByPath: true },
        // Not `bail`: it ends the process.
        ...{ runInBand: true, watchman: false, silent: true, reporters: [] },
        ...(named === undefined ? {} : { testNamePattern: named }),
      },
      [process.cwd()],
    )
    testsRun += results.numPassedTests + results.numFailedTests
    if (!results.success) {
      const failures = results.testResults.map(({ failureMessage }) => failureMessage ?? '')
      return { hasPassed: false, testsRun, failures: failures.join('\n') }
    }
  }
  return { hasPassed: true, testsRun, failures: '' }
}

process.on('message', (run: TestRun) => {
  void runTests(run).then(
    (outcome) => process.send?.(outcome),
    (error) => process.send?.({ hasPassed: false, testsRun: 0, failures: String(error) }),
  )
})
