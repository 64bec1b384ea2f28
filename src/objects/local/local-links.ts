import { constants } from 'node:fs'
import { type FileHandle, link, lstat, open, unlink } from 'node:fs/promises'
import { errorCodeOf } from './local-error.ts'
import type { OpenFolder } from './local-folders.ts'

export async function linkIfAbsent(
  temporary: string,
  final: string,
): Promise<'written' | 'already-exists'> {
  try {
    await link(temporary, final)
    return 'written'
  } catch (error) {
    if (errorCodeOf(error) === 'EEXIST') return 'already-exists'
    throw error
  }
}

/**
 * Moves a file by adding its new name first, so that it always has a name. A symbolic link is not
 * an object.
 */
export async function moveFile(
  from: string,
  to: string,
  folder: OpenFolder,
): Promise<'moved' | 'already-exists'> {
  if (!(await lstat(from)).isFile()) throw Object.assign(new Error(from), { code: 'ENOENT' })
  if ((await linkIfAbsent(from, to)) === 'already-exists') return 'already-exists'
  await folder.sync()
  await unlink(from)
  return 'moved'
}

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY)
  try {
    await handle.datasync()
  } finally {
    await handle.close()
  }
}

/** Removes what was half-written. */
export async function discard(handle: FileHandle | undefined, temporary: string): Promise<void> {
  await handle?.close().catch(() => undefined)
  await unlink(temporary).catch(() => undefined)
}
