import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { LISTS } from './mutants/lists.ts'

const FILE = 'src/formats/zstandard/stored-frame.ts'
const COUNT = Object.values(LISTS)
  .flat()
  .filter(({ file }) => file === FILE)
  .flatMap(({ edits }) => edits).length
const ROOT = join(import.meta.dirname, '..')
const TSX = createRequire(import.meta.url).resolve('tsx/cli')

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-mutants-record-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** The lines that a run of this file's bugs prints, and its exit code. */
async function run(...more: string[]): Promise<{ lines: string[]; code: number }> {
  const words = [TSX, 'scripts/run-mutants.ts', '--record', join(folder, 'tried.jsonl')]
  const options = { cwd: ROOT, env: { ...process.env, NODE_OPTIONS: '' } }
  const { stdout, code } = await promisify(execFile)(
    process.execPath,
    [...words, ...more, FILE],
    options,
  ).then(
    ({ stdout }) => ({ stdout, code: 0 }),
    (failed: { stdout: string; code: number }) => failed,
  )
  return { lines: stdout.trim().split('\n'), code }
}

const counts = (caught: number, untried: number) =>
  `mutants: ${COUNT} bugs, ${caught} caught, 0 caught by time only, 0 lived, ${untried} not tried; `

test('a run tells what became of each bug, and the next goes on where it ended', async () => {
  expect(COUNT).toBeGreaterThan(3)
  const cut = await run('--minutes', '0')
  expect([cut.lines.at(-1), cut.code]).toEqual([
    `${counts(0, COUNT)}0.0 % of those tried caught`,
    1,
  ])
  expect(cut.lines[0]).toContain(`not tried, the time of the run was over: ${FILE}`)

  const whole = await run('--resume')
  const tried = whole.lines.filter((line) => line.startsWith('caught, '))
  expect(tried).toHaveLength(COUNT)
  const all = `${counts(COUNT, 0)}100.0 % of those tried caught`
  expect([whole.lines.at(-1), whole.code]).toEqual([all, 0])

  const again = await run('--resume')
  expect(again.lines.filter((line) => line.startsWith('caught, '))).toEqual([])
  expect([again.lines.at(-1), again.code]).toEqual([all, 0])
}, 300_000)
