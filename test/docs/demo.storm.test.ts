import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from '../free-port.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TSX = join(ROOT, 'node_modules/.bin/tsx')
/** Less than the test may take: else its commands run on, and Jest waits for them. */
const COMMAND_TIMEOUT_MS = 150_000
const TIMEOUT_MS = 4 * COMMAND_TIMEOUT_MS

/** An empty folder is where `/proc` is, for the command and what it leaves running. */
const HIDING = ['-rm', 'sh', '-c', 'mount -t tmpfs tmpfs /proc && exec "$0" "$@"']
const canHide = spawnSync('unshare', [...HIDING, 'true']).status === 0
const withoutProc = canHide ? 'without /proc' : 'without /proc (skipped: unshare cannot hide it)'

describe.each([
  ['as anywhere', [], test],
  [withoutProc, ['unshare', ...HIDING], canHide ? test : test.skip],
] as const)('%s', (_where, wrapper, testHere) => {
  testHere(
    'the demo says what it does, shows what commands print, and can be stopped',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'moraine-demo-'))
      const port = await freePort()
      const [program, ...args] = [...wrapper, TSX] as const
      const run = (script: string) =>
        promisify(execFile)(program, [...args, `scripts/${script}`], {
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
    },
    TIMEOUT_MS,
  )
})
