import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { MutantGroup } from '../test/mutants/mutant.ts'
import type { TestOutcome } from './mutant-tests.ts'

/** After so many runs a process begins anew: what failed tests left open goes with it. */
const RUNS_PER_PROCESS = 25
/** Node's loader fails at times where modules are imported at once; no bug does that. */
const LOADER_FAILED = /is not in cache|ERR_VM_MODULE_(LINK_FAILURE|ALREADY_LINKED)/
const ATTEMPTS = 3
/** Each failed test says why on such a line. */
const FAILED_TEST = /^ {2}● .*$/gm
const TIMED_OUT_TEST = /Exceeded timeout of|thrown: "Exceeded/g

export interface TestResult {
  readonly result: 'passed' | 'failed' | 'timed out' | 'loader failed'
  readonly failures: string
  readonly testsRun: number
}

/** Runs tests in a process of its own, which is there for the next run. */
export class MutantProcess {
  readonly #copy: string
  #child: ChildProcess | undefined
  #runs = 0

  /** `copy` is the tree whose tests are run. */
  constructor(copy: string) {
    this.#copy = copy
  }

  /** Tries again where the process or its loader failed, which no bug needs to have done. */
  async run(group: MutantGroup, msMax: number): Promise<TestResult> {
    for (let attempt = 1; ; attempt++) {
      const run = await this.#runOnce(group, msMax)
      const mayHelp = run === 'process ended' || run.result === 'loader failed'
      if (mayHelp) this.stop()
      if (!mayHelp || attempt === ATTEMPTS) {
        if (run !== 'process ended') return run
        return { result: 'failed', failures: run, testsRun: 0 }
      }
    }
  }

  stop(): void {
    this.#child?.kill('SIGKILL')
    this.#child = undefined
  }

  async #runOnce(
    { tests, named }: MutantGroup,
    msMax: number,
  ): Promise<TestResult | 'process ended'> {
    if (this.#runs++ % RUNS_PER_PROCESS === 0 || this.#child?.connected === false) this.stop()
    this.#child ??= this.#start()
    const child = this.#child
    const run = await new Promise<TestResult | 'process ended'>((resolve) => {
      const ended = (result: TestResult | 'process ended') => {
        clearTimeout(timer)
        child.removeAllListeners()
        resolve(result)
      }
      const timer = setTimeout(() => {
        ended({ result: 'timed out', failures: '', testsRun: 0 })
      }, msMax)
      child.once('exit', () => ended('process ended'))
      child.once('message', (outcome: TestOutcome) => ended(resultOf(outcome)))
      child.send({ tests, named })
    })
    if (run === 'process ended' || run.result === 'timed out') this.stop()
    return run
  }

  #start(): ChildProcess {
    return fork(join(import.meta.dirname, 'mutant-tests.ts'), {
      cwd: this.#copy,
      execArgv: [
        '--experimental-vm-modules',
        '--no-warnings',
        '--import',
        import.meta.resolve('tsx'),
      ],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
  }
}

function resultOf({ hasPassed, testsRun, failures }: TestOutcome): TestResult {
  if (hasPassed) return { result: 'passed', failures, testsRun }
  if (LOADER_FAILED.test(failures)) return { result: 'loader failed', failures, testsRun }
  const isByTime = countOf(TIMED_OUT_TEST, failures) >= Math.max(1, countOf(FAILED_TEST, failures))
  return { result: isByTime ? 'timed out' : 'failed', failures, testsRun }
}

function countOf(pattern: RegExp, text: string): number {
  return text.match(pattern)?.length ?? 0
}
