import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly cwd: string
  /** File that both output streams go to. */
  readonly log: string
  readonly timeoutMs: number
  readonly environment?: Readonly<Record<string, string>>
}

const running = new Set<ChildProcess>()

/** Returns the exit code, or 'timed-out' after ending the whole process group. */
export function runCommand(command: Command): Promise<number | 'timed-out'> {
  const log = openSync(command.log, 'w')
  const child = spawn(command.program, command.args, {
    cwd: command.cwd,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...command.environment },
    detached: true, // a group of its own, so that its children end with it
  })
  running.add(child)
  return new Promise((resolve, reject) => {
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      endGroup(child)
    }, command.timeoutMs)
    const settle = () => {
      clearTimeout(timer)
      closeSync(log)
      running.delete(child)
    }
    child.once('error', (error) => {
      settle()
      reject(error)
    })
    child.once('exit', (code) => {
      settle()
      resolve(timedOut ? 'timed-out' : (code ?? 1))
    })
  })
}

/** Runs a step that all else needs. Throws its name and what it printed unless it ended with 0. */
export async function mustRun(name: string, command: Command): Promise<void> {
  const code = await runCommand(command)
  if (code === 0) return
  throw new Error(`${name} ended with ${code}:\n${readFileSync(command.log, 'utf8')}`)
}

/** For an interrupted run. */
export function endRunningCommands(): void {
  for (const child of running) endGroup(child)
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}

/** Whether the machine has the tool in working order. */
export function hasTool(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore', timeout: 30_000 }).status === 0
}
