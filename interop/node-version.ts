import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { runCommand } from './command.ts'
import { INTEROP, RESULTS } from './places.ts'

const INSTALL_TIMEOUT_MS = 5 * 60 * 1000

/** A Node beside the machine's own. */
export interface NodeVersion {
  /** As in `v24.21.0`. */
  readonly version: string
  readonly program: string
  /** For npm and what it starts: this Node comes first, native modules are compiled for it. */
  readonly environment: Readonly<Record<string, string>>
}

/** The newest Node of a major version, from the package that npm itself offers it in; installed once. */
export async function installNode(major: number): Promise<NodeVersion> {
  const folder = join(INTEROP, '.node', String(major))
  const name = `node-${process.platform}-${process.arch}`
  const home = join(folder, 'node_modules', name)
  const program = join(home, 'bin', 'node')
  if (!existsSync(program)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{"private":true}\n')
    const log = join(RESULTS, `node-${major}-install.log`)
    const args = ['install', '--no-package-lock', `${name}@${major}`]
    const timeoutMs = INSTALL_TIMEOUT_MS
    const code = await runCommand({ program: 'npm', args, cwd: folder, log, timeoutMs })
    if (code !== 0) throw new Error(`npm install ended with ${code}:\n${readFileSync(log, 'utf8')}`)
  }
  return {
    version: execFileSync(program, ['--version'], { encoding: 'utf8' }).trim(),
    program,
    environment: {
      PATH: [join(home, 'bin'), process.env['PATH']].join(delimiter),
      npm_config_nodedir: home, // headers lie beside it: node-gyp needs no download
    },
  }
}
