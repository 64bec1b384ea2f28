import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { mustRun } from './command.ts'
import { judgeByList, parseExpectedFailures } from './expected-failures.ts'
import type { TestResult } from './junit-report.ts'
import { INTEROP, RESULTS } from './places.ts'
import { copyIntegrationTests } from './pyiceberg-integration.ts'
import { runPytest } from './pyiceberg-suite.ts'
import { findPythonObstacle, PythonEnvironment } from './python.ts'
import type { Suite } from './suite.ts'

const FOLDER = join(INTEROP, 'pyiceberg-own')
const SOURCE = join(FOLDER, '.source')
const PACKAGE = 'pyiceberg-0.12.0'
const INSTALL_TIMEOUT_MS = 10 * 60 * 1000
const INTEGRATION_TIMEOUT_MS = 15 * 60 * 1000
/** Before it, the tests' own conftest lists the catalogs that they run on. */
const FIXTURE = '@pytest.fixture(params=list(_CATALOG_FACTORIES.keys()))\ndef catalog('

const python = new PythonEnvironment({
  folder: 'pyiceberg-own/.venv',
  requirements: 'pyiceberg-own/requirements.txt',
})

async function install(): Promise<void> {
  await python.install()
  if (!existsSync(join(SOURCE, 'done'))) await fetchTests()
}

/** Tests that PyIceberg has for catalogs, which come with its sources; run, and never committed. */
export const pyicebergOwnSuite: Suite = {
  name: "PyIceberg 0.12.0's own tests of catalogs",
  findObstacle: findPythonObstacle,
  install,
  run: async () => {
    const results = await runPytest({
      folder: `pyiceberg-own/.source/${PACKAGE}`,
      name: 'pyiceberg-own',
      python: python.python,
      args: ({ dataFolder }) => [
        ...['-o', 'addopts=', `--basetemp=${dataFolder}/tests`],
        'tests/catalog/test_catalog_behaviors.py',
      ],
      environment: { PYTHONPATH: FOLDER },
      tablesInData: true,
    })
    return judge(results, 'expected-failures.txt')
  },
}

/** Its integration tests, where they need neither Spark nor Hive. */
export const pyicebergIntegrationSuite: Suite = {
  name: "PyIceberg 0.12.0's own integration tests",
  findObstacle: findPythonObstacle,
  install,
  run: async () => {
    const results = await runPytest({
      folder: 'pyiceberg-own',
      name: 'pyiceberg-integration',
      python: python.python,
      args: ({ dataFolder }) => {
        const copy = join(SOURCE, 'integration')
        copyIntegrationTests({ from: join(SOURCE, PACKAGE), to: copy, dataFolder })
        const plugin = ['-p', 'moraine_integration', '-W', 'ignore']
        const places = [`--rootdir=${copy}`, `--basetemp=${dataFolder}/tests`]
        return [...plugin, '-o', 'addopts=', ...places, join(copy, 'tests/integration')]
      },
      environment: { PYTHONPATH: `${FOLDER}:${join(SOURCE, 'integration')}` },
      timeoutMs: INTEGRATION_TIMEOUT_MS,
      tablesInData: true,
    })
    return judge(results, 'expected-integration-failures.txt')
  },
}

function judge(results: readonly TestResult[], list: string): TestResult[] {
  return judgeByList(results, parseExpectedFailures(readFileSync(join(FOLDER, list), 'utf8')))
}

async function fetchTests(): Promise<void> {
  await mkdir(SOURCE, { recursive: true })
  const pinned = PACKAGE.replace('-', '==')
  const choice = ['--no-deps', '--no-binary', 'pyiceberg', pinned, '-d', SOURCE]
  await step('download', python.python, ['-m', 'pip', 'download', ...choice])
  await step('unpack', 'tar', ['xzf', `${PACKAGE}.tar.gz`, `${PACKAGE}/tests`])
  const conftest = join(SOURCE, PACKAGE, 'tests', 'conftest.py')
  const text = readFileSync(conftest, 'utf8')
  if (!text.includes(FIXTURE)) throw new Error(`${conftest} has not the fixture that it had`)
  const import_ = 'from moraine_own import FACTORIES as _CATALOG_FACTORIES\n\n\n'
  writeFileSync(conftest, text.replace(FIXTURE, import_ + FIXTURE))
  writeFileSync(join(SOURCE, 'done'), '')
}

async function step(name: string, program: string, args: readonly string[]): Promise<void> {
  const log = join(RESULTS, `pyiceberg-own-${name}.log`)
  await mustRun(name, { program, args, cwd: SOURCE, log, timeoutMs: INSTALL_TIMEOUT_MS })
}
