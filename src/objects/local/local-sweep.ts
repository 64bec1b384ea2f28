import { lstat, opendir, unlink } from 'node:fs/promises'
import type { SweepOptions } from '../object-store.ts'
import { isMissing } from './local-error.ts'
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
