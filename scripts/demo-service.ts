import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const PREFERRED_PORT = 8181
const START_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 20_000

export interface DemoService {
  readonly url: string
  readonly pid: number
}

/** Starts the service from its sources and leaves it running, with a new home in `folder`. */
export async function startDemoService(
  folder: string,
  { allowedLocation }: { readonly allowedLocation: string },
): Promise<DemoService> {
  console.log(`${await stopDemoService(folder)}; starting it ...`)
  rmSync(join(folder, 'home'), { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const port = await findPort()
  const log = openSync(join(folder, 'service.log'), 'w')
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts'], {
    detached: true,
    stdio: ['ignore', log, log],
    env: {
      ...process.env,
      MORAINE_HOME: join(folder, 'home'),
      MORAINE_PORT: String(port),
      MORAINE_ALLOWED_LOCATIONS: allowedLocation,
    },
  })
  child.unref()
  if (child.pid === undefined) throw new Error('the service could not be started')
  const url = `http://127.0.0.1:${port}`
  writeFileSync(pidFile(folder), `${child.pid} ${url}`)
  console.log(`Waiting until it is ready at ${url}; its log is ${join(folder, 'service.log')} ...`)
  await untilReady(url, { folder, hasEnded: () => child.exitCode !== null })
  return { url, pid: child.pid }
}

/**
 * Ends the service of an earlier run, if it is still running, and waits for its end. Its address
 * must answer: after a restart of the machine its process id may be another program's.
 */
export async function stopDemoService(folder: string): Promise<string> {
  const file = pidFile(folder)
  const [pid = '', url = ''] = existsSync(file) ? readFileSync(file, 'utf8').split(' ') : []
  const isOurs = url !== '' && (await fetch(`${url}/health`).catch(() => undefined))?.ok === true
  if (isOurs && isRunning(Number(pid))) {
    process.kill(Number(pid), 'SIGTERM')
    const deadline = Date.now() + STOP_TIMEOUT_MS
    while (isRunning(Number(pid))) {
      if (Date.now() > deadline) throw new Error(`it does not stop: kill ${pid}`)
      await sleep(50)
    }
  }
  rmSync(file, { force: true })
  return isOurs ? 'The service of the demo is stopped' : 'No service of the demo is running'
}

/** Signal 0 only asks. */
function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function untilReady(
  url: string,
  { folder, hasEnded }: { folder: string; hasEnded: () => boolean },
): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (Date.now() < deadline && !hasEnded()) {
    const answer = await fetch(`${url}/ready`).catch(() => undefined)
    if (answer?.ok === true) return
    await sleep(50)
  }
  const log = readFileSync(join(folder, 'service.log'), 'utf8')
  throw new Error(`the service did not become ready:\n${log}`)
}

/** That of the environment, else the usual one, or any free one when something else uses it. */
async function findPort(): Promise<number> {
  const { MORAINE_PORT: wanted = '' } = process.env
  if (wanted !== '') {
    if (wanted === '0' || (await isFree(portOf(wanted)))) return portOf(wanted) || isFree(0)
    throw new Error(`MORAINE_PORT=${wanted}: something else uses this port; give another one`)
  }
  return (await isFree(PREFERRED_PORT)) || isFree(0)
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 65_536
  if (port <= 65_535) return port
  throw new Error(`MORAINE_PORT=${text}: use a number from 0 to 65535`)
}

function isFree(port: number): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(0))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })
}

function pidFile(folder: string): string {
  return join(folder, 'service.pid')
}
