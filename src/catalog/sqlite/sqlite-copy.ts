import { execFile } from 'node:child_process'
import { copyFile, open, rename } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { promisify } from 'node:util'

const DRIVER = createRequire(import.meta.url).resolve('better-sqlite3')
/** Plain JavaScript, so that it runs beside the sources as beside what is compiled of them. */
const SCRIPT = `
  const [, driver, from, to] = process.argv
  const database = new (require(driver))(from, { readonly: true, fileMustExist: true })
  database.prepare('vacuum into ?').run(to)
`

/**
 * Copies one moment of the database, with all that was acknowledged before the call, while others
 * write to it. In a process of its own: it takes seconds for a gigabyte, and leases are renewed
 * meanwhile.
 */
export async function copySqlite({ from, to }: { from: string; to: string }): Promise<void> {
  const words = ['-e', SCRIPT, '--', DRIVER, from, to]
  await promisify(execFile)(process.execPath, words, { env: {} })
  await makeDurable(to)
  await makeDurable(dirname(to))
}

/** Puts a copy in the place of a database that is not there; under its name only when whole. */
export async function restoreSqlite({ from, to }: { from: string; to: string }): Promise<void> {
  const temporary = `${to}.restoring`
  await copyFile(from, temporary)
  await makeDurable(temporary)
  await rename(temporary, to)
  await makeDurable(dirname(to))
}

async function makeDurable(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
