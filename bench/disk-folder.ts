import { statfsSync } from 'node:fs'

/** Types of file systems that keep their files in memory: tmpfs and ramfs (statfs(2)). */
const MEMORY_TYPES: ReadonlySet<number> = new Set([0x01021994, 0x858458f6])

/** Throws if files of the folder are in memory: syncs would cost nothing, and no figure be true. */
export function requireDiskFolder(folder: string, type = statfsSync(folder).type): void {
  if (!MEMORY_TYPES.has(type)) return
  throw new Error(`${folder} is kept in memory (tmpfs): set TMPDIR to a folder on a disk`)
}
