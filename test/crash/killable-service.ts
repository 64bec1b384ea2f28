import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'

const ROOT = new URL('../..', import.meta.url).pathname
const BUILDS = '.build-test-'
const DAY_MS = 86_400_000
const SOURCES = ['src', 'package.json', 'tsconfig.json', 'tsconfig.build.json']
const START_TIMEOUT_MS = 30_000
const LINES_KEPT = 200
const WATCH = join(ROOT, 'test/crash/parent-watch.cjs')
/** One level below the root, as `dist` is, so that the SQL files are found. */
const BUILD = join(ROOT, BUILDS + digestOfSources())
/** Every service and command that was started and has not ended. */
const living = new Set<ChildProcess>()
/** Warnings and worse. */
const LOUD = /"level":[456]0/

/**
 * Compiles the service as it is released, unless another test has done so from the same sources:
 * that takes twenty seconds, and twenty test files need it.
 */
export function buildService(): void {
  if (existsSync(BUILD)) return
  const own = join(ROOT, BUILDS + process.pid)
  rmSync(own, { recursive: true, force: true })
  const arguments_ = ['tsc', '-p', 'tsconfig.build.json', '--outDir', own]
  execFileSync('npx', arguments_, { cwd: ROOT, stdio: 'pipe' })
  try {
    renameSync(own, BUILD)
  } catch (error) {
    // Another was first.
    if (!existsSync(BUILD)) throw error
    rmSync(own, { recursive: true })
  }
  removeOldBuilds()
}

function digestOfSources(): string {
  const digest = createHash('sha256')
  for (const source of SOURCES) {
    const path = join(ROOT, source)
    const isFolder = statSync(path).isDirectory()
    for (const file of isFolder ? readdirSync(path, { recursive: true }).sort() : ['']) {
      const { mtimeMs, size } = statSync(join(path, String(file)))
      digest.update(`${source}/${file} ${mtimeMs} ${size}\n`)
    }
  }
  return digest.digest('hex').slice(0, 16)
}

/** Builds of sources that have changed since, which no test of this day runs. */
function removeOldBuilds(): void {
  for (const name of readdirSync(ROOT).filter((each) => each.startsWith(BUILDS))) {
    const path = join(ROOT, name)
    const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() }
    if (Date.now() - mtimeMs > DAY_MS) rmSync(path, { recursive: true, force: true })
  }
}

/** What `buildService` made: the command line. */
export function builtMain(): string {
  return join(BUILD, 'main.js')
}

/** How messages of what was built call it. */
export function builtProgram(): string {
  return `node ${relative(process.cwd(), builtMain())}`
}

/**
 * Ends what a test has left running: one that failed before its own end, or whose start was given
 * up.
 */
export async function endServices(): Promise<void> {
  await Promise.all([...living].map((child) => endOf(child, 'SIGKILL')))
}

/** Starts the compiled service; its standard error is a pipe. It ends with this process. */
export function launchService(
  environment: Record<string, string>,
  {
    words = [],
    stdout,
    main = builtMain(),
  }: {
    readonly words?: readonly string[]
    readonly stdout: 'pipe' | number
    /** The command line of another process' build, or another program. */
    readonly main?: string
  },
): ChildProcess {
  const child = spawn(process.execPath, ['--require', WATCH, main, ...words], {
    stdio: ['pipe', stdout, 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', MORAINE_PORT: '0', ...environment },
  })
  return registered(child)
}

function registered<C extends ChildProcess>(child: C): C {
  living.add(child)
  child.once('exit', () => living.delete(child))
  child.once('error', () => living.delete(child))
  return child
}

/** Resolves with the exit code, also of a process that has ended already. */
export async function endOf(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  child.kill(signal)
  return ended
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
    { timeoutMs = START_TIMEOUT_MS }: { readonly timeoutMs?: number } = {},
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
      let isGivenUp = false
      const timer = setTimeout(() => {
        isGivenUp = true
        child.kill('SIGKILL')
      }, timeoutMs)
      child.once('exit', (code) => {
        clearTimeout(timer)
        reject(new Error(`${isGivenUp ? 'no start' : `ended with ${code}`}: ${said}`))
      })
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
    return endOf(this.#child, signal)
  }
}

/** Process ids of all that was started and has not ended. */
export function livingServices(): readonly number[] {
  return [...living].flatMap(({ pid = [] }) => pid)
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
  const child = spawn(process.execPath, ['--require', WATCH, builtMain(), ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', MORAINE_PORT: '0', ...environment },
    timeout: START_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    ...(uid !== undefined && { uid, gid: uid }),
  })
  registered(child)
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await ended, stdout, stderr }
}
