import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { CatalogError } from '../core/errors.ts'
import type { JobOptions } from './engine.ts'
import { keptFolder, type TaskRequest, type TaskResult, type WorkerReply } from './protocol.ts'

const NODE_MAJOR = Number(process.versions.node.split('.')[0])
/**
 * Address space that Node, DuckDB and their threads reserve before the first task; little of it is
 * ever used. With that of Node 20, 22 fails on large texts every other time; 24 starts with 640 MB
 * more, and always fails.
 */
const ADDRESS_SPACE_BASE_BYTES = baseMegabytes(NODE_MAJOR) * 1024 * 1024
/**
 * What the loader of sources reserves besides, which only tests and developers have: its thread,
 * and the WebAssembly by which it reads modules. That takes all that there is unless it is bounded,
 * and children of tests had a third of the memory that those of a built service have.
 */
const LOADER_BYTES = 728 * 1024 * 1024
const LOADER_WASM_PAGES = 1_024
/** A child whose memory does not shrink by this much is replaced by a new one. */
const RESIDENT_SLACK_BYTES = 384 * 1024 * 1024
const HEAP_MEGABYTES_MAX = 384
const START_MS_MAX = 60_000
const STDERR_LENGTH_MAX = 2_000

export interface WorkerOptions {
  readonly memoryBytes: number
  /** Folder that the child removes when its parent has ended. */
  readonly folder: string
}

export interface TaskLimits {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** As `JobOptions` has it. */
  readonly onRead?: JobOptions['onRead'] | undefined
}

/**
 * A failure that a new child may not have. A child that did other tasks before may run out of
 * address space: what they reserved stays reserved. Any child may be killed from outside, as the
 * kernel does when the machine's memory is short.
 */
export class LostChildError extends CatalogError {}

/**
 * A child process. Its environment contains none of our secrets, and it dies when its channel
 * closes.
 */
export class WorkerProcess {
  readonly #child: ChildProcess
  readonly #memoryBytes: number
  readonly #folder: string
  readonly #exited: Promise<void>
  #hasExited = false
  #isTired = false
  #hasWorked = false
  #stderr = ''
  /** What a child that was killed had read by then. */
  #readAtEnd: number | undefined

  private constructor({ memoryBytes, folder }: WorkerOptions) {
    this.#memoryBytes = memoryBytes
    this.#folder = folder
    this.#child = launch(memoryBytes, folder)
    this.#exited = new Promise((resolve) => {
      const onEnd = (): void => {
        this.#hasExited = true
        resolve()
      }
      this.#child.once('exit', onEnd)
      // More than once where the child can neither be started nor killed.
      this.#child.on('error', (error) => {
        this.#stderr += error.message
        if (this.#child.pid === undefined) onEnd()
      })
    })
    this.#child.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => {
        this.#stderr = (this.#stderr + text).slice(-STDERR_LENGTH_MAX)
      })
      .on('error', () => undefined)
  }

  /** Resolves when the child accepts tasks. */
  static async start(options: WorkerOptions, signal?: AbortSignal): Promise<WorkerProcess> {
    const worker = new WorkerProcess(options)
    await worker.#nextReply({ timeoutMs: START_MS_MAX, signal })
    return worker
  }

  get isUsable(): boolean {
    return !this.#hasExited && !this.#isTired && this.#child.connected
  }

  /**
   * Rejects with `engine-failed` if the child dies or the time is up, or with the signal's reason
   * if aborted.
   */
  async run(request: TaskRequest, limits: TaskLimits): Promise<TaskResult> {
    this.#hold(true)
    const before = this.#readBytes()
    this.#readAtEnd = undefined
    try {
      const replied = this.#nextReply(limits)
      this.#child.send(request, (error) => {
        // The child is dying; its exit event says why.
        if (error !== null) this.#child.kill('SIGKILL')
      })
      const reply = await replied
      if (reply.outcome === 'ready') throw this.#failed('replied without a request')
      if (reply.residentBytes > this.#memoryBytes + RESIDENT_SLACK_BYTES) this.#isTired = true
      const isFirst = !this.#hasWorked
      this.#hasWorked = true
      if (reply.outcome === 'done') return reply.result
      const { code, detail, facts, isOutOfMemory } = reply
      if (!isOutOfMemory || isFirst) throw new CatalogError(code, detail, { facts })
      this.#isTired = true
      throw new LostChildError(code, detail, { facts })
    } finally {
      const after = this.#readAtEnd ?? this.#readBytes()
      const isKnown = before !== undefined && after !== undefined
      limits.onRead?.(isKnown ? after - before : undefined)
      this.#hold(false)
    }
  }

  /** Bytes read from files since its start; `undefined` once it has ended, or without /proc. */
  #readBytes(): number | undefined {
    try {
      const counts = readFileSync(`/proc/${this.#child.pid}/io`, 'latin1')
      return Number(/^rchar: (\d+)$/m.exec(counts)?.[1] ?? Number.NaN) || undefined
    } catch {
      return undefined
    }
  }

  /** Resolves when the process has ended, and what it was in the middle of is gone. */
  async kill(): Promise<void> {
    // An idle child does not keep the service alive: without this, a stopping service would end
    // before its last steps.
    this.#child.ref()
    if (!this.#hasExited) this.#child.kill('SIGKILL')
    await this.#exited
    const { pid } = this.#child
    if (pid === undefined) return
    await rm(keptFolder(this.#folder, pid), { recursive: true, force: true })
  }

  #nextReply({ timeoutMs, signal }: TaskLimits): Promise<WorkerReply> {
    const child = this.#child
    const { promise, resolve, reject } = newSettler<WorkerReply>()
    let cause: unknown
    const endBecause = (reason: unknown): void => {
      cause ??= reason
      this.#readAtEnd ??= this.#readBytes()
      child.kill('SIGKILL')
    }
    const onAbort = (): void => endBecause(signal?.reason)
    const timer = setTimeout(() => {
      endBecause(this.#failed(`took longer than ${timeoutMs} ms`, { timeoutMs }))
    }, timeoutMs)
    const onMessage = (message: unknown): void => resolve(message as WorkerReply)
    child.once('message', onMessage)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) onAbort()
    const onEnd = (): void => reject(cause ?? this.#endedByItself())
    // If the child has already ended, this never fires.
    child.once('exit', onEnd)
    child.once('error', onEnd)
    if (this.#hasExited) onEnd()
    return promise.finally(() => {
      clearTimeout(timer)
      child.off('exit', onEnd)
      child.off('error', onEnd)
      child.off('message', onMessage)
      signal?.removeEventListener('abort', onAbort)
    })
  }

  #endedByItself(): CatalogError {
    const failure = this.#failed(`ended by itself (${this.#ending()})`)
    const { signalCode } = this.#child
    // V8 aborts when it gets no more memory: a new child that did so had all that there is.
    const wasKilled = signalCode !== null && signalCode !== 'SIGABRT'
    if (!this.#hasWorked && !wasKilled) return failure
    const { code, message, facts } = failure
    return new LostChildError(code, message, { facts, cause: failure })
  }

  #ending(): string {
    const { signalCode, exitCode } = this.#child
    return signalCode ?? (exitCode === null ? 'not started' : `exit code ${exitCode}`)
  }

  #failed(what: string, facts: Readonly<Record<string, unknown>> = {}): CatalogError {
    return new CatalogError('engine-failed', `A conversion ${what}.`, {
      facts,
      ...(this.#stderr === '' ? {} : { cause: new Error(this.#stderr) }),
    })
  }

  /** Lets only a busy child keep the service alive. */
  #hold(isBusy: boolean): void {
    const child = this.#child
    if (isBusy) {
      child.ref()
      child.channel?.ref()
      return
    }
    child.unref()
    child.channel?.unref()
  }
}

function newSettler<T>(): {
  promise: Promise<T>
  resolve: (value: T) => void
  reject: (reason: unknown) => void
} {
  let resolve: (value: T) => void = () => undefined
  let reject: (reason: unknown) => void = () => undefined
  const promise = new Promise<T>((onValue, onReason) => {
    resolve = onValue
    reject = onReason
  })
  return { promise, resolve, reject }
}

function baseMegabytes(nodeMajor: number): number {
  if (nodeMajor >= 24) return 4_608
  return nodeMajor >= 22 ? 2_304 : 1_792
}

function launch(memoryBytes: number, folder: string): ChildProcess {
  const isSource = import.meta.url.endsWith('.ts')
  const entry = new URL(
    isSource ? './worker/worker-main.ts' : './worker/worker-main.js',
    import.meta.url,
  )
  const command = [
    process.execPath,
    `--max-old-space-size=${HEAP_MEGABYTES_MAX}`,
    // Otherwise each WebAssembly memory reserves 10 GB of address space.
    '--disable-wasm-trap-handler',
    ...(isSource
      ? [`--wasm-max-mem-pages=${LOADER_WASM_PAGES}`, '--import', typeScriptLoader()]
      : []),
    fileURLToPath(entry),
    folder,
  ]
  const options = {
    env: childEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'] as ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced' as const,
  }
  if (process.platform === 'win32') {
    return spawn(command[0] ?? '', command.slice(1), options)
  }
  // DuckDB's own limit does not apply to single large values. The shell is replaced by Node.
  const base = ADDRESS_SPACE_BASE_BYTES + (isSource ? LOADER_BYTES : 0)
  const kibibytes = Math.ceil((base + 2 * memoryBytes) / 1024)
  const script = 'ulimit -c 0; ulimit -v "$0" 2>/dev/null; exec "$@"'
  return spawn('/bin/sh', ['-c', script, String(kibibytes), ...command], options)
}

function typeScriptLoader(): string {
  return pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
}

function childEnvironment(): Record<string, string> {
  const kept = ['LD_LIBRARY_PATH', 'SystemRoot'].flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return {
    ...Object.fromEntries(kept),
    HOME: tmpdir(),
    TMPDIR: tmpdir(),
    TZ: 'UTC',
    // Otherwise glibc reserves 64 MiB of address space for each thread.
    MALLOC_ARENA_MAX: '2',
  }
}
