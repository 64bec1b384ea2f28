import { type ChildProcess, fork } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { CATALOG } from '../test/mutants/catalog-mutants.ts'
import { CORE } from '../test/mutants/core-mutants.ts'
import { ENGINE } from '../test/mutants/engine-mutants.ts'
import { FORMATS } from '../test/mutants/formats-mutants.ts'
import { LAKE } from '../test/mutants/lake-mutants.ts'
import type { MutantGroup } from '../test/mutants/mutant.ts'
import { OBJECTS } from '../test/mutants/objects-mutants.ts'
import { SERVICE } from '../test/mutants/service-mutants.ts'
import type { TestOutcome } from './mutant-tests.ts'

/**
 * Puts one deliberate bug after the other into a copy of the tree and runs the tests related to it.
 * Arguments choose the files whose bugs are tried, by a part of their path; none means all.
 */
const LISTS = { CORE, FORMATS, LAKE, SERVICE, OBJECTS, ENGINE, CATALOG }
const COPIED = ['src', 'test', 'schemas', 'docs', 'package.json', 'tsconfig.json']
const RUN_MS_MIN = 60_000
const CAUGHT_MIN = 0.95
/** After so many runs a process begins anew: what failed tests left open goes with it. */
const RUNS_PER_PROCESS = 25
const NO_TYPESCRIPT = /Test suite failed to run\s[\s\S]{0,300}?(?:SyntaxError|Syntax Error)/

interface Run {
  readonly result: 'passed' | 'caught' | 'timed out'
  readonly failures: string
  readonly testsRun: number
}

interface Tally {
  readonly list: string
  caught: number
  timedOut: number
  readonly lived: string[]
  /** Whose tests fail without any bug, too: what they say of bugs is worth nothing. */
  readonly untried: string[]
}

async function main(parts: readonly string[]): Promise<void> {
  const lists = Object.entries(LISTS).map(([list, groups]) => ({
    list: list.toLowerCase(),
    groups: groups.filter(({ file }) => {
      return parts.length === 0 || parts.some((part) => file.includes(part))
    }),
  }))
  const all = lists.flatMap(({ groups }) => groups)
  await requireApplicable(all)
  const startedMs = performance.now()
  const copy = await mkdtemp(join(tmpdir(), 'moraine-mutants-'))
  try {
    for (const path of COPIED) await cp(path, join(copy, path), { recursive: true })
    await symlink(join(process.cwd(), 'node_modules'), join(copy, 'node_modules'))
    const tests = new Tests(copy)
    const tallies: Tally[] = []
    for (const { list, groups } of lists) {
      const tally: Tally = { list, caught: 0, timedOut: 0, lived: [], untried: [] }
      for (const group of groups) await tryGroup({ copy, tests, tally }, group)
      if (groups.length > 0) tallies.push(tally)
    }
    tests.stop()
    report(tallies, performance.now() - startedMs)
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

/** Throws for an edit whose text is not found exactly once: it would try nothing. */
async function requireApplicable(groups: readonly MutantGroup[]): Promise<void> {
  for (const { file, edits } of groups) {
    const text = await readFile(file, 'utf8')
    for (const [from] of edits) {
      const count = text.split(from).length - 1
      if (count !== 1) throw new Error(`${file}: found ${count} times, not once: ${from}`)
    }
  }
}

interface Trial {
  readonly copy: string
  readonly tests: Tests
  readonly tally: Tally
}

async function tryGroup(trial: Trial, group: MutantGroup): Promise<void> {
  const { copy, tests, tally } = trial
  const { file, edits } = group
  const text = await readFile(join(copy, file), 'utf8')
  const tookMs = await timeWithoutBugs(tests, group)
  const runMsMax = Math.max(RUN_MS_MIN, 5 * (tookMs ?? 0))
  const runs: { readonly what: string; readonly result: Run['result'] }[] = []
  for (const [from, to] of tookMs === undefined ? [] : edits) {
    const bug = text.replace(from, () => to)
    await writeFile(join(copy, file), bug)
    const what = `${file}: ${from.trim()} -> ${to.trim()}`
    runs.push({ what, result: await tryBug(trial, { group, what, runMsMax }) })
  }
  await writeFile(join(copy, file), text)
  // What was caught was caught by its bug, and not by what runs before it left behind.
  if (tookMs === undefined || (await timeWithoutBugs(tests, group)) === undefined) {
    for (const [from] of edits) tally.untried.push(`${file}: ${from.trim()}`)
    return
  }
  for (const { what, result } of runs) {
    if (result === 'passed') tally.lived.push(what)
    else tally.caught += 1
    if (result === 'timed out') tally.timedOut += 1
  }
}

async function tryBug(
  { tests }: Trial,
  { group, what, runMsMax }: { group: MutantGroup; what: string; runMsMax: number },
): Promise<Run['result']> {
  const beganMs = performance.now()
  const { result, failures } = await tests.run(group, runMsMax)
  // It would be "caught" by any test.
  if (NO_TYPESCRIPT.test(failures)) throw new Error(`not TypeScript: ${what}\n${failures}`)
  const seconds = ((performance.now() - beganMs) / 1_000).toFixed(1)
  console.log(`${result === 'passed' ? 'LIVED' : result}, ${seconds} s: ${what}`)
  return result
}

/** In milliseconds; `undefined` when the tests fail, twice. */
async function timeWithoutBugs(tests: Tests, group: MutantGroup): Promise<number | undefined> {
  for (let attempt = 0; attempt < 2; attempt++) {
    const beganMs = performance.now()
    const { result, failures, testsRun } = await tests.run(group, 300_000)
    const key = [...group.tests, group.named].join(' ')
    if (result === 'passed' && testsRun === 0) throw new Error(`no test is run: ${key}`)
    if (result === 'passed') return performance.now() - beganMs
    console.log(`${result} without any bug: ${key}\n${failures}`)
    tests.stop()
  }
  return undefined
}

function report(tallies: readonly Tally[], tookMs: number): void {
  const lived = tallies.flatMap((tally) => tally.lived)
  const caught = tallies.reduce((sum, tally) => sum + tally.caught, 0)
  const tried = caught + lived.length
  for (const { list, ...counts } of tallies) {
    const timedOut = counts.timedOut === 0 ? '' : `, ${counts.timedOut} of them by their time`
    console.log(`${list}: ${counts.caught} of ${counts.caught + counts.lived.length}${timedOut}`)
  }
  const load = loadavg().map((one) => one.toFixed(1))
  console.log(`all: ${caught} of ${tried} caught, ${((100 * caught) / tried).toFixed(1)} %`)
  console.log(`${(tookMs / 60_000).toFixed(1)} minutes, Node ${process.version}, load ${load}`)
  for (const line of lived) console.log(`lived: ${line}`)
  for (const { untried } of tallies) {
    for (const line of untried) console.log(`not tried, its tests fail without it: ${line}`)
  }
  if (caught < CAUGHT_MIN * tried) process.exitCode = 1
}

/** Runs tests in a process of its own, which is there for the next run. */
class Tests {
  readonly #copy: string
  #child: ChildProcess | undefined
  #runs = 0

  constructor(copy: string) {
    this.#copy = copy
  }

  async run({ tests, named }: MutantGroup, msMax: number): Promise<Run> {
    if (this.#runs++ % RUNS_PER_PROCESS === 0 || this.#child?.connected === false) this.stop()
    this.#child ??= fork(join(import.meta.dirname, 'mutant-tests.ts'), {
      cwd: this.#copy,
      execArgv: [
        '--experimental-vm-modules',
        '--no-warnings',
        '--import',
        import.meta.resolve('tsx'),
      ],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    const child = this.#child
    const run = await new Promise<Run>((resolve) => {
      const ended = (result: Run['result'], failures = '', testsRun = 0) => {
        clearTimeout(timer)
        child.removeAllListeners()
        resolve({ result, failures, testsRun })
      }
      const timer = setTimeout(() => ended('timed out'), msMax)
      child.once('exit', () => ended('caught', 'the process ended'))
      child.once('message', ({ hasPassed, testsRun, failures }: TestOutcome) => {
        ended(hasPassed ? 'passed' : 'caught', failures, testsRun)
      })
      child.send({ tests, named })
    })
    if (run.result === 'timed out' || child.exitCode !== null) this.stop()
    return run
  }

  stop(): void {
    this.#child?.kill('SIGKILL')
    this.#child = undefined
  }
}

await main(process.argv.slice(2))
