import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun, runCommand } from './command.ts'
import { judgeByList, parseExpectedFailures } from './expected-failures.ts'
import { INTEROP, RESULTS } from './places.ts'
import { parsePrinted } from './printed-checks.ts'
import { startTestedService } from './service.ts'
import type { Suite } from './suite.ts'

const RUN_TIMEOUT_MS = 5 * 60 * 1000

export interface PrintedPlace {
  /** The suite's name for people. */
  readonly title: string
  /** Below this folder: sources of the program and `expected-failures.txt`. */
  readonly folder: string
  /** First part of the names of its checks. */
  readonly label: string
  readonly program: string
  /** The command that builds the program, run in the folder. */
  readonly build: { readonly program: string; readonly args: readonly string[] }
  readonly buildEnvironment?: Readonly<Record<string, string>>
  readonly buildTimeoutMs: number
  findObstacle(): string | undefined
}

/** A client that is built here, and that prints one line for each of its checks. */
export function printedSuite(place: PrintedPlace): Suite {
  const { folder, label } = place
  return {
    name: place.title,
    findObstacle: () => place.findObstacle(),
    install: () => buildProgram(place),
    run: async () => {
      const service = await startTestedService({ name: folder, tablesInData: true })
      const log = join(RESULTS, `${folder}.log`)
      rmSync(log, { force: true })
      try {
        const code = await runCommand({
          ...{ program: place.program, args: [], cwd: join(INTEROP, folder) },
          ...{ log, timeoutMs: RUN_TIMEOUT_MS },
          environment: { MORAINE_URL: service.url, MORAINE_DATA: service.dataFolder },
        })
        const results = parsePrinted(readFileSync(log, 'utf8'), { suite: label, code })
        const list = readFileSync(join(INTEROP, folder, 'expected-failures.txt'), 'utf8')
        return judgeByList(results, parseExpectedFailures(list))
      } finally {
        await service.stop()
      }
    },
  }
}

/** What is built is kept by the compiler's own cache; the sources are always those of now. */
async function buildProgram(place: PrintedPlace): Promise<void> {
  const log = join(RESULTS, `${place.folder}-build.log`)
  const { buildTimeoutMs: timeoutMs, buildEnvironment: environment = {} } = place
  const cwd = join(INTEROP, place.folder)
  await mustRun('build', { ...place.build, cwd, log, timeoutMs, environment })
}
