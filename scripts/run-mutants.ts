import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CORE } from '../test/mutants/core-mutants.ts'
import { FORMATS } from '../test/mutants/formats-mutants.ts'
import type { MutantGroup } from '../test/mutants/mutant.ts'
import { STORES } from '../test/mutants/store-mutants.ts'

/**
 * Puts one deliberate bug after the other into a copy of the tree and runs the tests related to it.
 * Arguments choose the files whose bugs are tried, by a part of their path; none means all.
 */
const COPIED = ['src', 'test', 'schemas', 'docs', 'package.json', 'jest.config.js', 'tsconfig.json']
const RUN_MS_MAX = 40_000

type Result = 'passed' | 'failed' | 'timed out'

async function main(parts: readonly string[]): Promise<void> {
  const groups = [...CORE, ...FORMATS, ...STORES].filter(
    ({ file }) => parts.length === 0 || parts.some((part) => file.includes(part)),
  )
  await requireApplicable(groups)
  const copy = await mkdtemp(join(tmpdir(), 'moraine-mutants-'))
  try {
    for (const path of COPIED) await cp(path, join(copy, path), { recursive: true })
    await symlink(join(process.cwd(), 'node_modules'), join(copy, 'node_modules'))
    await tryAll(copy, groups)
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

async function tryAll(copy: string, groups: readonly MutantGroup[]): Promise<void> {
  const lived: string[] = []
  let caught = 0
  for (const tests of new Set(groups.map((group) => group.tests.join(' ')))) {
    const result = await runTests(copy, tests.split(' '))
    if (result !== 'passed') throw new Error(`without any bug: ${tests} ${result}`)
  }
  for (const { file, tests, edits } of groups) {
    const text = await readFile(file, 'utf8')
    for (const [from, to] of edits) {
      await writeFile(
        join(copy, file),
        text.replace(from, () => to),
      )
      const result = await runTests(copy, tests)
      const isCaught = result !== 'passed'
      if (isCaught) caught += 1
      else lived.push(`${file}: ${from} -> ${to}`)
      console.log(`${isCaught ? 'caught' : 'LIVED '} ${file}: ${from} -> ${to}`)
    }
    await writeFile(join(copy, file), text)
  }
  console.log(`${caught} of ${caught + lived.length} caught`)
  for (const line of lived) console.log(`lived: ${line}`)
  if (caught < 0.95 * (caught + lived.length)) process.exitCode = 1
}

function runTests(copy: string, tests: readonly string[]): Promise<Result> {
  const jest = ['node_modules/jest/bin/jest.js', '--runInBand', '--bail', '--no-watchman']
  const child = spawn(
    process.execPath,
    ['--experimental-vm-modules', '--no-warnings', ...jest, '--runTestsByPath', ...tests],
    { cwd: copy, stdio: 'ignore' },
  )
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      resolve('timed out')
    }, RUN_MS_MAX)
    child.once('error', reject)
    child.once('exit', (code) => {
      clearTimeout(timer)
      resolve(code === 0 ? 'passed' : 'failed')
    })
  })
}

await main(process.argv.slice(2))
