import { lstat, readdir, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CatalogError } from '../core/errors.ts'

/** A fast disk takes some hundred megabytes in that time. */
const LOOK_MS = 250
/** However small a disk is, most of it can be used. */
const RESERVED_PART = 1 / 20

/** How much of the disk of a folder conversions leave free. */
export async function reserveOn(folder: string, bytesMax: number): Promise<number> {
  const { blocks, bsize } = await statfs(folder)
  return Math.min(bytesMax, Math.floor(blocks * bsize * RESERVED_PART))
}

export interface JobWatchOptions {
  /** The job's own folder. */
  readonly folder: string
  /** The job is stopped where fewer bytes are free on the disk of its folder. */
  readonly freeBytesMin: number
  /** Told from time to time how many bytes the job has in its folder. */
  readonly onWrite?: ((bytes: number) => unknown) | undefined
  /** Stops the job. */
  stop(reason: CatalogError): void
}

/** Looks at what a job writes, until the returned function is called. */
export function watchJob(options: JobWatchOptions): () => void {
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const watched: JobWatchOptions = {
    ...options,
    onWrite: options.onWrite && ((bytes) => isOver || options.onWrite?.(bytes)),
  }
  const again = () => {
    if (isOver) return
    timer = setTimeout(() => void look(watched).catch(ignore).then(again), LOOK_MS)
    timer.unref()
  }
  again()
  return () => {
    isOver = true
    clearTimeout(timer)
  }
}

/** The folder goes when its job ends. */
function ignore(): void {}

async function look({ folder, freeBytesMin, onWrite, stop }: JobWatchOptions): Promise<void> {
  if (freeBytesMin > 0) {
    // Not every job has made its own.
    const { bavail, bsize } = await statfs(dirname(folder))
    if (bavail * bsize < freeBytesMin) stop(nearlyFull(bavail * bsize, freeBytesMin))
  }
  if (onWrite !== undefined) onWrite(await bytesIn(folder))
}

function nearlyFull(freeBytes: number, reservedBytes: number): CatalogError {
  const shown = (bytes: number) => `${Math.floor(bytes / 1e6)} MB`
  return new CatalogError(
    'storage-full',
    `the disk is nearly full: conversions leave ${shown(reservedBytes)} of it to commits, and ` +
      `${shown(freeBytes)} are free. Free some space, or let MORAINE_DISK_RESERVE be less`,
    { facts: { freeBytes, reservedBytes } },
  )
}

/** Links are the files that a job reads. */
async function bytesIn(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += (await lstat(join(entry.parentPath, entry.name))).size
  }
  return bytes
}
