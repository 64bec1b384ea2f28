import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, mkdir, readdir, rm, rmdir, stat, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { CatalogError } from '../core/errors.ts'
import { OUTPUT_NAME } from './protocol.ts'

const PREFIX = 'engine-'
const FOLDER_PATTERN = /^engine-(\d{1,10})-[0-9a-f-]{36}$/

/** How often a living process shows that it uses its folder. */
const BEAT_MS = 10_000
/** How long a process that does not show it, such as one that is stopped, is told by its number. */
const NUMBER_MS = 24 * 3_600_000

/** Names of folders that this process has made. */
const OWN = new Set<string>()

/**
 * Creates a folder of this process for the folders of its jobs, and shows that it is used for as
 * long as it is there and the process lives.
 */
export async function openEngineFolder(
  temporaryFolder: string,
  { beatMs = BEAT_MS }: { readonly beatMs?: number } = {},
): Promise<string> {
  const name = `${PREFIX}${process.pid}-${randomUUID()}`
  OWN.add(name)
  const folder = join(temporaryFolder, name)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const beat = setInterval(() => {
    const now = new Date()
    utimes(folder, now, now).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) clearInterval(beat)
    })
  }, beatMs)
  beat.unref()
  return folder
}

/**
 * Removes folders of engines whose processes have ended: in which nothing has changed for `idleMs`,
 * which is longer than `BEAT_MS`. A number tells processes apart only within a container: another's
 * may have ours, or none that is known here. So it proves life alone, and only for a day: by then
 * it may be that of any other process.
 */
export async function sweepEngineFolders(temporaryFolder: string, idleMs: number): Promise<void> {
  for (const name of await readdir(temporaryFolder)) {
    const pid = Number(FOLDER_PATTERN.exec(name)?.[1])
    if (Number.isNaN(pid) || OWN.has(name)) continue
    const folder = join(temporaryFolder, name)
    // Others sweep at the same time.
    const changedAtMs = (await stat(folder).catch(() => undefined))?.mtimeMs
    if (changedAtMs === undefined) continue
    const ageMs = Date.now() - changedAtMs
    if (ageMs <= idleMs || (pid !== process.pid && isRunning(pid) && ageMs <= NUMBER_MS)) continue
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * Runs `use` with a new name of a folder. What has that name afterwards is removed, unless `use`
 * says that nothing has.
 */
export async function withJobFolder<T>(
  engineFolder: string,
  use: (folder: string, wasNotMade: () => void) => Promise<T>,
): Promise<T> {
  const folder = join(engineFolder, randomUUID())
  let isThere = true
  try {
    return await use(folder, () => {
      isThere = false
    })
  } finally {
    if (isThere) await removeJobFolder(folder)
  }
}

/** What most jobs leave is their one output: `rm` would look at everything several times. */
async function removeJobFolder(folder: string): Promise<void> {
  try {
    await unlink(join(folder, OUTPUT_NAME))
    await rmdir(folder)
  } catch {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Gives a finished file its name, unless the name is taken. */
export async function publishFile(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (!isErrno(error, 'EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK')) throw publicationFailure(error, to)
    await copyAcross(from, to)
  }
}

async function copyAcross(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL)
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) await rm(to, { force: true })
    throw publicationFailure(error, to)
  }
}

function publicationFailure(error: unknown, to: string): Error {
  if (isErrno(error, 'ENOSPC', 'EDQUOT')) {
    return new CatalogError('storage-full', 'The disk is full.', { cause: error })
  }
  return new Error(`name the output ${to}`, { cause: error })
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !isErrno(error, 'ESRCH')
  }
}

function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  const isCoded = typeof error === 'object' && error !== null && 'code' in error
  return isCoded && codes.includes(String(error.code))
}
