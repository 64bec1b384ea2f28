import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { mustRun } from './command.ts'
import { INTEROP, RESULTS } from './places.ts'

const INSTALL_TIMEOUT_MS = 5 * 60 * 1000

/**
 * Headers that native modules are compiled against, where they are not the newest. With the headers
 * of 24.19 and later, each statement of better-sqlite3 12 that is collected outside of JavaScript
 * ends the process (nodejs/node#65446); compiled against earlier ones it runs on all of 24.
 */
const HEADERS: Readonly<Record<number, string>> = { 24: '24.18.1' }

/** A Node besides the machine's own. */
export interface NodeVersion {
  /** As in `v24.21.0`. */
  readonly version: string
  readonly program: string
  /**
   * Environment for npm and what it starts: this Node comes first, native modules are compiled for
   * it.
   */
  readonly environment: Readonly<Record<string, string>>
}

/** The newest Node of a major version, from its npm package; installed once. */
export async function installNode(major: number): Promise<NodeVersion> {
  const home = await installPackage(String(major))
  const headers = HEADERS[major] === undefined ? home : await installPackage(HEADERS[major])
  const program = join(home, 'bin', 'node')
  return {
    version: execFileSync(program, ['--version'], { encoding: 'utf8' }).trim(),
    program,
    environment: {
      PATH: [join(home, 'bin'), process.env['PATH']].join(delimiter),
      npm_config_nodedir: headers, // node-gyp needs no download
    },
  }
}

async function installPackage(version: string): Promise<string> {
  const folder = join(INTEROP, '.node', version)
  const name = `node-${process.platform}-${process.arch}`
  const home = join(folder, 'node_modules', name)
  if (existsSync(join(home, 'bin', 'node'))) return home
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n')
  const log = join(RESULTS, `node-${version}-install.log`)
  const args = ['install', '--no-package-lock', `${name}@${version}`]
  const npm = { program: 'npm', args, cwd: folder, log, timeoutMs: INSTALL_TIMEOUT_MS }
  await mustRun('npm install', npm)
  return home
}
