import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { RESULTS } from '../../interop/places.ts'
import { findPythonObstacle, PythonEnvironment } from '../../interop/python.ts'
import { ROOT } from '../machine.ts'
import type { Report } from '../report.ts'

const TIMEOUT_MS = 5 * 60 * 1000
const REASON_LENGTH_MAX = 200
const run = promisify(execFile)

const ENVIRONMENTS = {
  pyiceberg: environmentOf('pyiceberg'),
  ducklake: environmentOf('ducklake'),
} as const

/** Relative to the folder of the interop tests, which make the environment. Kept between runs. */
function environmentOf(name: string): PythonEnvironment {
  return new PythonEnvironment({
    folder: `../bench/.peers/${name}`,
    requirements: `../bench/peers/${name}.txt`,
  })
}

export interface PythonPeer {
  /** What is skipped, by name, when the peer cannot be installed. */
  readonly what: string
  readonly environment: keyof typeof ENVIRONMENTS
  readonly script: string
  readonly request: Readonly<Record<string, unknown>>
}

/**
 * Returns what the script prints; `undefined`, and a line in the report, where the peer cannot be
 * installed.
 */
export async function askPythonPeer<T>(report: Report, peer: PythonPeer): Promise<T | undefined> {
  const obstacle = findPythonObstacle()
  if (obstacle !== undefined) {
    report.skip(peer.what, obstacle)
    return undefined
  }
  try {
    mkdirSync(RESULTS, { recursive: true })
    const environment = ENVIRONMENTS[peer.environment]
    await environment.install()
    const script = join(ROOT, 'bench/peers', peer.script)
    const { stdout } = await run(environment.python, [script, JSON.stringify(peer.request)], {
      timeout: TIMEOUT_MS,
      maxBuffer: 1024 * 1024,
    })
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
  } catch (error) {
    report.skip(peer.what, reasonOf(error))
    return undefined
  }
}

/** The last line, where Python names the error. */
function reasonOf(error: unknown): string {
  const text = (error as { stderr?: string }).stderr || String(error)
  return (text.trim().split('\n').at(-1) ?? '').slice(0, REASON_LENGTH_MAX)
}
