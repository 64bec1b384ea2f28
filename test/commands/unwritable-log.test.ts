import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { readConfig } from '../../src/config.ts'
import { createTable } from '../../src/modules/tables/tables.ts'
import { openPlatform } from '../../src/service.ts'
import { buildService, endServices, launchService } from '../crash/killable-service.ts'
import { freePort } from '../free-port.ts'

const START_MS_MAX = 30_000

let home: string
beforeAll(buildService)
afterAll(endServices)
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'moraine-log-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

test('with its log on a full disk the service serves, counts losses, stops cleanly', async () => {
  const port = await freePort()
  const environment = { MORAINE_HOME: home, MORAINE_PORT: String(port) }
  const child = launchService(environment, { stdout: openSync('/dev/full', 'w') })
  await expectServed(child, `http://127.0.0.1:${port}`)
})

test('a log whose reader is gone', async () => {
  const child = launchService({ MORAINE_HOME: home }, { stdout: 'pipe' })
  const [line] = (await once(child.stdout ?? child, 'data')) as [Buffer]
  const url = /"url":"(http:[^"]+)"/.exec(line.toString())?.[1]
  child.stdout?.destroy()
  await expectServed(child, url ?? '')
})

/** Serves, reports that lines were lost, and ends with 0 when asked to. */
async function expectServed(child: ChildProcess, url: string): Promise<void> {
  const ended = once(child, 'exit')
  const said = text(child.stderr as NodeJS.ReadableStream)
  await untilAlive(child, url)
  for (let requests = 0; requests < 5; requests++) {
    expect((await fetch(`${url}/v1/tables`)).status).toBe(200)
  }
  const metrics = await (await fetch(`${url}/metrics`)).text()
  const lost = /^moraine_log_lines_dropped_total (\d+)$/m.exec(metrics)?.[1]
  expect(Number(lost)).toBeGreaterThanOrEqual(5)
  child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
  expect(await said).toBe('')
}

async function untilAlive(child: ChildProcess, url: string): Promise<void> {
  const giveUpAt = performance.now() + START_MS_MAX
  while (child.exitCode === null && performance.now() < giveUpAt) {
    const answer = await fetch(`${url}/health`).catch(() => undefined)
    if (answer?.ok === true) return
    await sleep(50)
  }
  child.kill('SIGKILL')
  throw new Error(`the service is not alive; exit code ${child.exitCode}`)
}

test('rebuild registers all tables although nobody reads its lines', async () => {
  const environment = { MORAINE_HOME: home }
  const platform = await openPlatform(readConfig(environment))
  const columns = [{ name: 'n', type: 'long' }]
  for (const name of ['a', 'b', 'c']) await createTable(platform, { name, columns })
  await platform.close()
  await rm(join(home, 'catalog.db'))
  const child = launchService(environment, { words: ['rebuild'], stdout: 'pipe' })
  child.stdout?.destroy()
  const said = text(child.stderr as NodeJS.ReadableStream)
  expect(await once(child, 'exit')).toEqual([0, null])
  expect(await said).toBe('')
  const rebuilt = await openPlatform(readConfig(environment))
  expect(await rebuilt.catalog.tables.list({ limit: 10 })).toHaveLength(3)
  await rebuilt.close()
})
