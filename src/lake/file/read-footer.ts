import { createHash } from 'node:crypto'
import { CatalogError } from '../../core/errors.ts'
import { FOOTER_TAIL_BYTES } from '../../core/limits.ts'
import { runSteps, runStepsInTurns } from '../../core/steps.ts'
import { Turns } from '../../core/turns.ts'
import {
  type ParquetFooter,
  parseFooterInTurns,
  readFooterBytes,
} from '../../formats/parquet/footer/footer.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import type { SourceIdentity } from './source-identity.ts'

export interface FooterOfFile {
  /** The file's one name; see `ObjectTail`. */
  readonly ownLocation: string
  readonly footer: ParquetFooter
  readonly fileSizeBytes: number
  readonly version: string
  /** As in `ObjectTail`. */
  readonly localPath?: string
  /** Hashes the footer: only those who remember the file ask. */
  identity(): Promise<SourceIdentity>
}

/** Column chunks that are looked at without a turn for others: about a millisecond's work. */
const CHUNKS_AT_ONCE = 1_024
const HASHED_AT_ONCE_BYTES = 4 * 1024 * 1024

export async function readFooterOf(objects: ObjectStore, location: string): Promise<FooterOfFile> {
  const tail = await objects.readTail(location, FOOTER_TAIL_BYTES)
  try {
    const bytes = await readFooterBytes(tail, (offset, bytesMax) =>
      objects.readRange(location, offset, bytesMax),
    )
    const { sizeBytes, modifiedAtMs, version, localPath } = tail
    const turns = new Turns()
    const footer = await parseFooterInTurns(bytes, tail, () => turns.take())
    return {
      ownLocation: tail.location,
      footer,
      fileSizeBytes: sizeBytes,
      version,
      ...(localPath !== undefined && { localPath }),
      identity: async () => {
        const footerSha256 = await sha256Of(bytes)
        return { path: location, sizeBytes, modifiedAtMs, version, footerSha256 }
      },
    }
  } catch (error) {
    throw namingFile(error, location)
  }
}

/** Runs steps that look at every column chunk: of a long footer, in turns with other work. */
export async function overChunks<T>(
  { leaves, rowGroups }: ParquetFooter,
  steps: Generator<void, T>,
): Promise<T> {
  if (leaves.length * rowGroups.length <= CHUNKS_AT_ONCE) return runSteps(steps)
  const turns = new Turns()
  return await runStepsInTurns(steps, () => turns.take())
}

async function sha256Of(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256')
  const turns = new Turns()
  for (let at = 0; at < bytes.length; at += HASHED_AT_ONCE_BYTES) {
    if (at > 0) await turns.take()
    hash.update(bytes.subarray(at, at + HASHED_AT_ONCE_BYTES))
  }
  return hash.digest('hex')
}

/** The failure with the file's path in its message and facts. */
export function namingFile(error: unknown, path: string): unknown {
  if (!(error instanceof CatalogError)) return error
  return new CatalogError(error.code, `${path}: ${error.message}`, {
    facts: { path, ...error.facts },
    cause: error,
  })
}
