import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runCommand } from './command.ts'
import { failure } from './expected-failures.ts'
import type { TestResult } from './junit-report.ts'
import { RESULTS, ROOT } from './places.ts'
import { findPythonObstacle, PythonEnvironment } from './python.ts'
import type { Suite } from './suite.ts'

const TIMEOUT_MS = 60_000

const environment = new PythonEnvironment({
  folder: 'ruff/.venv',
  requirements: 'ruff/requirements.txt',
})

/** Each Python file that git knows, by the rules of ruff.toml: checked, and formatted. */
export const ruffSuite: Suite = {
  name: 'ruff',
  findObstacle: findPythonObstacle,
  install: () => environment.install(),
  run: async () => [await runRuff('check'), await runRuff('format', '--check')],
}

async function runRuff(command: string, ...options: readonly string[]): Promise<TestResult> {
  const name = `ruff#${command}`
  const listed = execFileSync('git', ['ls-files', '*.py'], { cwd: ROOT, encoding: 'utf8' })
  const files = listed.split('\n').filter((file) => file !== '')
  const log = join(RESULTS, `ruff-${command}.log`)
  const code = await runCommand({
    program: join(dirname(environment.python), 'ruff'),
    args: [command, '--no-cache', ...options, ...files],
    cwd: ROOT,
    log,
    timeoutMs: TIMEOUT_MS,
  })
  if (code === 0 && files.length > 0) return { name, outcome: 'passed', reason: '', seconds: 0 }
  return failure(
    name,
    `ended with ${code}, over ${files.length} files:\n${readFileSync(log, 'utf8')}`,
  )
}
