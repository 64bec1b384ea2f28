import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand } from './command.ts'
import { failure } from './expected-failures.ts'
import { parseJunitReport, type TestResult } from './junit-report.ts'
import { INTEROP, RESULTS } from './places.ts'
import { findPythonObstacle, PythonEnvironment } from './python.ts'
import { startTestedService, type TestedService } from './service.ts'
import type { Suite } from './suite.ts'

const RUN_TIMEOUT_MS = 6 * 60 * 1000

export interface Place {
  /** Below this folder, with the tests. */
  readonly folder: string
  /** Part of the names of its logs and reports; the folder's when absent. */
  readonly name?: string
  readonly python: string
  /** What pytest is to run; all of the folder when absent. */
  readonly args?: (service: TestedService) => readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
  /** Whether tables may be in the folder of the data, too. */
  readonly tablesInData?: boolean
  /** Whether the service asks for keys: `MORAINE_KEY` is then one that may do everything. */
  readonly asksForKeys?: boolean
  /** Further ones of the service. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A Python with PyIceberg and fastavro. */
export const python = new PythonEnvironment({
  folder: '.venv',
  requirements: 'pyiceberg/requirements.txt',
})

export const pyicebergSuite: Suite = {
  name: 'PyIceberg 0.12.0',
  findObstacle: findPythonObstacle,
  install: () => python.install(),
  run: () => runPytest({ folder: 'pyiceberg', python: python.python, tablesInData: true }),
}

export const pyicebergKeysSuite: Suite = {
  ...pyicebergSuite,
  name: 'PyIceberg 0.12.0 with keys',
  run: () => runPytest({ folder: 'pyiceberg-keys', python: python.python, asksForKeys: true }),
}

/** Runs the tests of a folder against a service of its own. */
export async function runPytest(place: Place): Promise<TestResult[]> {
  const { name = place.folder, tablesInData = false, asksForKeys = false, settings = {} } = place
  const service = await startTestedService({ name, tablesInData, asksForKeys, settings })
  try {
    return await testService(service, place)
  } finally {
    await service.stop()
  }
}

async function testService(service: TestedService, place: Place): Promise<TestResult[]> {
  const name = place.name ?? place.folder
  const report = join(RESULTS, `${name}-report.xml`)
  const log = join(RESULTS, `${name}.log`)
  rmSync(report, { force: true })
  const code = await runCommand({
    program: place.python,
    args: [
      ...['-m', 'pytest', '-ra', '-p', 'no:cacheprovider', `--junitxml=${report}`],
      ...(place.args?.(service) ?? ['.']),
    ],
    cwd: join(INTEROP, place.folder),
    log,
    timeoutMs: place.timeoutMs ?? RUN_TIMEOUT_MS,
    environment: {
      ...place.environment,
      MORAINE_URL: service.url,
      MORAINE_DATA: service.dataFolder,
      ...(service.adminKey !== undefined && { MORAINE_KEY: service.adminKey }),
      PYTHONDONTWRITEBYTECODE: '1',
    },
  })
  if (!existsSync(report)) {
    return [failure(`${name}#run`, `no report, ended with ${code}: ${log}`)]
  }
  const results = parseJunitReport(readFileSync(report, 'utf8'))
  // 0 and 1 are pytest's results: all passed, some failed.
  if (code === 0 || code === 1) return results
  return [...results, failure(`${name}#run`, `pytest ended with ${code}: ${log}`)]
}
