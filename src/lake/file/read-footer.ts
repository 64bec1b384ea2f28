import { CatalogError } from '../../core/errors.ts'
import { FOOTER_TAIL_BYTES } from '../../core/limits.ts'
import { type ParquetFooter, readParquetFooter } from '../../formats/parquet/footer/footer.ts'
import type { ObjectStore } from '../../objects/object-store.ts'

export interface FooterOfFile {
  readonly footer: ParquetFooter
  readonly fileSizeBytes: number
}

export async function readFooterOf(objects: ObjectStore, location: string): Promise<FooterOfFile> {
  const tail = await objects.readTail(location, FOOTER_TAIL_BYTES)
  try {
    const footer = await readParquetFooter(tail, (offset, bytesMax) =>
      objects.readRange(location, offset, bytesMax),
    )
    return { footer, fileSizeBytes: tail.sizeBytes }
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
