import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mustRun } from './command.ts'
import { runJest } from './jest-report.ts'
import type { TestResult } from './junit-report.ts'
import { installNode, type NodeVersion } from './node-version.ts'
import { RESULTS, ROOT } from './places.ts'
import type { Suite } from './suite.ts'

const INSTALL_TIMEOUT_MS = 10 * 60 * 1000
const RUN_TIMEOUT_MS = 40 * 60 * 1000

/** Our own tests on a Node other than the machine's: a result for each test file. */
export function nodeSuite(major: number): Suite {
  let node: NodeVersion | undefined
  return {
    name: `Node ${major}`,
    findObstacle: () =>
      process.env['INTEROP_ALL'] === '1' ? undefined : 'takes long; `make interop-all` runs it',
    install: async () => {
      node = await installNode(major)
    },
    run: async () => {
      if (node === undefined) throw new Error('not installed')
      console.log(node.version)
      const tiers = ['rules', 'lake', 'service']
      return runTiers(node, { tiers, label: `node-${major}` })
    },
  }
}

async function runTiers(
  node: NodeVersion,
  { tiers, label }: { readonly tiers: readonly string[]; readonly label: string },
): Promise<TestResult[]> {
  const place = realpathSync(mkdtempSync(join(tmpdir(), `moraine-${label}-`)))
  // Some tests run as a user without rights, who must be able to read the project.
  chmodSync(place, 0o755)
  try {
    const folder = copyProject(place)
    const { environment } = node
    const log = join(RESULTS, `${label}-npm-ci.log`)
    const npm = { program: 'npm', args: ['ci'], cwd: folder, log, environment }
    await mustRun('npm ci', { ...npm, timeoutMs: INSTALL_TIMEOUT_MS })
    return await runJest({ label, folder, tiers, timeoutMs: RUN_TIMEOUT_MS, environment })
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

/** Files that git knows, and the real data that some tests read. */
function copyProject(place: string): string {
  const project = join(place, 'project')
  mkdirSync(project)
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const files = execFileSync('git', list, { cwd: ROOT, encoding: 'utf8' }).split('\0')
  for (const file of files) {
    if (file === '' || file === 'node_modules' || !existsSync(join(ROOT, file))) continue
    cpSync(join(ROOT, file), join(project, file), { recursive: true })
  }
  const data = join(ROOT, '..', 'shared')
  if (existsSync(data)) symlinkSync(realpathSync(data), join(place, 'shared'))
  return project
}
