import { basename, relative } from 'node:path'
import type { Environment } from '../config.ts'
import { startedBy } from '../core/own-command.ts'

const PLAIN = /^[\w@%+=:,./-]+$/

/**
 * The words by which a person starts this program: a link to it in PATH, npm's script (as in
 * `npm start -- rebuild`), or Node with the path of its file as seen from the working folder.
 */
export function ownProgram(
  file: string,
  { environment, folder }: { readonly environment: Environment; readonly folder: string },
): string {
  if (basename(file) === 'moraine') return 'moraine'
  const isScript = environment['npm_package_name'] === 'moraine'
  if (isScript && environment['npm_lifecycle_event'] === 'start') return 'npm start --'
  const near = relative(folder, file)
  const path = near.startsWith('..') ? file : near
  const word = PLAIN.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
  return file.endsWith('.ts') ? `npx tsx ${word}` : `node ${word}`
}

/** Finds out how this process was started, for all its messages; returns the words. */
export function nameProgram(): string {
  const program = ownProgram(process.argv[1] ?? '', {
    environment: process.env,
    folder: process.cwd(),
  })
  startedBy(program)
  return program
}
