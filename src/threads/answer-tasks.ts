import { parentPort, type TransferListItem } from 'node:worker_threads'
import type { ResultMessage, TaskMessage } from './task-thread.ts'

/** In the thread: does one task after the other. What `transferOf` names goes without being copied, and is lost here. */
export function answerTasks<T, R>(
  work: (task: T) => R,
  transferOf: (result: R) => readonly TransferListItem[],
): void {
  parentPort?.on('message', ({ id, task }: TaskMessage<T>) => {
    const message: ResultMessage<R> = { id, result: work(task) }
    parentPort?.postMessage(message, transferOf(message.result))
  })
}
