import { join } from 'node:path'
import { CatalogError } from '../../core/errors.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import type { ExportPlaces } from './export-files.ts'
import { putJson } from './export-note.ts'
import { RESTORED_ENDING, stagedOf, UNFINISHED } from './file-name.ts'
import { isUnreadable, type ReadFile, TaskFolder } from './task-folder.ts'

export interface CopiedTasks {
  /** Those of which all files are there now, and no others. */
  readonly tasks: number
  /** What is not, and why, each in a line; at most ten. */
  readonly notCopied: readonly string[]
}

const TOLD_MAX = 10

interface TaskPlace {
  readonly objects: ObjectStore
  /** Its absolute path. */
  readonly folder: string
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
  { objects, folder }: TaskPlace,
): Promise<readonly string[]> {
  const unread = reasonsOf(files)
  if (unread.length > 0) return unread
  // As runs read it, through links.
  const found = await new TaskFolder(folder).readFiles(task)
  const unseen = reasonsOf(found)
  if (unseen.length > 0) return unseen
  const there = join(folder, task)
  if (found.length > 0) {
    const why = difference(found, files)
    return why === undefined ? [] : [`${task} is left as it is: ${there}/${why}`]
  }
  for (const { file, bytes } of files) {
    const outcome = await putUnlessLinked(objects, `${there}/${file}`, bytes as Uint8Array)
    if (outcome === 'already-exists') return [`${there}/${file} was made meanwhile`]
    if (outcome === 'linked') return [`${there} leads out of ${folder}: copy its files yourself`]
  }
  return []
}

function reasonsOf(files: readonly ReadFile[]): readonly string[] {
  return files.flatMap(({ bytes }) => (typeof bytes === 'string' ? [bytes] : []))
}

/** The first, of files that all have been read; `undefined` if there is none. */
function difference(found: readonly ReadFile[], files: readonly ReadFile[]): string | undefined {
  const copied = new Map(files.map(({ file, bytes }) => [file, bytes as Uint8Array]))
  for (const { file, bytes: own } of found) {
    const bytes = copied.get(file)
    if (bytes === undefined) return `${file} is there, and in the other task is none`
    if (!Buffer.from(bytes).equals(own as Uint8Array)) {
      return `${file} is there with another content`
    }
  }
  const added = files.find(({ file }) => !found.some((own) => own.file === file))
  return added && `${added.file} is not there, and others of its files are`
}

/** What a link outside of the folder leads to is somebody else's. */
async function putUnlessLinked(
  objects: Pick<ObjectStore, 'putIfAbsent'>,
  path: string,
  bytes: Uint8Array,
): Promise<'written' | 'already-exists' | 'linked'> {
  try {
    return await objects.putIfAbsent(`file://${path}`, bytes)
  } catch (error) {
    if (error instanceof CatalogError && error.code === 'location-not-allowed') return 'linked'
    throw error
  }
}

/**
 * Marks runs that had not ended when a backup was made: they may have been ended and forgotten
 * since, their rows deleted, so that their files are kept until it is known what became of them.
 */
export async function markRestoredRuns(
  backup: { readonly objects: Pick<ObjectStore, 'list'>; readonly root: string },
  { objects, warehouse }: Pick<ExportPlaces, 'objects' | 'warehouse'>,
): Promise<void> {
  const root = `${backup.root}/.exports`
  const staged = new Set<string>()
  for await (const { location } of backup.objects.list(`${root}/${UNFINISHED}`)) {
    staged.add(stagedOf(location.slice(root.length)))
  }
  for (const path of staged) {
    await putJson(objects, `${warehouse}/.exports${path}${RESTORED_ENDING}`, { restored: true })
  }
}
