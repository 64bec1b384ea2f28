import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { CatalogUnusableError } from '../catalog-unusable-error.ts'

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024
const SAID_LENGTH_MAX = 300

/** Copies one moment of the database to a file, by PostgreSQL's own program. */
export async function dumpPostgres(url: string, to: string): Promise<void> {
  await run('pg_dump', url, ['--format=custom', '--no-owner', '--no-privileges', `--file=${to}`])
}

/** Loads a dump into an empty database: all of it, or nothing. */
export async function restorePostgres(url: string, from: string): Promise<void> {
  const options = ['--no-owner', '--no-privileges', '--single-transaction', '--exit-on-error']
  await run('pg_restore', url, [...options, from])
}

/** The password goes by the environment: arguments are seen by every user of the computer. */
async function run(program: string, url: string, words: readonly string[]): Promise<void> {
  const shown = new URL(url)
  const password = decodeURIComponent(shown.password)
  shown.password = ''
  const env = { ...process.env, ...(password !== '' && { PGPASSWORD: password }) }
  try {
    const options = { env, maxBuffer: OUTPUT_BYTES_MAX }
    await promisify(execFile)(program, [`--dbname=${shown.href}`, ...words], options)
  } catch (error) {
    throw failureOf(program, error)
  }
}

function failureOf(program: string, error: unknown): CatalogUnusableError {
  const { code, stderr = '' } = error as { readonly code?: unknown; readonly stderr?: string }
  if (code === 'ENOENT') {
    return new CatalogUnusableError({
      problem: `the program ${program} is not found`,
      remedy: "install PostgreSQL's client programs, of the server's version or newer",
    })
  }
  const said = stderr.trim().replaceAll(/\s+/g, ' ').slice(0, SAID_LENGTH_MAX)
  return new CatalogUnusableError({
    problem: `${program} failed: ${said}`,
    remedy: 'put that right and try again',
  })
}
