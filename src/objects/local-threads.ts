import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import type {
  ThreadOutcome,
  ThreadReply,
  ThreadRequest,
  ThreadTask,
} from './local-worker-protocol.ts'

interface Waiting {
  readonly resolve: (result: ThreadOutcome) => void
  readonly reject: (error: Error) => void
}

/** One thread, started by its first task, and again by the next one after it ended. */
class LocalThread {
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #lastId = 0

  get load(): number {
    return this.#waiting.size
  }

  run(task: ThreadTask): Promise<ThreadOutcome> {
    this.#worker ??= this.#start()
    this.#lastId += 1
    const request: ThreadRequest = { id: this.#lastId, task }
    const replied = new Promise<ThreadOutcome>((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject })
    })
    // Idle threads do not keep the process alive; those at work do.
    if (this.load === 1) this.#worker.ref()
    this.#worker.postMessage(request)
    return replied
  }

  async close(): Promise<void> {
    await this.#worker?.terminate()
  }

  #start(): Worker {
    const options = { name: 'moraine-objects', env: {}, execArgv: [] }
    const worker = import.meta.url.endsWith('.ts')
      ? new Worker(sourceEntry(), { ...options, eval: true })
      : new Worker(new URL('./local-worker.js', import.meta.url), options)
    worker.on('message', ({ id, result }: ThreadReply) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (this.load === 0) worker.unref()
      waiting?.resolve(result)
    })
    worker.once('error', (cause) => this.#end(worker, cause))
    worker.once('exit', () => this.#end(worker, undefined))
    return worker
  }

  #end(worker: Worker, cause: unknown): void {
    if (this.#worker === worker) this.#worker = undefined
    const error = new Error('a thread of the local store ended', { cause })
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

/** Threads that do what a commit asks of the file system: short files written, ends of files read. */
export class LocalThreads {
  readonly #writers: readonly LocalThread[]
  /** Of their own: a read does not wait behind fsyncs. */
  readonly #readers: readonly LocalThread[]

  constructor({ writers, readers }: { readonly writers: number; readonly readers: number }) {
    this.#writers = Array.from({ length: writers }, () => new LocalThread())
    this.#readers = Array.from({ length: readers }, () => new LocalThread())
  }

  /** Rejects when the thread ends: then nobody knows how far it came. */
  run(task: ThreadTask): Promise<ThreadOutcome> {
    const threads = task.kind === 'put' ? this.#writers : this.#readers
    const idlest = threads.reduce((best, thread) => (thread.load < best.load ? thread : best))
    return idlest.run(task)
  }

  /** What is under way is rejected. */
  async close(): Promise<void> {
    await Promise.all([...this.#writers, ...this.#readers].map((thread) => thread.close()))
  }
}

/** From source: Node starts no thread in TypeScript, so that a line of JavaScript brings the loader in. */
function sourceEntry(): string {
  const loaderPath = createRequire(import.meta.url).resolve('tsx/esm/api')
  const loader = pathToFileURL(loaderPath.replace(/cjs$/, 'mjs')).href
  const entry = new URL('./local-worker.ts', import.meta.url).href
  return `import(${JSON.stringify(loader)})
    .then(({ register }) => register())
    .then(() => import(${JSON.stringify(entry)}))`
}
