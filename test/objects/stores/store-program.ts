import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const STORES = join(import.meta.dirname, '../../../.stores/bin')

/** A server as `make stores` installs it, or as it is found on the PATH. */
export function findStoreProgram(name: string): string | undefined {
  const folders = [STORES, ...(process.env['PATH'] ?? '').split(delimiter)]
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

/** Why a server cannot be had, for the name of a skipped test; `undefined` when it can. */
export function whyNoStore(name: string): string | undefined {
  return findStoreProgram(name) === undefined ? `no ${name}: run "make stores"` : undefined
}

export async function killStore(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}
