import { runCLI } from 'jest'

/**
 * Runs tests for `run-mutants.ts`, one set after the other: a Jest that is already there takes a
 * quarter of the time of one that starts. The working directory is the copy of the tree.
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
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testTimeout: 60_000,
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
  const { results } = await runCLI(
    {
      ...{ _: [...tests], $0: 'jest', config: CONFIG, runTestsByPath: true },
      // Not `bail`: it ends the process.
      ...{ runInBand: true, watchman: false, silent: true, reporters: [] },
      ...(named === undefined ? {} : { testNamePattern: named }),
    },
    [process.cwd()],
  )
  const failures = results.testResults.map(({ failureMessage }) => failureMessage ?? '').join('\n')
  const testsRun = results.numPassedTests + results.numFailedTests
  return { hasPassed: results.success, testsRun, failures }
}

process.on('message', (run: TestRun) => {
  void runTests(run).then((outcome) => process.send?.(outcome))
})
