import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { CatalogError } from '../../../core/errors.ts'
import { keptFolder, OUTPUT_NAME } from '../../protocol.ts'
import { lockedInstance, type SessionTrust } from './session.ts'

/** To make a DuckDB takes longer than most small queries: this many stay for the next ones. */
const KEPT_MAX = 3
const RECURSIVELY = { recursive: true, force: true }

interface KeptOptions {
  readonly memoryBytes: number
  readonly trust: SessionTrust
  /** Folders of which every file may be read, and, of the first, be written. */
  readonly directories: readonly string[]
  /** Other files that may be read. */
  readonly paths: readonly string[]
}

interface Kept {
  /** Everything that it was locked with. */
  readonly key: string
  readonly instance: DuckDBInstance
}

/** The one that was used last is the last. */
const kept: Kept[] = []

/**
 * As `withSession`, in a DuckDB that others have used whose options are the very same, with a
 * connection of its own: tables, views, macros and variables of other connections are not there,
 * and settings are locked. It never spills: what takes more memory fails.
 */
export async function withKeptSession<T>(
  options: KeptOptions,
  use: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const { instance, key } = await take(options)
  let isSound = false
  try {
    const connection = await instance.connect()
    try {
      const result = await use(connection)
      isSound = true
      return result
    } catch (error) {
      // What is of the caller's making leaves a DuckDB as it was.
      isSound = error instanceof CatalogError
      throw error
    } finally {
      connection.closeSync()
    }
  } finally {
    if (isSound) keep({ instance, key })
    else instance.closeSync()
  }
}

async function take({ directories, paths, ...options }: KeptOptions): Promise<Kept> {
  const [folders, files] = [directories.toSorted(), paths.toSorted()]
  const key = JSON.stringify([options.trust, options.memoryBytes, folders, files])
  const index = kept.findIndex((each) => each.key === key)
  const [found] = index < 0 ? [] : kept.splice(index, 1)
  if (found !== undefined) return found
  const locks = { ...options, directories: folders, paths: files, temporaryFolder: '' }
  return { key, instance: await lockedInstance(locks) }
}

function keep(session: Kept): void {
  kept.push(session)
  if (kept.length > KEPT_MAX) kept.shift()?.instance.closeSync()
}

/**
 * Does the work in a folder that has the same name for each task of this child, as sessions that
 * are kept need it, and moves its output, if it is a file, to that of the task.
 */
export async function inKeptFolder<T>(
  taskFolder: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = keptFolder(dirname(taskFolder), process.pid)
  enterFolder(folder)
  try {
    const result = await work(folder)
    if (existsSync(OUTPUT_NAME)) {
      makeFolder(taskFolder)
      renameSync(OUTPUT_NAME, join(taskFolder, OUTPUT_NAME))
    }
    return result
  } finally {
    empty(folder)
  }
}

/**
 * The folder stays: to remove it and make it again takes longer than all else that a task does to
 * it. A sweep of another container may have taken it.
 */
function empty(folder: string): void {
  if (!existsSync(folder)) return
  for (const name of readdirSync(folder)) rmSync(join(folder, name), RECURSIVELY)
}

/** Goes to the folder of a task, which is made now. All names in SQL are relative to it. */
export function enterFolder(folder: string): void {
  makeFolder(folder)
  process.chdir(folder)
}

/** Recursive: a sweep of another container, which sees no process of ours, may have taken it. */
function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
}
