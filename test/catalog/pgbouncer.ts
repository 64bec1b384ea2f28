import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { freePort } from '../free-port.ts'

// Where Debian's package has it.
const PROGRAM = '/usr/sbin/pgbouncer'
const READY_ATTEMPTS_MAX = 300

export interface PgBouncer {
  /** The database behind it. */
  readonly url: string
  stop(): Promise<void>
}

/** Why none can be had, for the name of a skipped test; `undefined` when one can. */
export function whyNoPgBouncer(): string | undefined {
  return existsSync(PROGRAM) ? undefined : `no ${PROGRAM} (Debian: apt-get install pgbouncer)`
}

/** Debian's, in transaction mode and otherwise by default. */
export async function startPgBouncer(
  databaseUrl: string,
  { serverConnections = 2 } = {},
): Promise<PgBouncer> {
  const { hostname, port, pathname, username } = new URL(databaseUrl)
  const folder = mkdtempSync(join(tmpdir(), 'moraine-pgbouncer-'))
  const users = join(folder, 'users.txt')
  const ownPort = await freePort()
  writeFileSync(users, `"${username}" ""\n`)
  writeFileSync(
    join(folder, 'pgbouncer.ini'),
    `[databases]
* = host=${hostname} port=${port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${ownPort}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${serverConnections}
server_idle_timeout = 1
`,
  )
  const isRoot = process.getuid?.() === 0
  if (isRoot) execFileSync('chmod', ['-R', 'a+rX', folder])
  const child = spawn(
    PROGRAM,
    [...(isRoot ? ['-u', 'nobody'] : []), join(folder, 'pgbouncer.ini')],
    {
      stdio: 'ignore',
    },
  )
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const url = `postgres://${username}@127.0.0.1:${ownPort}${pathname}`
  await untilReady(url)
  return {
    url,
    async stop() {
      process.off('exit', killAtExit)
      const ended = once(child, 'exit')
      child.kill('SIGTERM') // At once; SIGINT would wait for its clients.
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function untilReady(url: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      await client.query('select 1')
      return
    } catch (error) {
      if (attempt === READY_ATTEMPTS_MAX) throw error
      await sleep(100)
    } finally {
      await client.end().catch(() => undefined)
    }
  }
}
