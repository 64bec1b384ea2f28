import { idlestOf, TaskThread } from '../../threads/task-thread.ts'
import type { ThreadOutcome, ThreadTask } from './local-worker-protocol.ts'

type LocalThread = TaskThread<ThreadTask, ThreadOutcome>

/** Threads that do what a commit asks of the file system: short files written, ends of files read. */
export class LocalThreads {
  readonly #writers: readonly LocalThread[]
  /** Of their own: a read does not wait behind fsyncs. */
  readonly #readers: readonly LocalThread[]

  constructor({ writers, readers }: { readonly writers: number; readonly readers: number }) {
    this.#writers = Array.from({ length: writers }, newThread)
    this.#readers = Array.from({ length: readers }, newThread)
  }

  /** Rejects when the thread ends: then nobody knows how far it came. */
  run(task: ThreadTask): Promise<ThreadOutcome> {
    return idlestOf(task.kind === 'put' ? this.#writers : this.#readers).run(task)
  }

  /** What is under way is rejected. */
  async close(): Promise<void> {
    await Promise.all([...this.#writers, ...this.#readers].map((thread) => thread.close()))
  }
}

function newThread(): LocalThread {
  return new TaskThread({ from: import.meta.url, path: './local-worker', name: 'moraine-objects' })
}
