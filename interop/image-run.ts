import { type ChildProcess, spawn } from 'node:child_process'
import { chownSync, closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BuiltImage } from './image-build.ts'
import { RESULTS, ROOT } from './places.ts'

/** Stands for the image's own user, who does not exist on this machine: a user who owns nothing. */
const NOBODY = 65_534
const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 20_000
const POLL_MS = 250

type Check = (name: string, run: () => Promise<void>) => Promise<boolean>

export async function runImage(image: BuiltImage, check: Check): Promise<void> {
  await check('packages for development are left out', async () => requireProductionOnly(image))
  const home = join(image.root, image.environment['MORAINE_HOME'] ?? '')
  if (isRoot())
    for (const volume of image.volumes) chownSync(join(image.root, volume), NOBODY, NOBODY)
  const port = await freePort()
  const start = (label: string) => startContainer(image, { home, port, label })
  const url = `http://127.0.0.1:${port}`

  await check('the health command fails while nothing runs', async () => {
    requireEqual((await start('unhealthy').run(image.healthCommand)) === 0, false)
  })
  const first = start('first')
  await check('the command serves, as a user who cannot write to the code', async () => {
    first.serve()
    await untilHealthy(first, image)
    if (isRoot()) requireReadOnly(await first.output(['node', '-e', WRITE_TO_CODE]))
  })
  await check('openapi.yaml and the tables are served', async () => {
    const schema = { columns: [{ name: 'id', type: 'long' }] }
    await requireStatus(`${url}/openapi.yaml`, 200)
    await requireStatus(`${url}/v1/tables`, 201, { name: 'kept', schema })
  })
  await check('its stop signal ends it with 0', async () => {
    requireEqual(await first.stop(image.stopSignal), 0)
  })
  await check('what the volume holds outlives the container', async () => {
    const second = start('second')
    try {
      second.serve()
      await untilHealthy(second, image)
      await requireStatus(`${url}/v1/tables/kept`, 200)
    } finally {
      requireEqual(await second.stop(image.stopSignal), 0)
    }
  })
}

const WRITE_TO_CODE = `
try { require('fs').writeFileSync('dist/main.js', ''); console.log('written') }
catch (error) { console.log(error.code) }`

function requireReadOnly(told: string): void {
  requireEqual(told.trim(), 'EACCES')
}

function requireProductionOnly(image: BuiltImage): void {
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  ) as Record<'dependencies' | 'devDependencies', Record<string, string>>
  const folder = join(image.root, image.workingFolder)
  const missing = Object.keys(dependencies).filter((name) => !isInstalled(folder, name))
  // Those that a runtime dependency needs as well are no surplus.
  const surplus = Object.keys(devDependencies).filter((name) => {
    return isForDevelopment(name) && isInstalled(folder, name)
  })
  requireEqual(JSON.stringify({ missing, surplus }), '{"missing":[],"surplus":[]}')
  if (readdirSync(folder).includes('src')) throw new Error('sources are in the image')
}

function isForDevelopment(name: string): boolean {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>
  }
  return packages[`node_modules/${name}`]?.dev === true
}

function isInstalled(folder: string, name: string): boolean {
  return existsSync(join(folder, 'node_modules', name, 'package.json'))
}

interface Container {
  /** Starts the image's command, and leaves it running. */
  serve(): void
  /** Runs one command beside it; returns its exit code. */
  run(command: readonly string[]): Promise<number | null>
  output(command: readonly string[]): Promise<string>
  hasEnded(): boolean
  log(): string
  /** The exit code, or the signal that had to end it. */
  stop(signal: string): Promise<number | string | null>
}

function startContainer(
  image: BuiltImage,
  place: { readonly home: string; readonly port: number; readonly label: string },
): Container {
  const logFile = join(RESULTS, `image-${place.label}.log`)
  const spawnAs = (command: readonly string[], stdio: 'log' | 'pipe'): ChildProcess => {
    const [program = '', ...args] = command
    const log = openSync(logFile, 'a')
    const child = spawn(program, args, {
      cwd: join(image.root, image.workingFolder),
      stdio: stdio === 'log' ? ['ignore', log, log] : ['ignore', 'pipe', log],
      ...(isRoot() ? { uid: NOBODY, gid: NOBODY } : {}),
      env: {
        ...image.environment,
        PATH: `${join(image.root, 'usr/local/bin')}:/usr/bin:/bin`,
        MORAINE_HOME: place.home,
        MORAINE_PORT: String(place.port),
        MORAINE_HOST: '127.0.0.1', // a container is alone in its network; this machine is not
      },
    })
    closeSync(log)
    return child
  }
  let service: ChildProcess | undefined
  return {
    serve: () => {
      service = spawnAs(image.command, 'log')
      process.once('exit', () => service?.kill('SIGKILL'))
    },
    run: (command) => exitOf(spawnAs(command, 'log')),
    output: async (command) => {
      const child = spawnAs(command, 'pipe')
      let text = ''
      child.stdout?.on('data', (chunk) => {
        text += chunk
      })
      await exitOf(child)
      return text
    },
    hasEnded: () => service?.exitCode !== null,
    log: () => readFileSync(logFile, 'utf8'),
    stop: async (signal) => {
      if (service === undefined || service.exitCode !== null) return service?.exitCode ?? null
      const ended = exitOf(service)
      service.kill(signal as NodeJS.Signals)
      const grace = setTimeout(() => service?.kill('SIGKILL'), STOP_TIMEOUT_MS)
      const code = await ended
      clearTimeout(grace)
      return code ?? service.signalCode
    },
  }
}

async function untilHealthy(container: Container, image: BuiltImage): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (Date.now() < deadline && !container.hasEnded()) {
    if ((await container.run(image.healthCommand)) === 0) return
    await sleep(POLL_MS)
  }
  throw new Error(`not healthy:\n${container.log()}`)
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code))
  })
}

async function requireStatus(url: string, status: number, json?: unknown): Promise<void> {
  const response = await fetch(url, {
    ...(json === undefined ? {} : { method: 'POST', body: JSON.stringify(json) }),
    headers: { 'Content-Type': 'application/json' },
  })
  const text = await response.text()
  if (response.status !== status) throw new Error(`${url}: ${response.status} ${text}`)
}

function requireEqual(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`expected ${expected}, got ${actual}`)
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
