import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findMavenObstacle, installJars } from '../../interop/maven.ts'
import { RESULTS } from '../../interop/places.ts'
import type { BenchService } from '../bench-service.ts'
import { ROOT } from '../machine.ts'

const START_TIMEOUT_MS = 30_000
const MAIN = 'org.apache.iceberg.rest.RESTCatalogServer'
const PEERS = join(ROOT, 'bench/peers')

export interface RestFixture extends BenchService {
  readonly version: string
}

/**
 * Iceberg's own REST server, which its tests use: jetty over a JDBC catalog, here on SQLite with
 * the journal mode and the syncs of ours. It syncs the catalog's row, not the metadata file. Throws
 * with the reason when it cannot be installed.
 */
export async function startRestFixture(home: string): Promise<RestFixture> {
  const obstacle = findMavenObstacle()
  if (obstacle !== undefined) throw new Error(obstacle)
  mkdirSync(RESULTS, { recursive: true })
  await installJars('../bench/peers')
  mkdirSync(home, { recursive: true })
  const port = await freePort()
  const log = openSync(join(home, 'fixture.log'), 'w')
  const child = spawn('java', ['-cp', join(PEERS, 'lib', '*'), MAIN], {
    stdio: ['ignore', log, log],
    env: {
      ...process.env,
      CATALOG_REST_PORT: String(port),
      CATALOG_CATALOG__IMPL: 'org.apache.iceberg.jdbc.JdbcCatalog',
      CATALOG_URI: `jdbc:sqlite:${home}/catalog.db?journal_mode=WAL&synchronous=FULL`,
      CATALOG_WAREHOUSE: `file://${home}/warehouse`,
    },
  })
  closeSync(log)
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const url = `http://127.0.0.1:${port}`
  await untilAnswering(`${url}/v1/config`, () => child.exitCode !== null)
  return {
    ...{ url, pid: child.pid ?? 0, version: icebergVersion() },
    async stop() {
      process.off('exit', killAtExit)
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function untilAnswering(url: string, hasEnded: () => boolean): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  while (performance.now() < deadline && !hasEnded()) {
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok) return
    await sleep(100)
  }
  throw new Error('the fixture did not start')
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function icebergVersion(): string {
  const pom = readFileSync(join(PEERS, 'pom.xml'), 'utf8')
  return /<iceberg>([^<]+)</.exec(pom)?.[1] ?? 'unknown'
}
