import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

test('a process that closes an idle engine goes on to what it has to do after that', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-closing-'))
  try {
    const script = fileURLToPath(new URL('./closing-engine.ts', import.meta.url))
    const path = join(folder, 'columns.csv')
    const arguments_ = ['--import', 'tsx', script, path]
    const { stdout } = await promisify(execFile)(process.execPath, arguments_)
    expect(stdout).toBe('closed\n')
    expect(await readFile(path, 'utf8')).toBe('n\n')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 60_000)
