import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasTool, mustRun } from './command.ts'
import { INTEROP, RESULTS } from './places.ts'

const INSTALL_TIMEOUT_MS = 15 * 60 * 1000

/** A virtual environment with exactly the packages of one requirements file. */
export class PythonEnvironment {
  readonly #name: string
  readonly #folder: string
  readonly #requirements: string

  /** Both relative to this folder. */
  constructor(place: { readonly folder: string; readonly requirements: string }) {
    this.#name = place.requirements.replaceAll('/', '-')
    this.#folder = join(INTEROP, place.folder)
    this.#requirements = join(INTEROP, place.requirements)
  }

  get python(): string {
    return join(this.#folder, 'bin', 'python')
  }

  /** Makes it again when the requirements have changed, or the Python that it links to. */
  async install(): Promise<void> {
    const version = execFileSync('python3', ['--version'], { encoding: 'utf8' })
    const wanted = `# ${version}${readFileSync(this.#requirements, 'utf8')}`
    const stamp = join(this.#folder, 'installed-requirements.txt')
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
    rmSync(this.#folder, { recursive: true, force: true })
    await this.#step('venv', 'python3', ['-m', 'venv', this.#folder])
    const pip = ['-m', 'pip', 'install', '--disable-pip-version-check']
    await this.#step('pip', this.python, [...pip, '-r', this.#requirements])
    writeFileSync(stamp, wanted)
  }

  async #step(step: string, program: string, args: readonly string[]): Promise<void> {
    const log = join(RESULTS, `${this.#name}-${step}.log`)
    await mustRun(step, { program, args, cwd: INTEROP, log, timeoutMs: INSTALL_TIMEOUT_MS })
  }
}

export function findPythonObstacle(): string | undefined {
  return hasTool('python3', '-c', 'import venv, ensurepip')
    ? undefined
    : 'python3 with venv is not installed'
}
