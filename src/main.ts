#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'
import { Command } from 'commander'
import { addBackup } from './commands/backup-command.ts'
import { addCreateAdminKey } from './commands/create-admin-key-command.ts'
import { nameProgram } from './commands/own-program.ts'
import { addRebuild } from './commands/rebuild-command.ts'
import { addRestore } from './commands/restore-command.ts'
import { addServe } from './commands/serve-command.ts'
import type { AddCommand, Shell } from './commands/shell.ts'
import { addVerifyAudit } from './commands/verify-audit-command.ts'
import { ConfigError, readConfig } from './config.ts'
import { VERSION } from './version.ts'

const COMMANDS: readonly AddCommand[] = [
  addServe,
  addBackup,
  addRestore,
  addRebuild,
  addCreateAdminKey,
  addVerifyAudit,
]
const DEFAULT_COMMAND = 'serve'
/** How long open handles may keep the process alive after a command has ended. */
const LINGER_MS_MAX = 3_000
/**
 * How far the heap may grow from one full collection to the next, in percent. V8 chooses less than
 * 10 where a service allocates slowly, as dumps do: it then collects every 4 MB.
 */
const HEAP_GROWTH_PERCENT = 100
const ENVIRONMENT_HELP = `
All settings are environment variables such as MORAINE_HOME and MORAINE_PORT; README.md lists them.
`

const shell: Shell = {
  environment: process.env,
  readConfig: () => readConfig(process.env),
  print: (line) => say(process.stdout, `${line}\n`),
  untilStopped: () =>
    new Promise((resolve) => {
      process.once('SIGTERM', resolve)
      process.once('SIGINT', resolve)
    }),
}

/** What nobody can read is lost: unheard, the failure to write it would end the process. */
function say(stream: NodeJS.WriteStream, text: string): void {
  if (stream.listenerCount('error') === 0) stream.on('error', () => undefined)
  stream.write(text)
}

function newProgram(): Command {
  const name = nameProgram()
  const program = new Command(name)
    .description('A table metastore: Iceberg snapshots, transactions and time travel.')
    .version(VERSION)
    .showHelpAfterError(`(${name} --help lists the commands)`)
    .configureOutput({
      writeOut: (text) => say(process.stdout, text),
      writeErr: (text) => say(process.stderr, text),
    })
    .addHelpText('after', ENVIRONMENT_HELP)
  for (const add of COMMANDS) add(program, shell)
  return program
}

/** Prints one line for errors that an operator can fix, and a stack for all others. */
function report(error: unknown): void {
  const isForeseen = error instanceof ConfigError
  const told =
    error instanceof Error && !isForeseen ? error.stack : String((error as Error).message)
  say(process.stderr, `moraine: ${told}\n`)
  process.exitCode ??= 1
}

process.setSourceMapsEnabled(true)
setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`)
const words = process.argv.slice(2)
try {
  await newProgram().parseAsync(words.length === 0 ? [DEFAULT_COMMAND] : words, { from: 'user' })
} catch (error) {
  report(error)
}
setTimeout(() => process.exit(), LINGER_MS_MAX).unref()
