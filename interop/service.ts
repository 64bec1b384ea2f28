import { execFileSync, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RESULTS, ROOT } from './places.ts'

const START_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 20_000
const POLL_MS = 50

export interface TestedService {
  readonly url: string
  /** A folder from which files may be registered. */
  readonly dataFolder: string
  /** One that may do everything, where keys are asked for. */
  readonly adminKey: string | undefined
  /** Ends the service and removes its home. */
  stop(): Promise<void>
}

export interface ServiceOptions {
  readonly name: string
  /** A folder; one below the service's home when absent. */
  readonly warehouse?: string
  /** A further folder that files may be said to be in. */
  readonly allowedFolder?: string
  /** Whether tables may be in the folder of the data, too. */
  readonly tablesInData?: boolean
  /** Whether the warehouse may have tables of others. */
  readonly adoptsWarehouse?: boolean
  readonly asksForKeys?: boolean
  /** Further ones, and others than those above. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Starts the built service on a free port, with a home of its own. */
export async function startTestedService(options: ServiceOptions): Promise<TestedService> {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-interop-')))
  const dataFolder = join(home, 'data')
  await mkdir(dataFolder)
  const logFile = join(RESULTS, `${options.name}-service.log`)
  const log = openSync(logFile, 'w')
  const words = options.adoptsWarehouse ? ['serve', '--adopt-warehouse'] : []
  const program = ['--enable-source-maps', join(ROOT, 'dist/main.js')]
  const env = {
    ...process.env,
    MORAINE_HOME: home,
    MORAINE_PORT: '0',
    MORAINE_HOST: '127.0.0.1',
    MORAINE_CATALOG: '',
    MORAINE_WAREHOUSE: options.warehouse === undefined ? '' : `file://${options.warehouse}`,
    MORAINE_ALLOWED_LOCATIONS: [dataFolder, options.allowedFolder ?? ''].join(','),
    MORAINE_WRITABLE_LOCATIONS: options.tablesInData === true ? dataFolder : '',
    MORAINE_LOG_LEVEL: 'info',
    MORAINE_AUTH: options.asksForKeys === true ? 'keys' : 'none',
    ...options.settings,
  }
  const adminKey = options.asksForKeys
    ? execFileSync(process.execPath, [...program, 'create-admin-key'], { env, encoding: 'utf8' })
    : undefined
  const child = spawn(process.execPath, [...program, ...words], {
    stdio: ['ignore', log, log],
    env,
  })
  closeSync(log)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const killAtExit = () => {
    child.kill('SIGKILL')
    rmSync(home, { recursive: true, force: true })
  }
  process.once('exit', killAtExit)
  const stop = async () => {
    child.kill('SIGTERM')
    const grace = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await ended
    clearTimeout(grace)
    process.off('exit', killAtExit)
    rmSync(home, { recursive: true, force: true })
  }
  const url = await untilListening(logFile, () => child.exitCode !== null)
  if (url !== undefined) return { url, dataFolder, adminKey: adminKey?.trim(), stop }
  await stop()
  throw new Error(`the service did not start:\n${readFileSync(logFile, 'utf8')}`)
}

async function untilListening(
  logFile: string,
  hasEnded: () => boolean,
): Promise<string | undefined> {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (Date.now() < deadline && !hasEnded()) {
    const url = /"url":"(http:[^"]+)"/.exec(readFileSync(logFile, 'utf8'))?.[1]
    if (url !== undefined) return url
    await sleep(POLL_MS)
  }
  return undefined
}
