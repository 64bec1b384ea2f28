import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres, whyNoPostgres } from '../../catalog/postgres-server.ts'
import { buildService, builtMain, removeBuild, runToEnd } from '../../crash/killable-service.ts'

const PROCESS = new URL('sealing-process.mjs', import.meta.url).pathname
const WATCH = new URL('../../crash/parent-watch.cjs', import.meta.url).pathname
const KILLS = 12

let home: string
beforeAll(buildService)
afterAll(removeBuild)
beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'moraine-seals-')))
})
afterEach(() => rm(home, { recursive: true, force: true }))

function start(environment: Record<string, string>, name: string): ChildProcess {
  const words = ['--require', WATCH, PROCESS, dirname(builtMain()), name]
  const env = { PATH: process.env['PATH'] ?? '', ...environment }
  return spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'pipe'], env })
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

/** Two at once, killed at any moment, now one, now both. */
async function storm(environment: Record<string, string>): Promise<void> {
  const complaints: string[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    const children = ['a', 'b'].map((name) => start(environment, name))
    for (const child of children) child.stderr?.on('data', (chunk) => complaints.push(`${chunk}`))
    await Promise.race(children.map((child) => once(child.stdout ?? child, 'data')))
    await sleep(Math.random() * 300)
    await Promise.all(children.map(killed))
  }
  const verified = await runToEnd(['verify-audit'], environment)
  expect(verified).toMatchObject({ code: 0, stderr: '' })
  const [, seals, rows] = /^verified {2}(\d+) seals {2}(\d+) rows {2}/.exec(verified.stdout) ?? []
  expect(Number(seals)).toBeGreaterThanOrEqual(KILLS)
  expect(Number(rows)).toBeGreaterThanOrEqual(3 * KILLS)
  expect(complaints.filter((line) => line.includes('does not fit'))).toEqual([])
}

test(
  'two that seal and are killed at any moment leave a whole chain',
  () => storm({ MORAINE_HOME: home }),
  300_000,
)

const onPostgres = whyNoPostgres() === undefined ? test : test.skip
onPostgres(
  'so do two replicas on PostgreSQL',
  async () => {
    const postgres = await startPostgres()
    try {
      await storm({ MORAINE_HOME: home, MORAINE_CATALOG: await postgres.newDatabase() })
    } finally {
      await postgres.stop()
    }
  },
  300_000,
)
