import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  buildService,
  builtMain,
  endServices,
  KillableService,
  livingServices,
} from './killable-service.ts'

let home: string
beforeAll(buildService)
afterAll(endServices)
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'moraine-abandoned-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function untilDead(pid: number): Promise<void> {
  const giveUpAt = performance.now() + 20_000
  while (isAlive(pid) && performance.now() < giveUpAt) await sleep(20)
  expect(isAlive(pid)).toBe(false)
}

test('a service whose start is given up does not go on', async () => {
  const start = KillableService.start({ MORAINE_HOME: home }, [], { timeoutMs: 1 })
  const [pid = 0] = livingServices()
  await expect(start).rejects.toThrow('no start')
  expect([livingServices(), isAlive(pid)]).toEqual([[], false])
})

test('one that has ended is killed at once', async () => {
  const service = await KillableService.start({ MORAINE_HOME: home })
  process.kill(service.pid, 'SIGKILL')
  await untilDead(service.pid)
  expect(await service.kill()).toBe(null)
})

test('what a test leaves running ends with its file', async () => {
  const service = await KillableService.start({ MORAINE_HOME: home })
  await endServices()
  expect([livingServices(), isAlive(service.pid)]).toEqual([[], false])
})

test('a service ends with the process of its test, however that ends', async () => {
  const script = fileURLToPath(new URL('./abandoning-parent.ts', import.meta.url))
  const words = ['--import', 'tsx', script, builtMain(), home]
  const parent = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = (await once(parent.stdout, 'data')) as [Buffer]
  const pid = Number(said.toString())
  expect(isAlive(pid)).toBe(true)
  parent.kill('SIGKILL')
  await untilDead(pid)
}, 60_000)
