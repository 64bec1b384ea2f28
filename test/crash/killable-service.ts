import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'

const ROOT = new URL('../..', import.meta.url).pathname
/** One level below the root, as `dist` is, so that the SQL files are found. One a process. */
const BUILD = join(ROOT, `.build-test-${process.pid}`)
const START_TIMEOUT_MS = 30_000
const LINES_KEPT = 200
/** Warnings and worse. */
const LOUD = /"level":[456]0/

export function buildService(): void {
  rmSync(BUILD, { recursive: true, force: true })
  const arguments_ = ['tsc', '-p', 'tsconfig.build.json', '--outDir', BUILD]
  execFileSync('npx', arguments_, { cwd: ROOT, stdio: 'pipe' })
}

/** What `buildService` made: the command line. */
export function builtMain(): string {
  return join(BUILD, 'main.js')
}

export function removeBuild(): void {
  rmSync(BUILD, { recursive: true, force: true })
}

/** Starts the compiled service; its standard error is a pipe. */
export function launchService(
  environment: Record<string, string>,
  { words = [], stdout }: { readonly words?: readonly string[]; readonly stdout: 'pipe' | number },
): ChildProcess {
  return spawn(process.execPath, [join(BUILD, 'main.js'), ...words], {
    stdio: ['ignore', stdout, 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', MORAINE_PORT: '0', ...environment },
  })
}

/** The compiled service as a process of its own, to be killed. */
export class KillableService {
  readonly #child: ChildProcess
  readonly url: string
  /** The last warnings and errors of its log, and what it wrote to standard error. */
  readonly complaints: readonly string[]

  private constructor(child: ChildProcess, url: string, complaints: readonly string[]) {
    this.#child = child
    this.url = url
    this.complaints = complaints
  }

  static async start(
    environment: Record<string, string>,
    words: readonly string[] = [],
  ): Promise<KillableService> {
    const child = launchService(environment, { words, stdout: 'pipe' })
    const said: string[] = []
    const say = (text: string) => {
      said.push(text)
      if (said.length > LINES_KEPT) said.shift()
    }
    child.stderr?.on('data', (chunk: Buffer) => say(chunk.toString()))
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
    const url = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no start: ${said}`)), START_TIMEOUT_MS)
      child.once('exit', (code) => reject(new Error(`ended with ${code}: ${said}`)))
      let isStarted = false
      lines.on('line', (line) => {
        if (!isStarted || LOUD.test(line)) say(line)
        const found = /"url":"(http:[^"]+)"/.exec(line)?.[1]
        if (found === undefined) return
        isStarted = true
        clearTimeout(timer)
        resolve(found)
      })
    })
    return new KillableService(child, url, said)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** SIGKILL: nothing in the process gets a chance to tidy up. */
  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<number | null> {
    const ended = new Promise<number | null>((resolve) => this.#child.once('exit', resolve))
    this.#child.kill(signal)
    return ended
  }
}

export interface Ended {
  /** `null` when it had to be killed. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the compiled command line to its end. */
export async function runToEnd(
  words: readonly string[],
  environment: Record<string, string> = {},
  { uid }: { readonly uid?: number } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [join(BUILD, 'main.js'), ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', MORAINE_PORT: '0', ...environment },
    timeout: START_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    ...(uid !== undefined && { uid, gid: uid }),
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await ended, stdout, stderr }
}
