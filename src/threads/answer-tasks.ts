import { parentPort, type TransferListItem } from 'node:worker_threads'
import type { ResultMessage, TaskMessage } from './task-thread.ts'

/**
 * Runs in the thread and does one task at a time. What `transferOf` names is moved instead of
 * copied.
 */
export function answerTasks<T, R>(
  work: (task: T) => R,
  transferOf: (result: R) => readonly TransferListItem[],
): void {
  parentPort?.on('message', ({ id, task }: TaskMessage<T>) => {
    const message: ResultMessage<R> = { id, result: work(task) }
    parentPort?.postMessage(message, transferOf(message.result))
  })
}
