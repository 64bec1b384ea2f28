import type { ObjectStore } from '../../objects/object-store.ts'
import { isUnreadable, TaskFolder } from './task-folder.ts'

export interface CopiedTasks {
  /** Tasks of which every file is there now. */
  readonly tasks: number
  /** What is not, and why, each in a line; at most ten. */
  readonly notCopied: readonly string[]
}

const TOLD_MAX = 10

/**
 * Copies the files of tasks, and no others, to where they are not yet; what is there stays. Throws
 * what the store says of a folder that cannot be written.
 */
export async function copyTasks(
  from: string,
  to: { readonly objects: ObjectStore; readonly root: string },
): Promise<CopiedTasks> {
  const folder = new TaskFolder(from)
  let tasks = 0
  const names = await folder.list().catch((error: unknown) => {
    if (isUnreadable(error)) return `${from}: ${error.message}`
    throw error
  })
  if (typeof names === 'string') return { tasks, notCopied: [names] }
  const notCopied = (await folder.listMisnamed()).map(({ problem }) => problem)
  for (const task of names) {
    const failures: string[] = []
    for (const { file, bytes } of await folder.readFiles(task)) {
      const location = `${to.root}/${task}/${file}`
      if (typeof bytes === 'string') failures.push(bytes)
      else if (!(await isWritten(to.objects, location, bytes))) {
        failures.push(`${location} is there with another content`)
      }
    }
    notCopied.push(...failures)
    if (failures.length === 0) tasks++
  }
  return { tasks, notCopied: notCopied.slice(0, TOLD_MAX) }
}

/** Whether these bytes are there now. */
async function isWritten(
  objects: ObjectStore,
  location: string,
  bytes: Uint8Array,
): Promise<boolean> {
  if ((await objects.putIfAbsent(location, bytes)) === 'written') return true
  const found = await objects.find(location)
  if (found?.sizeBytes !== bytes.length) return false
  return Buffer.from(await objects.read(location, { bytesMax: bytes.length })).equals(bytes)
}
