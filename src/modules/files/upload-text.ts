import { CatalogError } from '../../core/errors.ts'
import { TEXT_UPLOAD_BYTES_MAX } from '../../core/limits.ts'
import { currentSchema, type TableState } from '../../core/table/table.ts'
import type { TextFormat } from '../../engine/engine.ts'
import type { DumpDependencies } from '../../lake/convert/conversion-dependencies.ts'
import { requireWritable } from '../../lake/file/converted-file.ts'

export type TextUploadDependencies = DumpDependencies & {
  /** Writes a new file in constant memory; when the chunks throw, or exceed `bytesMax` (`body-too-large`), nothing remains. */
  writeLocalFile(
    path: string,
    chunks: AsyncIterable<Uint8Array>,
    limits: { readonly bytesMax: number },
  ): Promise<void>
}

export interface TextUpload {
  readonly format: TextFormat
  readonly chunks: AsyncIterable<Uint8Array>
  readonly signal: AbortSignal | undefined
}

/**
 * Turns an uploaded text into a Parquet file of the table's current schema, at a location that must be free. The first
 * bad row is a `row-invalid` with its line, and nothing remains.
 */
export async function ingestText(
  deps: TextUploadDependencies,
  { definition }: TableState,
  { format, chunks, signal, location }: TextUpload & { readonly location: string },
): Promise<void> {
  const schema = currentSchema(definition)
  requireWritable(schema)
  const path = `${deps.temporaryFolder}/${deps.ambient.newUuid()}`
  const targetPath = `${deps.temporaryFolder}/${deps.ambient.newUuid()}`
  try {
    await deps.writeLocalFile(path, chunks, { bytesMax: TEXT_UPLOAD_BYTES_MAX })
    const job = { path, format, schema, targetPath }
    const result = await deps.engine.ingest(job, signal === undefined ? {} : { signal })
    if (result.outcome === 'row-invalid') throw rowInvalid(result)
    await deps.objects.putFileIfAbsent(location, targetPath)
  } finally {
    await deps.removeLocalFile(path)
    await deps.removeLocalFile(targetPath)
  }
}

function rowInvalid({ line, detail }: { readonly line: number; readonly detail: string }) {
  return new CatalogError('row-invalid', `line ${line}: ${detail}`, { facts: { line } })
}
