import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasTool, mustRun } from './command.ts'
import { INTEROP, RESULTS } from './places.ts'

const INSTALL_TIMEOUT_MS = 15 * 60 * 1000
const JDK_MAJOR_MIN = 17

/** Copies the jars of `<folder>/pom.xml` to `<folder>/lib`; again when the pom has changed. */
export async function installJars(folder: string): Promise<void> {
  const cwd = join(INTEROP, folder)
  const lib = join(cwd, 'lib')
  const stamp = join(lib, 'installed-pom.xml')
  const wanted = readFileSync(join(cwd, 'pom.xml'), 'utf8')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  rmSync(lib, { recursive: true, force: true })
  const log = join(RESULTS, `${folder.replaceAll('/', '-')}-maven.log`)
  const args = ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib']
  await mustRun('mvn', { program: 'mvn', args, cwd, log, timeoutMs: INSTALL_TIMEOUT_MS })
  writeFileSync(stamp, wanted)
}

export function findMavenObstacle(): string | undefined {
  const { stdout } = spawnSync('javac', ['-version'], { encoding: 'utf8', timeout: 30_000 })
  const major = Number(/^javac (\d+)/.exec(stdout ?? '')?.[1] ?? 0)
  if (major < JDK_MAJOR_MIN) return `a JDK of version ${JDK_MAJOR_MIN} or later is not installed`
  return hasTool('mvn', '-v') ? undefined : 'Maven is not installed'
}
