import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface BenchService {
  readonly url: string
  stop(): Promise<void>
}

/** The service as a process of its own, with its embedded defaults. */
export async function startBenchService(
  home: string,
  environment: Record<string, string> = {},
): Promise<BenchService> {
  const main = new URL('../src/main.ts', import.meta.url).pathname
  const child = spawn(process.execPath, ['--import', 'tsx', main], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, MORAINE_HOME: home, MORAINE_PORT: '0', ...environment },
  })
  const lines = createInterface({ input: child.stdout })
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the service ended with ${code}`)))
    lines.on('line', (line) => {
      const found = /"url":"(http:[^"]+)"/.exec(line)?.[1]
      if (found !== undefined) resolve(found)
    })
  })
  return {
    url,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
    },
  }
}
