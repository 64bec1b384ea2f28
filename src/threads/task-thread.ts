import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { type TransferListItem, Worker } from 'node:worker_threads'

export interface TaskMessage<T> {
  readonly id: number
  readonly task: T
}

export interface ResultMessage<R> {
  readonly id: number
  readonly result: R
}

/** The module that the thread runs, which uses `answer-tasks.ts`. */
export interface ThreadModule {
  /** The caller's `import.meta.url`. */
  readonly from: string
  /** Relative path without extension: TypeScript when run from source, else JavaScript. */
  readonly path: string
  /** Name for people, in lists of threads and in errors. */
  readonly name: string
}

interface Waiting<R> {
  readonly resolve: (result: R) => void
  readonly reject: (error: Error) => void
}

/**
 * A thread that does one task at a time. It starts with the first task, and again with the next one
 * after it ended.
 */
export class TaskThread<T, R> {
  readonly #module: ThreadModule
  readonly #waiting = new Map<number, Waiting<R>>()
  #worker: Worker | undefined
  #lastId = 0

  constructor(module: ThreadModule) {
    this.#module = module
  }

  /** Number of unfinished tasks. */
  get load(): number {
    return this.#waiting.size
  }

  /**
   * Runs a task. Rejects if the thread ends, in which case it is unknown how far it got.
   * Transferred memory is lost here.
   */
  run(task: T, transfer: readonly TransferListItem[] = []): Promise<R> {
    this.#worker ??= this.#start()
    this.#lastId += 1
    const message: TaskMessage<T> = { id: this.#lastId, task }
    const done = new Promise<R>((resolve, reject) => {
      this.#waiting.set(message.id, { resolve, reject })
    })
    // Idle threads do not keep the process alive; busy ones do.
    if (this.load === 1) this.#worker.ref()
    this.#worker.postMessage(message, transfer)
    return done
  }

  /** Rejects running tasks. */
  async close(): Promise<void> {
    await this.#worker?.terminate()
  }

  #start(): Worker {
    const worker = startWorker(this.#module)
    worker.on('message', ({ id, result }: ResultMessage<R>) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (this.load === 0) worker.unref()
      waiting?.resolve(result)
    })
    worker.on('error', (cause) => this.#end(worker, cause))
    worker.once('exit', () => this.#end(worker, undefined))
    return worker
  }

  #end(worker: Worker, cause: unknown): void {
    // A failed thread ends twice, by when another one may be running.
    if (this.#worker !== worker) return
    this.#worker = undefined
    const error = new Error(`the thread ${this.#module.name} ended`, { cause })
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

/**
 * The thread with the fewest tasks; the first of several, so that no more are started than needed.
 */
export function idlestOf<T extends { readonly load: number }>(threads: readonly T[]): T {
  return threads.reduce((best, thread) => (thread.load < best.load ? thread : best))
}

function startWorker({ from, path, name }: ThreadModule): Worker {
  const options = { name, env: {}, execArgv: [] }
  if (!from.endsWith('.ts')) return new Worker(new URL(`${path}.js`, from), options)
  // Node cannot start a thread in TypeScript: a line of JavaScript loads the loader.
  const loaderPath = createRequire(import.meta.url).resolve('tsx/esm/api')
  const loader = pathToFileURL(loaderPath.replace(/cjs$/, 'mjs')).href
  const entry = new URL(`${path}.ts`, from).href
  const script = `import(${JSON.stringify(loader)})
    .then(({ register }) => register())
    .then(() => import(${JSON.stringify(entry)}))`
  return new Worker(script, { ...options, eval: true })
}
