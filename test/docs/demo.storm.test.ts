import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from '../free-port.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TSX = join(ROOT, 'node_modules/.bin/tsx')
/** Less than the test may take: else its commands run on, and Jest waits for them. */
const COMMAND_TIMEOUT_MS = 50_000

test('the demo says what it does, shows what its commands print, and can be stopped', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-demo-'))
  const port = await freePort()
  const run = (script: string) =>
    promisify(execFile)(TSX, [`scripts/${script}`], {
      cwd: ROOT,
      timeout: COMMAND_TIMEOUT_MS,
      env: { ...process.env, DEMO_FOLDER: folder, MORAINE_PORT: String(port) },
    })
  try {
    const { stdout } = await run('demo.ts')
    for (const waits of ['some seconds ...', 'Waiting until it is ready at']) {
      expect(stdout).toContain(waits)
    }
    const url = /still running at (\S+)/.exec(stdout)?.[1] ?? ''
    expect(url).toBe(`http://127.0.0.1:${port}`)
    expect((await fetch(`${url}/ready`)).status).toBe(200)
    // Commands that only read print the same again.
    const log = stdout.match(/^\$ (curl -fsS '[^']*as_at=.*)\n {3}(.*)\n {3}(.*)$/m)
    const [, command = 'false', ...printed] = log ?? []
    const again = await promisify(execFile)('bash', ['-c', command], {
      timeout: COMMAND_TIMEOUT_MS,
    })
    expect(again.stdout.trimEnd().split('\n')).toEqual(printed)
    expect(stdout).toContain(': OK\n')
    expect((await run('stop-demo.ts')).stdout).toContain('is stopped')
    await expect(fetch(`${url}/ready`)).rejects.toThrow('fetch failed')
    expect((await run('stop-demo.ts')).stdout).toContain('No service')
    expect(await readFile(join(folder, 'service.log'), 'utf8')).not.toContain('"level":50')
  } finally {
    await run('stop-demo.ts')
    await rm(folder, { recursive: true, force: true })
  }
})
