import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { openEngineFolder, sweepEngineFolders, withJobFolder } from '../../src/engine/job-folder.ts'

const UUID = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff'
const IDLE_MS = 60_000

let base: string
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'moraine-engine-'))
})
afterEach(() => rm(base, { recursive: true, force: true }))

async function age(folder: string, ageMs = 2 * IDLE_MS): Promise<void> {
  const at = new Date(Date.now() - ageMs)
  await utimes(folder, at, at)
}

test('in a container each process has the same number: what was left is removed', async () => {
  const own = await openEngineFolder(base)
  // Of the process before this one, and of another that runs.
  const left = [process.pid, process.ppid].map((pid) => `engine-${pid}-${UUID}`)
  for (const name of left) await mkdir(join(base, name))
  for (const folder of [own, ...left.map((name) => join(base, name))]) await age(folder)
  await sweepEngineFolders(base, IDLE_MS)
  expect((await readdir(base)).sort()).toEqual([basename(own), left[1]].sort())
})

test('what has changed lately stays', async () => {
  await mkdir(join(base, `engine-${process.pid}-${UUID}`))
  await sweepEngineFolders(base, IDLE_MS)
  expect(await readdir(base)).toHaveLength(1)
})

test('a folder shows that its process lives, until it is removed', async () => {
  const own = await openEngineFolder(base, { beatMs: 1 })
  await age(own)
  while (Date.now() - (await stat(own)).mtimeMs > IDLE_MS) await nextTurn()
  await rm(own, { recursive: true })
  expect(await readdir(base)).toEqual([])
})

test('after a day a number proves nothing: it may be that of another process by now', async () => {
  const left = join(base, `engine-${process.ppid}-${UUID}`)
  await mkdir(left)
  await age(left, 25 * 3_600_000)
  await sweepEngineFolders(base, IDLE_MS)
  expect(await readdir(base)).toEqual([])
})

test.each([[[]], [['output']], [['output', 'output-0']], [['spill/a', 'output']]])(
  'whatever a job leaves, nothing is left of its folder: %s',
  async (names) => {
    await withJobFolder(base, async (folder) => {
      for (const name of names) {
        await mkdir(dirname(join(folder, name)), { recursive: true })
        await writeFile(join(folder, name), 'x')
      }
    })
    await expect(withJobFolder(base, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await readdir(base)).toEqual([])
  },
)
