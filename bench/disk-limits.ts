/** The most that the disk and the memory of this machine can do: the limits beside the figures. */
import {
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const BLOCK = Buffer.alloc(4096, 1)
const ROUNDS = 300
const COPIED_BYTES = 256 * 1024 * 1024
const STREAM_BYTES = 256 * 1024 * 1024
const CHUNK_BYTES = 1024 * 1024

/**
 * How often this disk can sync in a second: nothing durable is faster, except by sharing a sync.
 */
export function fdatasyncsPerSecond(): number {
  return inFolder((folder) => {
    const file = openSync(join(folder, 'x'), 'w')
    const seconds = timed(() => {
      for (let i = 0; i < ROUNDS; i++) {
        writeSync(file, BLOCK)
        fdatasyncSync(file)
      }
    })
    closeSync(file)
    return Math.round(ROUNDS / seconds)
  })
}

/**
 * Small files created, written and synced per second, this many at once, in Node's four threads.
 */
export async function durableFilesPerSecond(atOnce: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'moraine-limits-'))
  let made = 0
  const makeFiles = async () => {
    while (made < ROUNDS) {
      const file = await open(join(folder, String(made++)), 'wx')
      await file.write(BLOCK)
      await file.datasync()
      await file.close()
    }
  }
  const begin = performance.now()
  await Promise.all(Array.from({ length: atOnce }, makeFiles))
  const seconds = (performance.now() - begin) / 1000
  rmSync(folder, { recursive: true })
  return Math.round(made / seconds)
}

/**
 * Memory bandwidth of one core, which reads and writes: bytes copied, counted once. Best of three.
 */
export function memoryCopyMegabytesPerSecond(): number {
  const from = Buffer.alloc(COPIED_BYTES, 1)
  const to = Buffer.alloc(COPIED_BYTES)
  const seconds = [1, 2, 3].map(() => timed(() => from.copy(to)))
  return Math.round(COPIED_BYTES / 1e6 / Math.min(...seconds))
}

export interface DiskMegabytesPerSecond {
  /** Synced at the end. */
  readonly written: number
  /** From the page cache: reads what was just written. */
  readonly readCached: number
}

export function diskMegabytesPerSecond(): DiskMegabytesPerSecond {
  return inFolder((folder) => {
    const file = openSync(join(folder, 'x'), 'w+')
    const chunk = Buffer.alloc(CHUNK_BYTES, 1)
    const written = timed(() => {
      for (let at = 0; at < STREAM_BYTES; at += CHUNK_BYTES) writeSync(file, chunk)
      fdatasyncSync(file)
    })
    const readCached = timed(() => {
      for (let at = 0; at < STREAM_BYTES; at += CHUNK_BYTES) {
        readSync(file, chunk, 0, CHUNK_BYTES, at)
      }
    })
    closeSync(file)
    const speed = (seconds: number) => Math.round(STREAM_BYTES / 1e6 / seconds)
    return { written: speed(written), readCached: speed(readCached) }
  })
}

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'moraine-limits-'))
  try {
    return work(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function timed(work: () => void): number {
  const begin = performance.now()
  work()
  return (performance.now() - begin) / 1000
}
