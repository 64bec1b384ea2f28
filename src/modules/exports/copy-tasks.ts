import type { ObjectInfo, ObjectStore } from '../../objects/object-store.ts'
import { isUnreadable, type ReadFile, TASK_FILES, TaskFolder } from './task-folder.ts'

export interface CopiedTasks {
  /** Those of which all files are there now, and no others. */
  readonly tasks: number
  /** What is not, and why, each in a line; at most ten. */
  readonly notCopied: readonly string[]
}

const TOLD_MAX = 10

interface TaskPlace {
  readonly objects: ObjectStore
  readonly root: string
}

/**
 * Copies tasks, and no other files, to where they are not yet; one of which any file is there stays
 * as it is, so that none is made of two. Of a copy that was cut off, none runs. Throws what the
 * store says of a folder that cannot be written.
 */
export async function copyTasks(
  from: { readonly folder: string; readonly isCopy: boolean },
  to: TaskPlace,
): Promise<CopiedTasks> {
  const { isCopy } = from
  const folder = new TaskFolder(from.folder, { isCopy })
  let tasks = 0
  const names = await folder.list().catch((error: unknown) => {
    if (isUnreadable(error)) return `${from.folder}: ${error.message}`
    throw error
  })
  if (typeof names === 'string') return { tasks, notCopied: [names] }
  const notCopied = (await folder.listMisnamed()).map(({ problem }) => problem)
  for (const task of names) {
    const failures = await copyTask(task, await folder.readFiles(task), to)
    notCopied.push(...failures)
    if (failures.length === 0) tasks++
  }
  return { tasks, notCopied: notCopied.slice(0, TOLD_MAX) }
}

/** Why it is not there now. */
async function copyTask(
  task: string,
  files: readonly ReadFile[],
  { objects, root }: TaskPlace,
): Promise<readonly string[]> {
  const unread = files.flatMap(({ bytes }) => (typeof bytes === 'string' ? [bytes] : []))
  if (unread.length > 0) return unread
  const folder = `${root}/${task}`
  const found = new Map<string, ObjectInfo>()
  for (const file of TASK_FILES) {
    const info = await objects.find(`${folder}/${file}`)
    if (info !== undefined) found.set(file, info)
  }
  if (found.size > 0) {
    const why = await difference(objects, found, files)
    return why === undefined ? [] : [`${task} is left as it is: ${folder}/${why}`]
  }
  for (const { file, bytes } of files) {
    const outcome = await objects.putIfAbsent(`${folder}/${file}`, bytes as Uint8Array)
    if (outcome === 'already-exists') return [`${folder}/${file} was made meanwhile`]
  }
  return []
}

/** The first, of files that all have been read; `undefined` if there is none. */
async function difference(
  objects: ObjectStore,
  found: ReadonlyMap<string, ObjectInfo>,
  files: readonly ReadFile[],
): Promise<string | undefined> {
  const copied = new Map(files.map(({ file, bytes }) => [file, bytes as Uint8Array]))
  for (const [file, info] of found) {
    const bytes = copied.get(file)
    if (bytes === undefined) return `${file} is there, and in the other task is none`
    if (!(await isEqual(objects, info, bytes))) return `${file} is there with another content`
  }
  const added = files.find(({ file }) => !found.has(file))
  return added && `${added.file} is not there, and others of its files are`
}

async function isEqual(
  objects: ObjectStore,
  { location, sizeBytes }: ObjectInfo,
  bytes: Uint8Array,
): Promise<boolean> {
  if (sizeBytes !== bytes.length) return false
  return Buffer.from(await objects.read(location, { bytesMax: sizeBytes })).equals(bytes)
}
