import { once } from 'node:events'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres, whyNoPostgres } from '../../catalog/postgres-server.ts'
import {
  buildService,
  builtMain,
  endOf,
  endServices,
  launchService,
  runToEnd,
} from '../../crash/killable-service.ts'

const PROCESS = new URL('sealing-process.mjs', import.meta.url).pathname
const KILLS = 12

let home: string
beforeAll(buildService)
afterAll(endServices)
beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'moraine-seals-')))
})
afterEach(() => rm(home, { recursive: true, force: true }))

/** Two at once, killed at any moment, now one, now both. */
async function storm(environment: Record<string, string>): Promise<void> {
  const complaints: string[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    const children = ['a', 'b'].map((name) => {
      const words = [dirname(builtMain()), name]
      return launchService(environment, { main: PROCESS, words, stdout: 'pipe' })
    })
    for (const child of children) child.stderr?.on('data', (chunk) => complaints.push(`${chunk}`))
    await Promise.race(children.map((child) => once(child.stdout ?? child, 'data')))
    await sleep(Math.random() * 300)
    await Promise.all(children.map((child) => endOf(child, 'SIGKILL')))
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
