import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { freePort } from '../free-port.ts'

export interface PostgresServer {
  /** The URL of an empty database of its own. */
  newDatabase(): Promise<string>
  /**
   * Ends the server as a crash does, and starts it again on its data: its main process is killed,
   * or told to stop immediately (SIGQUIT). Absent where the server was not started here.
   */
  crash?(how: 'SIGKILL' | 'SIGQUIT'): Promise<void>
  /** Ends the server with all databases if it was started here, else drops them. */
  stop(): Promise<void>
}

/** Why no server can be had, for the name of a skipped test; `undefined` when one can. */
export function whyNoPostgres(): string | undefined {
  if (process.env['TEST_POSTGRES_URL'] !== undefined) return undefined
  if (findServerFolder() === undefined) return 'no initdb and postgres, and no TEST_POSTGRES_URL'
  if (isRoot() && unprivilegedUser() === undefined) return 'run as root without a user to lower to'
  return undefined
}

/** Tests that start a server, or skipped ones that say why there is none. */
export function describeWithPostgres(name: string, describeTests: () => void): void {
  const reason = whyNoPostgres()
  if (reason === undefined) describe(name, describeTests)
  else describe.skip(`${name}: ${reason}`, describeTests)
}

/** Tests on a server of their own, or a skipped one that says why there is none. */
export function describePostgres(describeTests: (server: () => PostgresServer) => void): void {
  const reason = whyNoPostgres()
  if (reason !== undefined) {
    test.skip(`PostgreSQL: ${reason}`, () => undefined)
    return
  }
  describe('PostgreSQL', () => {
    let server: PostgresServer
    beforeAll(async () => {
      server = await startPostgres()
    }, 60_000)
    afterAll(async () => {
      await server?.stop()
    }, 60_000)

    describeTests(() => server)
  })
}

/** The server of TEST_POSTGRES_URL, or one of its own in a temporary folder. */
export async function startPostgres({ isDurable = false } = {}): Promise<PostgresServer> {
  const given = process.env['TEST_POSTGRES_URL']
  if (given !== undefined) return serverAt(given, (databases) => dropAll(given, databases))
  const folder = mkdtempSync(join(tmpdir(), 'moraine-postgres-'))
  const data = join(folder, 'data')
  const user = isRoot() ? unprivilegedUser() : undefined
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  const initdb = commandOf('initdb', ['-D', data, '-U', 'moraine', ...INITDB_OPTIONS])
  execFileSync(initdb.file, initdb.args, { stdio: 'pipe' })
  const port = await freePort()
  const options = ['-D', data, '-k', folder, '-p', String(port), '-c', 'listen_addresses=127.0.0.1']
  const settings = isDurable ? [] : ['-c', 'fsync=off']
  const postgres = commandOf('postgres', [...options, ...settings])
  const launch = () => spawn(postgres.file, postgres.args, { stdio: 'ignore' })
  let child = launch()
  const killAtExit = () => child.kill('SIGQUIT')
  process.once('exit', killAtExit)
  const url = `postgres://moraine@127.0.0.1:${port}/postgres`
  await untilReady(url, child)
  const server = serverAt(url, async () => {
    process.off('exit', killAtExit)
    await end(child)
    rmSync(folder, { recursive: true, force: true })
  })
  const crash = async (how: 'SIGKILL' | 'SIGQUIT') => {
    await end(child, how)
    // What the killed process has started ends by itself, and keeps its memory until then.
    for (let attempt = 1; ; attempt++) {
      child = launch()
      try {
        return await untilReady(url, child)
      } catch (error) {
        if (attempt === RESTARTS_MAX) throw error
        await sleep(200)
      }
    }
  }
  return { ...server, crash }
}

const INITDB_OPTIONS = ['-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync']
const READY_ATTEMPTS_MAX = 300
const RESTARTS_MAX = 50

async function dropAll(adminUrl: string, databases: readonly string[]): Promise<void> {
  for (const database of databases) {
    await administer(adminUrl, `drop database if exists ${database} with (force)`)
  }
}

function serverAt(
  adminUrl: string,
  stop: (databases: readonly string[]) => Promise<void>,
): PostgresServer {
  const databases: string[] = []
  return {
    newDatabase: async () => {
      const database = `moraine_${process.pid}_${Date.now().toString(36)}_${databases.length}`
      await administer(adminUrl, `create database ${database}`)
      databases.push(database)
      const url = new URL(adminUrl)
      url.pathname = `/${database}`
      return url.href
    },
    stop: () => stop(databases),
  }
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

async function untilReady(url: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < READY_ATTEMPTS_MAX; attempt++) {
    if (child.exitCode !== null) throw new Error(`postgres ended with ${child.exitCode}`)
    try {
      await administer(url, 'select 1')
      return
    } catch {
      await sleep(100)
    }
  }
  await end(child)
  throw new Error('postgres was not ready in time')
}

/** SIGINT is PostgreSQL's "fast shutdown". */
async function end(child: ChildProcess, how: NodeJS.Signals = 'SIGINT'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill(how)
  await ended
}

function findServerFolder(): string | undefined {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort().reverse() : []
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    ...versions.map((version) => join(debian, version, 'bin')),
  ]
  return folders.find((folder) =>
    ['initdb', 'postgres'].every((program) => folder !== '' && existsSync(join(folder, program))),
  )
}

/** The server refuses to run as root. */
function commandOf(program: string, args: readonly string[]): { file: string; args: string[] } {
  const file = join(findServerFolder() ?? '', program)
  const user = isRoot() ? unprivilegedUser() : undefined
  if (user === undefined) return { file, args: [...args] }
  const lowered = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', '--', file]
  return { file: 'setpriv', args: [...lowered, ...args] }
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

function unprivilegedUser(): { uid: number; gid: number } | undefined {
  for (const name of ['postgres', 'nobody']) {
    try {
      execFileSync('setpriv', ['--version'], { stdio: 'ignore' })
      const uid = Number(execFileSync('id', ['-u', name], { stdio: 'pipe' }).toString())
      const gid = Number(execFileSync('id', ['-g', name], { stdio: 'pipe' }).toString())
      return { uid, gid }
    } catch {
      // No setpriv, or no such user: the next may do.
    }
  }
  return undefined
}
