import { open, rm } from 'node:fs/promises'
import { CatalogError } from '../../core/errors.ts'
import { translateError } from './local-error.ts'

const WHAT = 'a temporary file'

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
    await rm(path, { force: true })
    throw error
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
