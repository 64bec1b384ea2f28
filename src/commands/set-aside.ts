import { rename } from 'node:fs/promises'
import type { Config } from '../config.ts'

/** The database, its write-ahead log, and the index of that. */
const SUFFIXES = ['', '-wal', '-shm']

/**
 * Renames the files of an SQLite catalog, so that a new one can take their place. Returns the new
 * path of the database. A service that has it open finds out and writes nothing more.
 */
export async function setAside(
  path: string,
  { reason, nowMs }: { readonly reason: string; readonly nowMs: number },
): Promise<string> {
  const aside = `${path}.${reason}-${new Date(nowMs).toISOString().replaceAll(/[-:.]/g, '')}`
  for (const suffix of SUFFIXES) {
    await rename(path + suffix, aside + suffix).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
  }
  return aside
}

/** The path of an SQLite catalog; `undefined` where the catalog is a server. */
export function catalogPathOf({ catalog }: Config): string | undefined {
  return catalog.kind === 'sqlite' ? catalog.path : undefined
}
