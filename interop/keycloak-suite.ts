import { spawn } from 'node:child_process'
import { closeSync, cpSync, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../test/free-port.ts'
import { mustRun } from './command.ts'
import { findMavenObstacle, installJars } from './maven.ts'
import { INTEROP, RESULTS } from './places.ts'
import { python, runPytest } from './pyiceberg-suite.ts'
import { findPythonObstacle } from './python.ts'
import type { Suite } from './suite.ts'

const FOLDER = join(INTEROP, 'keycloak')
const NAME = 'keycloak-26.0.7'
const ZIP = join(FOLDER, 'lib', 'keycloak-quarkus-dist-26.0.7.zip')
const UNPACKED = join(FOLDER, 'lib', NAME)
const START_TIMEOUT_MS = 5 * 60 * 1000
const STOP_TIMEOUT_MS = 20_000

/** A real identity provider: people and engines sign in with its tokens. */
export const keycloakSuite: Suite = {
  name: 'Keycloak 26.0.7',
  findObstacle: () => {
    if (process.env['INTEROP_ALL'] !== '1') {
      return 'downloads 150 MB and starts for a minute; `make interop-all` runs it'
    }
    return findPythonObstacle() ?? findMavenObstacle()
  },
  install: async () => {
    await python.install()
    await installJars('keycloak')
    if (existsSync(UNPACKED)) return
    const args = ['-m', 'zipfile', '-e', ZIP, join(FOLDER, 'lib')]
    const log = join(RESULTS, 'keycloak-unzip.log')
    await mustRun('unzip', { program: 'python3', args, cwd: FOLDER, log, timeoutMs: 120_000 })
  },
  run: async () => {
    const keycloak = await startKeycloak()
    try {
      return await runPytest({
        folder: 'keycloak',
        python: python.python,
        asksForKeys: true,
        environment: { KEYCLOAK_ISSUER: keycloak.issuer },
        settings: {
          MORAINE_AUTH: 'oidc',
          MORAINE_OIDC_ISSUER: keycloak.issuer,
          MORAINE_OIDC_AUDIENCE: 'moraine',
          MORAINE_OIDC_ROLES: 'realm_access.roles',
        },
      })
    } finally {
      await keycloak.stop()
    }
  },
}

interface Keycloak {
  readonly issuer: string
  stop(): Promise<void>
}

/** With the realm of `import/`, from a copy, as it writes into its own folder. */
async function startKeycloak(): Promise<Keycloak> {
  const home = mkdtempSync(join(tmpdir(), 'moraine-keycloak-'))
  cpSync(UNPACKED, home, { recursive: true })
  cpSync(join(FOLDER, 'import'), join(home, 'data', 'import'), { recursive: true })
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}/realms/lake`
  const log = openSync(join(RESULTS, 'keycloak-server.log'), 'w')
  const options = ['--import-realm', '--http-host=127.0.0.1', `--http-port=${port}`]
  // A group of its own: the script starts Java as its child.
  const child = spawn('sh', [join(home, 'bin', 'kc.sh'), 'start-dev', ...options], {
    ...{ stdio: ['ignore', log, log], detached: true },
    env: { ...process.env, JAVA_OPTS_APPEND: '-Xmx768m' },
  })
  closeSync(log)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const kill = (signal: NodeJS.Signals) => {
    try {
      process.kill(-Number(child.pid), signal)
    } catch {
      // It has ended.
    }
  }
  const killAtExit = () => kill('SIGKILL')
  process.once('exit', killAtExit)
  const stop = async () => {
    kill('SIGTERM')
    await Promise.race([ended, sleep(STOP_TIMEOUT_MS, undefined, { ref: false })])
    kill('SIGKILL')
    process.off('exit', killAtExit)
    rmSync(home, { recursive: true, force: true })
  }
  const deadline = Date.now() + START_TIMEOUT_MS
  while (Date.now() < deadline && child.exitCode === null) {
    const response = await fetch(`${issuer}/.well-known/openid-configuration`).catch(
      () => undefined,
    )
    if (response?.ok === true) return { issuer, stop }
    await sleep(500)
  }
  await stop()
  throw new Error('Keycloak did not start: interop/.results/keycloak-server.log')
}
