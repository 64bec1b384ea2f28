import { existsSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { LISTS } from '../test/mutants/lists.ts'
import type { MutantGroup } from '../test/mutants/mutant.ts'
import { MutantProcess, type TestResult } from './mutant-process.ts'
import { MutantRecord, type Trial, trialKey, type Verdict } from './mutant-record.ts'

/**
 * Puts one deliberate bug after the other into a copy of the tree and runs the tests related to it.
 * Arguments are names of lists or parts of paths, none means all. `--resume` passes over those that
 * were tried before on the same file and tests, but for the ones that lived; `--minutes` ends the
 * run in good order, as Ctrl-C does.
 */
const COPIED = ['src', 'test', 'schemas', 'docs', 'package.json', 'tsconfig.json']
/** Packages, and the servers of buckets that `make stores-all` has built. */
const LINKED = ['node_modules', '.stores']
const RUN_MS_MIN = 30_000
const CAUGHT_MIN = 0.95
const MINUTES_DEFAULT = '120'
const RECORD = '.mutants/tried.jsonl'
const NO_TYPESCRIPT = /Test suite failed to run\s[\s\S]{0,300}?(?:SyntaxError|Syntax Error)/
const VERDICTS: readonly Verdict[] = ['caught', 'caught by time only', 'lived', 'not tried']

interface Chosen {
  readonly list: string
  readonly groups: readonly MutantGroup[]
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      resume: { type: 'boolean', default: false },
      minutes: { type: 'string', default: MINUTES_DEFAULT },
      record: { type: 'string', default: RECORD },
    },
    allowPositionals: true,
  })
  const lists = chooseLists(positionals)
  await requireApplicable(lists.flatMap(({ groups }) => groups))
  const startedMs = performance.now()
  const copy = await mkdtemp(join(tmpdir(), 'moraine-mutants-'))
  const run = new MutantRun({
    ...{ copy, record: await MutantRecord.open(values.record), resumes: values.resume },
    endsMs: startedMs + Number(values.minutes) * 60_000,
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => run.stop(signal))
  try {
    for (const path of COPIED) await cp(path, join(copy, path), { recursive: true })
    for (const path of LINKED) {
      if (existsSync(path)) await symlink(join(process.cwd(), path), join(copy, path))
    }
    for (const { list, groups } of lists) {
      for (const group of groups) await run.tryGroup(list, group)
    }
    report(run.trials, performance.now() - startedMs)
  } finally {
    run.close()
    await rm(copy, { recursive: true, force: true })
  }
}

function chooseLists(parts: readonly string[]): Chosen[] {
  // The name of a list is no part of a path: "lake" is not "src/lake" in other lists.
  const isChosen = (list: string, file: string) => {
    const isMeant = (part: string) => (part in LISTS ? part === list : file.includes(part))
    return parts.length === 0 || parts.some(isMeant)
  }
  const lists = Object.entries(LISTS).map(([list, groups]) => {
    return { list, groups: groups.filter(({ file }) => isChosen(list, file)) }
  })
  return lists.filter(({ groups }) => groups.length > 0)
}

/** Throws for an edit whose text is not found exactly once: it would try nothing. */
async function requireApplicable(groups: readonly MutantGroup[]): Promise<void> {
  if (groups.length === 0) throw new Error('no list and no file of that name')
  for (const { file, edits } of groups) {
    const text = await readFile(file, 'utf8')
    for (const [from] of edits) {
      const count = text.split(from).length - 1
      if (count !== 1) throw new Error(`${file}: found ${count} times, not once: ${from}`)
    }
  }
}

interface RunOptions {
  readonly copy: string
  readonly record: MutantRecord
  readonly resumes: boolean
  readonly endsMs: number
}

interface Bug {
  readonly what: string
  readonly text: string
  readonly key: string
}

class MutantRun {
  readonly #options: RunOptions
  readonly #process: MutantProcess
  readonly trials: Trial[] = []
  #stopped: string | undefined

  constructor(options: RunOptions) {
    this.#options = options
    this.#process = new MutantProcess(options.copy)
  }

  /** Tries no further bug; what is being tried is finished. */
  stop(reason: string): void {
    this.#stopped = `the run was stopped (${reason})`
  }

  close(): void {
    this.#process.stop()
  }

  async tryGroup(list: string, group: MutantGroup): Promise<void> {
    const path = join(this.#options.copy, group.file)
    const text = await readFile(path, 'utf8')
    const bugs = await this.#pending(list, { group, text })
    if (bugs.length === 0) return
    const before = this.#whyStopped() ?? (await this.#runWithoutBugs(group))
    if (typeof before === 'string') return this.#leave(list, { bugs, reason: before })
    const runs: { readonly bug: Bug; readonly verdict: Verdict; readonly reason?: string }[] = []
    for (const bug of bugs) {
      const reason = this.#whyStopped()
      if (reason !== undefined) {
        runs.push({ bug, verdict: 'not tried', reason })
        continue
      }
      await writeFile(path, bug.text)
      runs.push({ bug, ...(await this.#tryBug(group, { bug, msMax: before.msMax })) })
    }
    await writeFile(path, text)
    // What was caught was caught by its bug, and not by what runs before it left behind.
    const after = runs.some(({ verdict }) => verdict.startsWith('caught'))
      ? await this.#runWithoutBugs(group)
      : before
    if (typeof after === 'string') return this.#leave(list, { bugs, reason: after })
    for (const { bug, ...outcome } of runs) await this.#add(bug, { list, ...outcome })
  }

  async #pending(
    list: string,
    { group, text }: { group: MutantGroup; text: string },
  ): Promise<Bug[]> {
    const { copy, record, resumes } = this.#options
    const bugs: Bug[] = []
    for (const [from, to] of group.edits) {
      const bug = text.replace(from, () => to)
      const what = `${group.file}: ${from.trim()} -> ${to.trim()}`
      const key = await trialKey(copy, { group, bug })
      const verdict = resumes ? record.find(key) : undefined
      if (verdict?.startsWith('caught') === true) this.trials.push({ list, bug: what, verdict })
      else bugs.push({ what, text: bug, key })
    }
    return bugs
  }

  async #tryBug(
    group: MutantGroup,
    { bug, msMax }: { bug: Bug; msMax: number },
  ): Promise<{ verdict: Verdict; reason?: string }> {
    const beganMs = performance.now()
    const { result, failures } = await this.#process.run(group, msMax)
    // It would be "caught" by any test.
    if (NO_TYPESCRIPT.test(failures)) return { verdict: 'not tried', reason: 'not TypeScript' }
    const seconds = ((performance.now() - beganMs) / 1_000).toFixed(1)
    const verdict = verdictOf(result)
    console.log(`${verdict === 'lived' ? 'LIVED' : verdict}, ${seconds} s: ${bug.what}`)
    return verdict === 'not tried' ? { verdict, reason: "Node's loader failed" } : { verdict }
  }

  /** Answers the longest time of a run with a bug, or why no run says anything. */
  async #runWithoutBugs(group: MutantGroup): Promise<{ msMax: number } | string> {
    const key = [...group.tests, group.named].join(' ')
    let last = ''
    for (let attempt = 0; attempt < 2; attempt++) {
      const beganMs = performance.now()
      const { result, failures, testsRun } = await this.#process.run(group, 300_000)
      if (result === 'passed' && testsRun === 0) throw new Error(`no test is run: ${key}`)
      const msMax = Math.max(RUN_MS_MIN, 5 * (performance.now() - beganMs))
      if (result === 'passed') return { msMax }
      last = result === 'loader failed' ? "Node's loader failed" : 'its tests fail without it'
      console.log(`${result} without any bug: ${key}\n${failures}`)
      this.#process.stop()
    }
    return last
  }

  #whyStopped(): string | undefined {
    if (performance.now() > this.#options.endsMs) return 'the time of the run was over'
    return this.#stopped
  }

  async #leave(
    list: string,
    { bugs, reason }: { bugs: readonly Bug[]; reason: string },
  ): Promise<void> {
    for (const bug of bugs) await this.#add(bug, { list, verdict: 'not tried', reason })
  }

  async #add(bug: Bug, trial: Omit<Trial, 'bug'>): Promise<void> {
    this.trials.push({ ...trial, bug: bug.what })
    await this.#options.record.add(bug.key, { ...trial, bug: bug.what })
  }
}

function verdictOf(result: TestResult['result']): Verdict {
  if (result === 'passed') return 'lived'
  if (result === 'loader failed') return 'not tried'
  return result === 'timed out' ? 'caught by time only' : 'caught'
}

function report(trials: readonly Trial[], tookMs: number): void {
  for (const { verdict, reason, bug } of trials) {
    if (verdict === 'lived') console.log(`lived: ${bug}`)
    if (verdict === 'not tried') console.log(`not tried, ${reason}: ${bug}`)
  }
  for (const list of new Set(trials.map((trial) => trial.list))) {
    console.log(`${list}: ${countsText(trials.filter((trial) => trial.list === list))}`)
  }
  const load = loadavg().map((one) => one.toFixed(1))
  console.log(`${(tookMs / 60_000).toFixed(1)} minutes, Node ${process.version}, load ${load}`)
  const tried = trials.filter(({ verdict }) => verdict !== 'not tried')
  const caught = tried.filter(({ verdict }) => verdict !== 'lived').length
  const percent = tried.length === 0 ? 0 : (100 * caught) / tried.length
  console.log(`mutants: ${countsText(trials)}; ${percent.toFixed(1)} % of those tried caught`)
  if (caught < CAUGHT_MIN * tried.length || tried.length < trials.length) process.exitCode = 1
}

function countsText(trials: readonly Trial[]): string {
  const counts = VERDICTS.map((verdict) => {
    return `${trials.filter((trial) => trial.verdict === verdict).length} ${verdict}`
  })
  return `${trials.length} bugs, ${counts.join(', ')}`
}

await main()
