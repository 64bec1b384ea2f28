import { createHash } from 'node:crypto'
import { CatalogError } from '../../core/errors.ts'
import { FOOTER_TAIL_BYTES } from '../../core/limits.ts'
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
  /** Hashes the footer: only those who remember the file ask. */
  identity(): SourceIdentity
}

export async function readFooterOf(objects: ObjectStore, location: string): Promise<FooterOfFile> {
  const tail = await objects.readTail(location, FOOTER_TAIL_BYTES)
  try {
    const bytes = await readFooterBytes(tail, (offset, bytesMax) =>
      objects.readRange(location, offset, bytesMax),
    )
    const { sizeBytes, modifiedAtMs, version } = tail
    const turns = new Turns()
    const footer = await parseFooterInTurns(bytes, tail, () => turns.take())
    return {
      ownLocation: tail.location,
      footer,
      fileSizeBytes: sizeBytes,
      version,
      identity: () => {
        const footerSha256 = createHash('sha256').update(bytes).digest('hex')
        return { path: location, sizeBytes, modifiedAtMs, version, footerSha256 }
      },
    }
  } catch (error) {
    throw namingFile(error, location)
  }
}

/** The failure with the file's path in its message and facts. */
export function namingFile(error: unknown, path: string): unknown {
  if (!(error instanceof CatalogError)) return error
  return new CatalogError(error.code, `${path}: ${error.message}`, {
    facts: { path, ...error.facts },
    cause: error,
  })
}
