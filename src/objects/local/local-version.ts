import type { Stats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import type { ObjectInfo } from '../object-store.ts'
import { replacedFile } from '../store-errors.ts'

/** Size, time and version of a file. Replacing or overwriting it changes them, moving it not. */
export function stateOf(stats: Stats): Omit<ObjectInfo, 'location'> {
  const { size: sizeBytes, mtimeMs } = stats
  return { sizeBytes, modifiedAtMs: Math.floor(mtimeMs), version: versionOf(stats) }
}

/** Throws `data-file-changed` if a version is expected that the file has not. */
export function requireVersion(stats: Stats, location: string, version: string | undefined): void {
  if (version !== undefined && versionOf(stats) !== version) throw replacedFile(location)
}

export async function requireVersionOf(
  handle: FileHandle,
  location: string,
  version: string | undefined,
): Promise<void> {
  if (version !== undefined) requireVersion(await handle.stat(), location, version)
}

function versionOf({ mtimeMs, ino, size }: Stats): string {
  return `${mtimeMs}-${ino}-${size}`
}
