import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from './command.ts'
import { failure } from './expected-failures.ts'
import type { TestResult } from './junit-report.ts'
import { installNode, type NodeVersion } from './node-version.ts'
import { RESULTS, ROOT } from './places.ts'
import type { Suite } from './suite.ts'

const INSTALL_TIMEOUT_MS = 10 * 60 * 1000
const RUN_TIMEOUT_MS = 40 * 60 * 1000

/** What Jest's `--json` says of a file. */
interface TestedFile {
  readonly name: string
  readonly status: 'passed' | 'failed' | 'pending'
  readonly message: string
  readonly startTime: number
  readonly endTime: number
}

/** Our own tests on another Node than the machine's: a result for each test file. */
export function nodeSuite(major: number, { always }: { readonly always: boolean }): Suite {
  const isAll = process.env['INTEROP_ALL'] === '1'
  let node: NodeVersion | undefined
  return {
    name: `Node ${major}`,
    findObstacle: () => (always || isAll ? undefined : 'takes long; `make interop-all` runs it'),
    install: async () => {
      node = await installNode(major)
    },
    run: async () => {
      if (node === undefined) throw new Error('not installed')
      console.log(node.version)
      const tiers = isAll ? ['rules', 'lake', 'service'] : ['rules', 'lake']
      return runTiers(node, { tiers, label: `node-${major}` })
    },
  }
}

async function runTiers(
  node: NodeVersion,
  { tiers, label }: { readonly tiers: readonly string[]; readonly label: string },
): Promise<TestResult[]> {
  const place = realpathSync(mkdtempSync(join(tmpdir(), `moraine-${label}-`)))
  try {
    const project = copyProject(place)
    const step = async (name: string, args: readonly string[], timeoutMs: number) => {
      const log = join(RESULTS, `${label}-${name}.log`)
      const environment = { ...node.environment, NODE_OPTIONS: '--experimental-vm-modules' }
      const code = await runCommand({
        ...{ program: args[0] ?? '', args: args.slice(1), cwd: project, log, timeoutMs },
        environment: name === 'jest' ? environment : node.environment,
      })
      return { code, log }
    }
    const installed = await step('npm-ci', ['npm', 'ci'], INSTALL_TIMEOUT_MS)
    if (installed.code !== 0) throw new Error(`npm ci failed: ${installed.log}`)
    const report = join(RESULTS, `${label}-report.json`)
    rmSync(report, { force: true })
    const jest = ['npx', 'jest', '--json', `--outputFile=${report}`, '--selectProjects', ...tiers]
    const { code, log } = await step('jest', jest, RUN_TIMEOUT_MS)
    if (!existsSync(report)) return [failure(label, `no report, ended with ${code}: ${log}`)]
    const { testResults } = JSON.parse(readFileSync(report, 'utf8'))
    return (testResults as TestedFile[]).map((file) => resultOf(file, { project, label }))
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

/** What git knows of, beside the real data that some tests read. */
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

function resultOf(
  { name, status, message, startTime, endTime }: TestedFile,
  { project, label }: { readonly project: string; readonly label: string },
): TestResult {
  return {
    name: `${label}#${name.slice(project.length + 1)}`,
    outcome: status === 'pending' ? 'skipped' : status,
    reason: message.replaceAll(/\s+/g, ' ').slice(0, 300),
    seconds: (endTime - startTime) / 1000,
  }
}
