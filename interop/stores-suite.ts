import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasTool, runCommand } from './command.ts'
import { runJest } from './jest-report.ts'
import { RESULTS, ROOT } from './places.ts'
import type { Suite } from './suite.ts'

const TIMEOUT_MS = 20 * 60 * 1000

/** The tests of buckets on every server of them, of which CI has one. */
export const storesSuite: Suite = {
  name: 'Bucket stores',
  findObstacle: () => {
    if (process.env['INTEROP_ALL'] !== '1') return 'builds servers; `make interop-all` runs it'
    return hasTool('go', 'version') ? undefined : 'go is not installed'
  },
  install: async () => {
    const log = join(RESULTS, 'stores-install.log')
    const make = { program: 'make', args: ['stores-all'], cwd: ROOT, log, timeoutMs: TIMEOUT_MS }
    const code = await runCommand(make)
    if (code !== 0) throw new Error(`make stores-all ended with ${code}:\n${readFileSync(log)}`)
  },
  run: () =>
    runJest({
      label: 'stores',
      folder: ROOT.replace(/\/$/, ''),
      tiers: ['lake', 'service'],
      files: ['test/objects/s3/', 'test/objects/gcs/', 'bucket-warehouse'],
      timeoutMs: TIMEOUT_MS,
    }),
}
