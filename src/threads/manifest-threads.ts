import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { ManifestFile } from '../core/data-file.ts'
import { CatalogError } from '../core/errors.ts'
import { type DecodedManifest, manifestOf } from '../formats/iceberg/manifest-reader.ts'
import type { DecodeReply, DecodeRequest } from './manifest-message.ts'

interface Waiting {
  readonly resolve: (reply: DecodeReply) => void
  readonly reject: (error: Error) => void
}

/** Started by its first manifest, and again by the next one after it ended. */
class ManifestThread {
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #lastId = 0

  get load(): number {
    return this.#waiting.size
  }

  decode(file: Uint8Array, { specId, lengthBytes }: ManifestFile): Promise<DecodeReply> {
    this.#worker ??= this.#start()
    this.#lastId += 1
    // A copy, for what is sent is lost here, and others may hold the file.
    const copy = new Uint8Array(file)
    const request: DecodeRequest = {
      id: this.#lastId,
      file: copy,
      manifest: { specId, lengthBytes },
    }
    const replied = new Promise<DecodeReply>((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject })
    })
    // Idle threads do not keep the process alive; those at work do.
    if (this.load === 1) this.#worker.ref()
    this.#worker.postMessage(request, [copy.buffer])
    return replied
  }

  async close(): Promise<void> {
    await this.#worker?.terminate()
  }

  #start(): Worker {
    const options = { name: 'moraine-manifests', env: {}, execArgv: [] }
    const worker = import.meta.url.endsWith('.ts')
      ? new Worker(sourceEntry(), { ...options, eval: true })
      : new Worker(new URL('./manifest-worker.js', import.meta.url), options)
    worker.on('message', (reply: DecodeReply) => {
      const waiting = this.#waiting.get(reply.id)
      this.#waiting.delete(reply.id)
      if (this.load === 0) worker.unref()
      waiting?.resolve(reply)
    })
    worker.once('error', (cause) => this.#end(worker, cause))
    worker.once('exit', () => this.#end(worker, undefined))
    return worker
  }

  #end(worker: Worker, cause: unknown): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    const error = new Error('a thread that decoded manifests ended', { cause })
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

/** Threads that decode manifests, so that the event loop does not. */
export class ManifestThreads {
  readonly #threads: readonly ManifestThread[]

  constructor(threads: number) {
    this.#threads = Array.from({ length: Math.max(1, threads) }, () => new ManifestThread())
  }

  /** As `decodeManifest`. Rejects when the thread ends before it is done. */
  async decode(file: Uint8Array, manifest: ManifestFile): Promise<DecodedManifest> {
    const idlest = this.#threads.reduce((best, each) => (each.load < best.load ? each : best))
    const reply = await idlest.decode(file, manifest)
    if ('content' in reply) return manifestOf(reply.content, manifest)
    const { code, message } = reply.failure
    throw code === undefined ? new Error(message) : new CatalogError(code, message)
  }

  /** What is under way is rejected. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()))
  }
}

/** From source: Node starts no thread in TypeScript, so that a line of JavaScript brings the loader in. */
function sourceEntry(): string {
  const loaderPath = createRequire(import.meta.url).resolve('tsx/esm/api')
  const loader = pathToFileURL(loaderPath.replace(/cjs$/, 'mjs')).href
  const entry = new URL('./manifest-worker.ts', import.meta.url).href
  return `import(${JSON.stringify(loader)})
    .then(({ register }) => register())
    .then(() => import(${JSON.stringify(entry)}))`
}
