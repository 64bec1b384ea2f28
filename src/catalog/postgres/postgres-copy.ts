import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { CatalogUnusableError } from '../../core/catalog-unusable-error.ts'

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024
const SAID_LENGTH_MAX = 300
const CONNECT_MS_MAX = 10_000
/** What every catalog has from its first migration on. */
const CATALOG_SQL = "select to_regclass('moraine_migrations') is not null as has"
/** Whether anything was made in a database, by whoever; what extensions bring does not count. */
const ANYTHING_SQL = `select exists (
    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%' and not exists (
      select from pg_depend d
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
  ) as has`

/** What a database has: a catalog, something else, or nothing. Nothing is made in it. */
export async function lookIntoPostgres(url: string): Promise<'catalog' | 'other' | 'empty'> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    query_timeout: CONNECT_MS_MAX,
  })
  // Unheard, the loss of an idle connection would end the process.
  client.on('error', () => undefined)
  try {
    await client.connect()
    const has = async (sql: string) => (await client.query(sql)).rows[0]?.has === true
    if (await has(CATALOG_SQL)) return 'catalog'
    return (await has(ANYTHING_SQL)) ? 'other' : 'empty'
  } finally {
    await client.end().catch(() => undefined)
  }
}

/**
 * Copies one moment of the database to a file, by PostgreSQL's own program; leaves no file when it
 * fails.
 */
export async function dumpPostgres(
  url: string,
  { to, signal }: { readonly to: string; readonly signal: AbortSignal },
): Promise<void> {
  const options = ['--format=custom', '--no-owner', '--no-privileges', `--file=${to}`]
  try {
    await run('pg_dump', [database(url), ...options], { url, signal })
  } catch (error) {
    await rm(to, { force: true })
    throw error
  }
}

/** Throws unless pg_restore is there and can read the dump. */
export async function requireReadableDump(from: string): Promise<void> {
  await run('pg_restore', ['--list', from])
}

/** Loads a dump into an empty database: all of it, or nothing. */
export async function restorePostgres(url: string, from: string): Promise<void> {
  const options = ['--no-owner', '--no-privileges', '--single-transaction', '--exit-on-error']
  await run('pg_restore', [database(url), ...options, from], { url })
}

/** Without the password, since arguments are seen by every user of the computer. */
function database(url: string): string {
  const shown = new URL(url)
  shown.password = ''
  return `--dbname=${shown.href}`
}

/** The password goes by the environment. */
async function run(
  program: string,
  words: readonly string[],
  { url, signal }: { readonly url?: string; readonly signal?: AbortSignal } = {},
): Promise<void> {
  const password = url === undefined ? '' : decodeURIComponent(new URL(url).password)
  const env = { ...process.env, ...(password !== '' && { PGPASSWORD: password }) }
  try {
    const options = { env, maxBuffer: OUTPUT_BYTES_MAX, ...(signal !== undefined && { signal }) }
    await promisify(execFile)(program, words, options)
  } catch (error) {
    signal?.throwIfAborted()
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
  const isOlder = /server version mismatch|unsupported version/.test(said)
  return new CatalogUnusableError({
    problem: `${program} failed: ${said}`,
    remedy: isOlder
      ? `put a newer ${program} first in PATH, of the version of the server or of the backup`
      : 'put that right and try again',
  })
}
