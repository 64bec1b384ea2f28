import { type ChildProcess, execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import type Sqlite from 'better-sqlite3'

const DRIVER = createRequire(import.meta.url).resolve('better-sqlite3')
/** Plain JavaScript, so that it runs beside the sources as beside what is compiled of them. */
const SCRIPT = `
  require('node:os').setPriority(10)
  const [, driver, path] = process.argv
  const database = new (require(driver))(path, { readonly: true, fileMustExist: true })
  console.log(database.pragma('quick_check(1)', { simple: true }))
`
const SOUND = 'ok'
const DAMAGE_CODE = /SQLITE_(CORRUPT|NOTADB)\w*/

/** The first fault that SQLite finds in the file; `undefined` if it is sound. */
export function findDamage(database: Sqlite.Database): string | undefined {
  return faultIn(String(database.pragma('quick_check(1)', { simple: true })))
}

/**
 * Reads the whole file in a process of its own, which takes seconds for a gigabyte. SQLite cannot
 * be interrupted here, but a process can be ended.
 */
export class SqliteCheck {
  readonly #path: string
  #child: ChildProcess | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** The first fault; `undefined` if there is none, or if the check itself failed or was ended. */
  run(): Promise<string | undefined> {
    return new Promise((resolve) => {
      const words = ['-e', SCRIPT, '--', DRIVER, this.#path]
      this.#child = execFile(process.execPath, words, { env: {} }, (error, said, errors) => {
        if (error === null) resolve(faultIn(said))
        else resolve(DAMAGE_CODE.exec(errors)?.[0])
      })
      this.#child.unref()
    })
  }

  /** Ends it. */
  close(): void {
    this.#child?.kill('SIGKILL')
  }
}

function faultIn(said: string): string | undefined {
  const told = said.trim().replaceAll(/\s+/g, ' ')
  return told === SOUND ? undefined : told
}
