import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDER = resolve(fileURLToPath(import.meta.url), '../../../../../shared/data')

/** Real files next to the repository; none when the folder is absent. */
export const SHARED_FILES: readonly string[] = existsSync(FOLDER)
  ? readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.parquet'))
      .sort()
  : []

export function readShared(name: string): Uint8Array {
  return readFileSync(join(FOLDER, name))
}

export function sharedPath(name: string): string {
  return join(FOLDER, name)
}

/** `test`, or `test.skip` where the files are not there. */
export const testWithShared = SHARED_FILES.length > 0 ? test : test.skip
