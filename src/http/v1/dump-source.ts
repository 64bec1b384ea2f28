import { CatalogError } from '../../core/errors.ts'
import { type DumpIndex, findPiecesInRange } from '../../formats/dump/dump-index.ts'
import { readPieces } from '../../services/dump/dump-digest.ts'
import { DumpProgress } from '../../services/dump/dump-progress.ts'
import type { DumpCall, DumpResource } from './dump-resource.ts'

/** Bytes whose first chunk is there: from here on only the disk or the network can fail. */
export type OpenedBytes = AsyncIterable<Uint8Array>

/** Waits for the first chunk, so that what cannot be read at all is still a problem document. */
export async function openChunks(chunks: AsyncIterable<Uint8Array>): Promise<OpenedBytes> {
  const iterator = chunks[Symbol.asyncIterator]()
  const first = await iterator.next()
  return (async function* () {
    try {
      for (let next = first; next.done !== true; next = await iterator.next()) yield next.value
    } finally {
      await iterator.return?.()
    }
  })()
}

export function openRange(
  { deps, closed }: DumpCall,
  index: DumpIndex,
  range: { readonly start: number; readonly end: number },
): Promise<OpenedBytes> {
  return openChunks(readPieces(deps.objects, findPiecesInRange(index, range), closed))
}

/** The bytes of a dump that is being made, as they come. */
export function openProgress(
  { deps, closed }: DumpCall,
  progress: DumpProgress,
): Promise<OpenedBytes> {
  return openChunks(
    (async function* () {
      for await (const piece of untilClosed(progress.follow(), closed)) {
        yield* readPieces(deps.objects, [piece], closed)
      }
    })(),
  )
}

/** Ends with the signal, also while the next item is not there yet. */
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
    // Not waited for: it takes effect when the next item comes.
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

/** The finished dump, `undefined` when that takes longer, its failure, or the signal's reason. */
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

/** Names what is wrong to the client, and lets the dump be made again when a part of it has vanished. */
export async function forgetIfVanished(
  { deps, request }: DumpCall,
  { target }: DumpResource,
  error: unknown,
): Promise<boolean> {
  if (!(error instanceof CatalogError && error.code === 'file-not-found')) return false
  request.log.warn({ err: error }, 'a file of a dump has vanished; the dump is forgotten')
  await deps.dumps.forget(target)
  return true
}
