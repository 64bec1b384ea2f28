import { createReadStream } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { CatalogError } from '../../core/errors.ts'
import type { OpenFile, ScratchFile } from '../../core/open-file.ts'
import { errorCodeOf, translateError } from './local-error.ts'

const WHAT = 'a temporary file'
const CHUNK_BYTES = 512 * 1024
/** What a reader may hold for as long as it likes. */
const HELD_BYTES = 64 * 1024

/**
 * Writes a new file in constant memory. If the chunks throw, or exceed `bytesMax`
 * (`body-too-large`), nothing remains.
 */
export async function writeLocalFile(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  { bytesMax }: { readonly bytesMax: number },
): Promise<void> {
  const handle = await open(path, 'wx', 0o600).catch(translated)
  let sizeBytes = 0
  try {
    for await (const chunk of chunks) {
      sizeBytes += chunk.byteLength
      if (sizeBytes > bytesMax) throw tooLarge(bytesMax)
      for (let at = 0; at < chunk.byteLength; ) {
        at += (await handle.write(chunk, at).catch(translated)).bytesWritten
      }
    }
    await handle.close()
  } catch (error) {
    await handle.close().catch(() => undefined)
    await removeLocalFile(path)
    throw error
  }
}

/**
 * Reads a file from its beginning. It is opened at the first chunk: a stream that waits to be read
 * would emit its failures, which end the process, and stay open when nobody comes.
 */
export async function* readLocalFile(path: string): AsyncGenerator<Uint8Array> {
  yield* createReadStream(path, { highWaterMark: CHUNK_BYTES })
}

/** No error when nothing is there. Costs a third of `rm`, which looks at a file twice before. */
export async function removeLocalFile(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (errorCodeOf(error) !== 'ENOENT') throw error
  }
}

/** The caller closes it. */
export async function openLocalFile(path: string): Promise<OpenFile> {
  const handle = await open(path)
  const { size: sizeBytes } = await handle.stat()
  const options = { start: 0, autoClose: false, highWaterMark: HELD_BYTES }
  return {
    sizeBytes,
    chunks: () => handle.createReadStream(options),
    close: () => handle.close(),
  }
}

/** A new file, whose name is gone at once. The caller closes it. */
export async function openScratchFile(path: string): Promise<ScratchFile> {
  const handle = await open(path, 'wx+', 0o600).catch(translated)
  await unlink(path)
  let sizeBytes = 0
  return {
    get sizeBytes() {
      return sizeBytes
    },
    append: async (chunk) => {
      for (let at = 0; at < chunk.byteLength; ) {
        const left = chunk.byteLength - at
        const written = await handle.write(chunk, at, left, sizeBytes).catch(translated)
        at += written.bytesWritten
        sizeBytes += written.bytesWritten
      }
    },
    chunks: () =>
      handle.createReadStream({ start: 0, autoClose: false, highWaterMark: HELD_BYTES }),
    close: () => handle.close(),
  }
}

/** Hides the path on the service's own disk from the caller. */
function translated(error: unknown): never {
  throw translateError(error, 'write', WHAT)
}

function tooLarge(bytesMax: number): CatalogError {
  return new CatalogError('body-too-large', `the body can have at most ${bytesMax} bytes`, {
    facts: { bytesMax },
  })
}
