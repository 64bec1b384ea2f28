import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './machine.ts'

/** Set by `run-all.ts`, which builds once for all benches. */
const BUILT_VARIABLE = 'BENCH_BUILT'
const FOLDER = join(ROOT, 'bench/.build')
/** What the service reads besides its code. */
const BESIDE = ['schemas', 'openapi.yaml', 'package.json']

/**
 * Compiles the service and the programs of the benches, once in a run. Users start compiled code,
 * too, and running the sources through a loader costs a fifth more processor time for each commit.
 */
export function build(): void {
  if (process.env[BUILT_VARIABLE] !== undefined) return
  mkdirSync(FOLDER, { recursive: true })
  for (const name of BESIDE) {
    const link = join(FOLDER, name)
    if (!existsSync(link)) symlinkSync(join(ROOT, name), link)
  }
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', join(ROOT, 'bench')], { stdio: 'inherit' })
  process.env[BUILT_VARIABLE] = '1'
}

/** Path of the compiled program of a source such as `src/main.ts`. */
export function builtPath(source: string): string {
  return join(FOLDER, source.replace(/\.ts$/, '.js'))
}
