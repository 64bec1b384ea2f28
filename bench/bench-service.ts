import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { build, builtPath } from './build.ts'

export interface BenchService {
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
}

/** The built service as a process of its own, with its embedded defaults. */
export function startBenchService(
  home: string,
  environment: Record<string, string> = {},
): Promise<BenchService> {
  return startProgram('src/main.ts', {
    MORAINE_HOME: home,
    MORAINE_PORT: '0',
    ...environment,
  })
}

/**
 * Runs a program that prints a JSON line with its `url`: the service, or a `*-main.ts` of this
 * folder. With BENCH_PROFILE=<folder> it leaves its processor profile there when it stops, for
 * Chrome's developer tools.
 */
export function startProgram(
  path: string,
  environment: Record<string, string> = {},
): Promise<BenchService> {
  const profiles = process.env['BENCH_PROFILE']
  const profiling = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`]
  build()
  return runProgram(builtPath(path), environment, profiling)
}

/** As `startProgram`, for a file that is built already, of this checkout or another. */
export async function runProgram(
  path: string,
  environment: Record<string, string>,
  nodeOptions: readonly string[] = [],
): Promise<BenchService> {
  const args = [...nodeOptions, '--enable-source-maps', path]
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  })
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const lines = createInterface({ input: child.stdout })
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${path} ended with ${code}`)))
    lines.on('line', (line) => {
      const found = /"url":"(http:[^"]+)"/.exec(line)?.[1]
      if (found !== undefined) resolve(found)
    })
  })
  lines.close()
  child.stdout.resume() // nobody reads its log: that would cost the client time
  return {
    url,
    pid: child.pid ?? 0,
    async stop() {
      process.off('exit', killAtExit)
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
    },
  }
}
