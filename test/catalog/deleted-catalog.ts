import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** Deletes the SQLite catalog of a stopped service, with all that SQLite keeps beside it. */
export async function deleteCatalog(home: string): Promise<void> {
  for (const name of await readdir(home)) {
    if (name.startsWith('catalog.db')) await rm(join(home, name))
  }
}
