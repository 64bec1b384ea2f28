import { lstat, opendir, rmdir, unlink } from 'node:fs/promises'
import type { FolderSweepOptions, SweepOptions } from '../object-store.ts'
import { errorCodeOf, isMissing } from './local-error.ts'
import { isTemporaryName } from './local-location.ts'

/**
 * Deletes the temporary files below a real folder that were not written to since the instant.
 * Follows no links.
 */
export async function sweepTemporaryFiles(
  realPath: string,
  { beforeMs, signal }: SweepOptions,
): Promise<number> {
  let deleted = 0
  const folders = [realPath]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    signal.throwIfAborted()
    for await (const entry of entriesOf(folder)) {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) folders.push(path)
      else if (entry.isFile() && isTemporaryName(entry.name)) {
        if (await deleteIfOld(path, beforeMs)) deleted++
      }
    }
  }
  return deleted
}

async function* entriesOf(folder: string) {
  try {
    yield* await opendir(folder, { bufferSize: 256 })
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

async function deleteIfOld(path: string, beforeMs: number): Promise<boolean> {
  try {
    if ((await lstat(path)).mtimeMs >= beforeMs) return false
    await unlink(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/**
 * Deletes the empty folders below a real one, which is called `location`, as `deleteEmptyFolders`
 * says. A folder that becomes empty by it was just changed, and goes next time. Follows no links.
 */
export async function sweepEmptyFolders(
  realPath: string,
  { location, ...options }: FolderSweepOptions & { readonly location: string },
): Promise<number> {
  let deleted = 0
  const names = ['']
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    options.signal.throwIfAborted()
    let isEmpty = name !== ''
    for await (const entry of entriesOf(`${realPath}${name}`)) {
      isEmpty = false
      if (entry.isDirectory()) names.push(`${name}/${entry.name}`)
    }
    if (!isEmpty) continue
    const { mtimeMs } = await lstat(`${realPath}${name}`).catch(() => ({ mtimeMs: Infinity }))
    if (mtimeMs >= options.beforeMs || !(await options.isFree(`${location}${name}`))) continue
    if (await deleteIfEmpty(`${realPath}${name}`)) deleted++
  }
  return deleted
}

async function deleteIfEmpty(path: string): Promise<boolean> {
  try {
    await rmdir(path)
    return true
  } catch (error) {
    if (isMissing(error) || errorCodeOf(error) === 'ENOTEMPTY') return false
    throw error
  }
}
