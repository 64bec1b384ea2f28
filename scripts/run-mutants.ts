import { spawn } from 'node:child_process'
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

/**
 * Puts one deliberate bug after the other into a copy of the tree and runs the tests related to it.
 * Arguments choose the files whose bugs are tried, by a part of their path; none means all.
 */
const LISTS = { CORE, FORMATS, CATALOG, OBJECTS, ENGINE, LAKE, SERVICE }
const COPIED = ['src', 'test', 'schemas', 'docs', 'package.json', 'tsconfig.json']
const RUN_MS_MIN = 60_000
const CAUGHT_MIN = 0.95

/** One project in place of four: Jest starts in half the time. */
const JEST_CONFIG = `export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testTimeout: 60_000,
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
}
`

type Result = 'passed' | 'caught' | 'timed out'

interface Tally {
  readonly list: string
  caught: number
  timedOut: number
  readonly lived: string[]
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
    await writeFile(join(copy, 'jest.config.js'), JEST_CONFIG)
    await symlink(join(process.cwd(), 'node_modules'), join(copy, 'node_modules'))
    const limits = await timeWithoutBugs(copy, all)
    const tallies: Tally[] = []
    for (const { list, groups } of lists) {
      const tally: Tally = { list, caught: 0, timedOut: 0, lived: [] }
      for (const group of groups) await tryGroup(copy, group, { limits, tally })
      if (groups.length > 0) tallies.push(tally)
    }
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

/** How long each set of tests may take with a bug: five times what it takes without. */
async function timeWithoutBugs(
  copy: string,
  groups: readonly MutantGroup[],
): Promise<ReadonlyMap<string, number>> {
  const limits = new Map<string, number>()
  for (const group of groups) {
    const key = runKey(group)
    if (limits.has(key)) continue
    const beganMs = performance.now()
    const { result, output } = await runTests(copy, group, 600_000)
    if (result !== 'passed') throw new Error(`without any bug: ${key} ${result}\n${output}`)
    if (/Tests: +\d+ skipped, \d+ total/.test(output)) throw new Error(`no test is run: ${key}`)
    limits.set(key, Math.max(RUN_MS_MIN, 5 * (performance.now() - beganMs)))
  }
  return limits
}

async function tryGroup(
  copy: string,
  group: MutantGroup,
  { limits, tally }: { readonly limits: ReadonlyMap<string, number>; readonly tally: Tally },
): Promise<void> {
  const { file, edits } = group
  const text = await readFile(join(copy, file), 'utf8')
  for (const [from, to] of edits) {
    await writeFile(
      join(copy, file),
      text.replace(from, () => to),
    )
    const beganMs = performance.now()
    const { result, output } = await runTests(copy, group, limits.get(runKey(group)) as number)
    const what = `${file}: ${from.trim()} -> ${to.trim()}`
    // It would be "caught" by any test.
    if (/SyntaxError|Syntax Error/.test(output)) throw new Error(`not TypeScript: ${what}`)
    if (result === 'passed') tally.lived.push(what)
    else tally.caught += 1
    if (result === 'timed out') tally.timedOut += 1
    const seconds = ((performance.now() - beganMs) / 1_000).toFixed(1)
    console.log(`${result === 'passed' ? 'LIVED' : result}, ${seconds} s: ${what}`)
  }
  await writeFile(join(copy, file), text)
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
  if (caught < CAUGHT_MIN * tried) process.exitCode = 1
}

function runKey({ tests, named = '' }: MutantGroup): string {
  return `${tests.join(' ')} ${named}`
}

function runTests(
  copy: string,
  { tests, named }: MutantGroup,
  msMax: number,
): Promise<{ readonly result: Result; readonly output: string }> {
  const jest = ['node_modules/jest/bin/jest.js', '--runInBand', '--bail', '--no-watchman']
  const only = named === undefined ? [] : ['--testNamePattern', named]
  const child = spawn(
    process.execPath,
    ['--experimental-vm-modules', '--no-warnings', ...jest, ...only, '--runTestsByPath', ...tests],
    { cwd: copy, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  }
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      resolve({ result: 'timed out', output })
    }, msMax)
    child.once('error', reject)
    child.once('exit', (code) => {
      clearTimeout(timer)
      resolve({ result: code === 0 ? 'passed' : 'caught', output })
    })
  })
}

await main(process.argv.slice(2))
