import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtemp, readdir, realpath, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildService, builtMain, endServices } from './killable-service.ts'

/** Each process that is started so is number 1 of a space of its own, as in a container. */
const ALONE = ['--pid', '--fork', '--kill-child']
const AGE_MS = 3_600_000
const JSON_TYPE = { 'Content-Type': 'application/json' }

function canBeAlone(): boolean {
  try {
    execFileSync('unshare', [...ALONE, 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

let home: string
let running: ChildProcess[] = []
beforeAll(buildService)
afterAll(endServices)
beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'moraine-number-')))
})
afterEach(async () => {
  for (const child of running) {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    if (child.exitCode === null && child.kill('SIGKILL')) await ended
  }
  running = []
  await rm(home, { recursive: true, force: true })
})

async function serveAlone(): Promise<string> {
  const env = { PATH: process.env['PATH'] ?? '', MORAINE_PORT: '0', MORAINE_HOME: home }
  const words = [...ALONE, process.execPath, builtMain()]
  const child = spawn('unshare', words, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  running.push(child)
  for await (const line of createInterface({ input: child.stdout })) {
    expect(JSON.parse(line)).toMatchObject({ pid: 1 })
    const url = /"url":"(http:[^"]+)"/.exec(line)?.[1]
    if (url === undefined) continue
    child.stdout.resume()
    return url
  }
  throw new Error('it ended without a word')
}

async function engineFolders(): Promise<readonly string[]> {
  const names = await readdir(join(home, 'tmp')).catch(() => [])
  return names.filter((name) => name.startsWith('engine-1-')).map((name) => join(home, 'tmp', name))
}

async function rowsOf(url: string): Promise<string> {
  const dump = await fetch(`${url}/v1/tables/t/dump?format=csv`)
  return await dump.text()
}

const testAlone = canBeAlone() ? test : test.skip

testAlone(
  'two containers whose processes have the same number share a home',
  async () => {
    const first = await serveAlone()
    const body = JSON.stringify({ name: 't', schema: { columns: [{ name: 'n', type: 'long' }] } })
    await fetch(`${first}/v1/tables`, { method: 'POST', headers: JSON_TYPE, body })
    const folders = await engineFolders()
    // For conversions, for queries, and for files on their way.
    expect(folders).toHaveLength(3)
    // Nothing has changed in them for an hour; the first goes on to live.
    const longAgo = new Date(Date.now() - AGE_MS)
    for (const folder of folders) await utimes(folder, longAgo, longAgo)
    for (const folder of folders) {
      while (Date.now() - (await stat(folder)).mtimeMs >= AGE_MS) await sleep(100)
    }
    const second = await serveAlone()
    expect(await engineFolders()).toEqual(expect.arrayContaining([...folders]))
    // Both write at once: turns and leases are of instances, not of numbers.
    const rows = Array.from({ length: 20 }, (_, n) => n)
    const write = async (n: number) => {
      const csv = { method: 'POST', headers: { 'Content-Type': 'text/csv' }, body: `n\n${n}\n` }
      const reply = await fetch(`${n % 2 === 0 ? first : second}/v1/tables/t/files`, csv)
      expect(reply.status).toBe(201)
    }
    await Promise.all(rows.map(write))
    for (const url of [first, second]) {
      const found = (await rowsOf(url)).trim().split('\n').slice(1).map(Number)
      expect(found.sort((a, b) => a - b)).toEqual(rows)
    }
  },
  120_000,
)
