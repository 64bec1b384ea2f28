/** A thread of the local store. Each task is one message instead of ten calls on the event loop. */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { answerTasks } from '../../threads/answer-tasks.ts'
import { errorCodeOf } from './local-error.ts'
import { isWithin } from './local-location.ts'
import { CREATE_FLAGS, READ_FLAGS } from './local-open-flags.ts'
import { lookAtNames } from './local-own-names.ts'
import { stateOf } from './local-version.ts'
import type { PutTask, TailTask, ThreadOutcome, ThreadTask } from './local-worker-protocol.ts'

const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY
const FOLDERS_MAX = 64
const NOT_DONE: ThreadOutcome = { outcome: 'not-done' }

/** Open folders by path, the most recently used last. */
const folders = new Map<string, number>()

answerTasks(
  (task: ThreadTask) => work(task),
  (result) => (result.outcome === 'read' ? [result.bytes.buffer as ArrayBuffer] : []),
)

function work(task: ThreadTask): ThreadOutcome {
  if (task.kind === 'put') return put(task)
  return task.kind === 'tail' ? readTail(task) : lookAtNames(task)
}

/**
 * Writes like the local store itself: a temporary name, fdatasync, the name only if it is free,
 * fsync of the folder.
 */
function put({ roots, folder, name, temporaryName, bytes }: PutTask): ThreadOutcome {
  let temporary: string | undefined
  let file: number | undefined
  try {
    const open = openFolder(folder)
    if (open === undefined || !isInside(folder, roots)) return NOT_DONE
    temporary = `${procPath(open)}/${temporaryName}`
    file = openSync(temporary, CREATE_FLAGS)
    writeFully(file, bytes)
    fdatasyncSync(file)
    if (!linkIfAbsent(temporary, `${procPath(open)}/${name}`)) return { outcome: 'already-exists' }
    return syncFolder(open, folder)
  } catch {
    return NOT_DONE
  } finally {
    if (file !== undefined) closeSync(file)
    if (temporary !== undefined && file !== undefined) unlinkQuietly(temporary)
  }
}

/** From here on the name exists, so the caller must learn of failures. */
function syncFolder(open: number, folder: string): ThreadOutcome {
  try {
    fsyncSync(open)
    if (readlinkSync(procPath(open)) === folder) return { outcome: 'written' }
    throw new Error(`folder ${folder} was moved or removed during a write`)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { outcome: 'failed', code: errorCodeOf(error), message }
  }
}

/** Opens a folder; `undefined` if it is missing or reached through a symbolic link. */
function openFolder(folder: string): number | undefined {
  const kept = folders.get(folder)
  if (kept !== undefined) {
    folders.delete(folder)
    if (readlinkSync(procPath(kept)) === folder) {
      folders.set(folder, kept)
      return kept
    }
    closeSync(kept)
  }
  const opened = openSync(folder, FOLDER_FLAGS)
  if (readlinkSync(procPath(opened)) !== folder) {
    closeSync(opened)
    return undefined
  }
  for (const [oldest, descriptor] of folders) {
    if (folders.size < FOLDERS_MAX) break
    folders.delete(oldest)
    closeSync(descriptor)
  }
  folders.set(folder, opened)
  return opened
}

function readTail({ roots, path, bytesMax }: TailTask): ThreadOutcome {
  let file: number | undefined
  try {
    const real = realpathSync.native(path)
    if (!isInside(real, roots)) return NOT_DONE
    file = openSync(real, READ_FLAGS)
    // The opened file is inside even if links changed in between.
    if (!isInside(readlinkSync(procPath(file)), roots)) return NOT_DONE
    const stats = fstatSync(file)
    if (!stats.isFile()) return NOT_DONE
    const bytes = new Uint8Array(Math.min(bytesMax, stats.size))
    const isWhole = readFully(file, bytes, stats.size - bytes.byteLength)
    if (!isWhole) return NOT_DONE
    return { outcome: 'read', realPath: real, bytes, ...stateOf(stats) }
  } catch {
    return NOT_DONE
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

function isInside(realPath: string, allowed: readonly string[]): boolean {
  return allowed.some((root) => isWithin(root, realPath))
}

function procPath(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`
}

function writeFully(file: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.byteLength; ) {
    offset += writeSync(file, bytes, offset, bytes.byteLength - offset)
  }
}

function readFully(file: number, bytes: Uint8Array, position: number): boolean {
  for (let filled = 0; filled < bytes.byteLength; ) {
    const count = readSync(file, bytes, filled, bytes.byteLength - filled, position + filled)
    if (count === 0) return false
    filled += count
  }
  return true
}

function linkIfAbsent(temporary: string, final: string): boolean {
  try {
    linkSync(temporary, final)
    return true
  } catch (error) {
    if (errorCodeOf(error) === 'EEXIST') return false
    throw error
  }
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // A crash leaves such files, too; they are not objects.
  }
}
