import { setTimeout as sleep } from 'node:timers/promises'
import { CatalogError } from '../../../core/errors.ts'
import { ProblemError } from '../../../problem/problems.ts'
import { readPieces } from '../dump-digest.ts'
import type { DumpTarget } from '../dump-key.ts'
import { DumpProgress } from '../dump-progress.ts'
import { type DumpIndex, findPiecesInRange } from '../format/dump-index.ts'
import { type DumpCall, type DumpResource, type DumpService, pinnedPath } from './dump-resource.ts'

/** Bytes whose first chunks were read: a failure to read any has been thrown already. */
export type OpenedBytes = AsyncIterable<Uint8Array>

export const RETRY_AFTER_SECONDS = 2

/** Enough to reach beyond a header line or a magic number, to the first rows. */
const HELD_BYTES = 32 * 1024

/**
 * Waits for the first bytes, so that a failure to read is still a problem document. `waitMs`: how
 * long to wait for more once there are some.
 */
async function openChunks(
  chunks: AsyncIterable<Uint8Array>,
  waitMs?: number,
): Promise<OpenedBytes> {
  const iterator = chunks[Symbol.asyncIterator]()
  const held: Uint8Array[] = []
  const late = waitMs === undefined ? undefined : sleep(waitMs)
  let next: Promise<IteratorResult<Uint8Array>> | undefined = iterator.next()
  for (let bytes = 0; next !== undefined; ) {
    const isWaiting = held.length > 0 && late !== undefined
    const result = await (isWaiting ? Promise.race([next, late]) : next)
    if (result === undefined || result.done === true) break
    bytes += result.value.byteLength
    const isEnough = bytes >= HELD_BYTES
    // The buffer is reused for the next chunk.
    held.push(isEnough ? result.value : new Uint8Array(result.value))
    next = isEnough ? undefined : iterator.next()
  }
  next?.catch(() => undefined)
  return goOn(held, next, iterator)
}

async function* goOn(
  held: Uint8Array[],
  next: Promise<IteratorResult<Uint8Array>> | undefined,
  iterator: AsyncIterator<Uint8Array>,
): OpenedBytes {
  try {
    for (let chunk = held.shift(); chunk !== undefined; chunk = held.shift()) yield chunk
    let result = await (next ?? iterator.next())
    for (; result.done !== true; result = await iterator.next()) yield result.value
  } finally {
    await iterator.return?.()
  }
}

/** The dump, which is started if need be; for a page of another site, only a finished one. */
export async function openDump(
  { dumps }: DumpService,
  call: DumpCall,
  target: DumpTarget,
): Promise<DumpIndex | DumpProgress> {
  try {
    call.requireOwnSite()
  } catch (refusal) {
    const index = await dumps.find(target)
    if (index === undefined) throw refusal
    return index
  }
  return dumps.open(target)
}

/** Throws `data-file-changed` if a data file that has part of the range was replaced. */
export async function openRange(
  { objects, streams, watch }: DumpService,
  { closed }: DumpCall,
  index: DumpIndex,
  range: { readonly start: number; readonly end: number },
): Promise<OpenedBytes> {
  const slices = findPiecesInRange(index, range)
  await watch.requireUnchanged(index, new Set(slices.map(({ location }) => location)))
  const bytes = Math.min(streams.limits.chunkBytes, range.end - range.start)
  const buffer = Buffer.allocUnsafeSlow(bytes)
  const chunks = (async function* () {
    for (const slice of slices) {
      yield* readPieces(objects, [slice], closed, buffer)
      // A file that was replaced meanwhile ends the connection before the response is whole.
      await watch.requireUnchangedSince(index, slice.location)
    }
  })()
  return openChunks(chunks)
}

/** The bytes of a dump in the making, as they become ready. */
export function openProgress(
  { objects, streams: { limits } }: DumpService,
  { closed }: DumpCall,
  progress: DumpProgress,
): Promise<OpenedBytes> {
  const buffer = Buffer.allocUnsafeSlow(limits.chunkBytes)
  const chunks = (async function* () {
    for await (const piece of untilClosed(progress.follow(), closed)) {
      yield* readPieces(objects, [piece], closed, buffer)
    }
  })()
  return openChunks(chunks, limits.firstRowsMs)
}

/** The items until the signal aborts, even while waiting for the next one. */
async function* untilClosed<Item>(
  items: AsyncIterable<Item>,
  closed: AbortSignal,
): AsyncIterable<Item> {
  const iterator = items[Symbol.asyncIterator]()
  const aborted = rejectionOf(closed)
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted])
      if (next.done === true) return
      yield next.value
    }
  } finally {
    // Not awaited: it takes effect only when the next item comes.
    void Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  const rejection = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  rejection.catch(() => undefined)
  return rejection
}

/**
 * The finished dump; `undefined` if it takes longer. Throws its failure, or the signal's reason.
 */
export async function waitForIndex(
  opened: DumpIndex | DumpProgress,
  waitMs: number,
  closed: AbortSignal,
): Promise<DumpIndex | undefined> {
  if (!(opened instanceof DumpProgress)) return opened
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), waitMs)
  })
  try {
    return await Promise.race([opened.done, late, rejectionOf(closed)])
  } finally {
    clearTimeout(timer)
  }
}

/** The dump takes longer than a client should be kept waiting. */
export function notReady(target: DumpTarget): ProblemError {
  return new ProblemError(
    'dump-not-ready',
    'the dump is being made: try again soon, or leave out Range to start receiving now',
    {
      facts: {
        statusUrl: pinnedPath(target, '/status'),
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      },
    },
  )
}

/** Forgets the dump if a file of it has vanished, so that it is made again; returns whether so. */
export async function forgetIfVanished(
  { dumps }: DumpService,
  { request }: DumpCall,
  { target }: DumpResource,
  error: unknown,
): Promise<boolean> {
  if (!(error instanceof CatalogError && error.code === 'file-not-found')) return false
  request.log.warn({ err: error }, 'a file of a dump has vanished; the dump will be made again')
  await dumps.forget(target)
  return true
}
