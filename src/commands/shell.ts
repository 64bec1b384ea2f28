import type { Command } from 'commander'
import type { Config, Environment } from '../config.ts'

/** The process as a command sees it. */
export interface Shell {
  /** Reads the environment; throws a `ConfigError` that names the variable. */
  readConfig(): Config
  readonly environment: Environment
  /** Writes a line of the command's result to standard output. */
  print(line: string): void
  /** Resolves with the first signal to end the process; the next one kills it. */
  untilStopped(): Promise<NodeJS.Signals>
}

/** Adds one command to the command line. */
export type AddCommand = (program: Command, shell: Shell) => void
