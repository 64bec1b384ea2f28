import { idlestOf, TaskThread } from '../../threads/task-thread.ts'
import type { ThreadOutcome, ThreadTask } from './local-worker-protocol.ts'

type LocalThread = TaskThread<ThreadTask, ThreadOutcome>

/**
 * Threads for the file operations of commits: writing short files and reading the ends of files.
 */
export class LocalThreads {
  readonly #writers: readonly LocalThread[]
  /** Separate threads, so that reads do not wait for fsyncs. */
  readonly #readers: readonly LocalThread[]

  constructor({ writers, readers }: { readonly writers: number; readonly readers: number }) {
    this.#writers = Array.from({ length: writers }, newThread)
    this.#readers = Array.from({ length: readers }, newThread)
  }

  /** Rejects if the thread ends, in which case it is unknown how far it got. */
  run(task: ThreadTask): Promise<ThreadOutcome> {
    return idlestOf(task.kind === 'put' ? this.#writers : this.#readers).run(task)
  }

  /** Rejects running tasks. */
  async close(): Promise<void> {
    await Promise.all([...this.#writers, ...this.#readers].map((thread) => thread.close()))
  }
}

function newThread(): LocalThread {
  return new TaskThread({ from: import.meta.url, path: './local-worker', name: 'moraine-objects' })
}
