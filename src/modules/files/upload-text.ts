import { CatalogError } from '../../core/errors.ts'
import { TEXT_UPLOAD_BYTES_MAX } from '../../core/limits.ts'
import { currentSchema, type TableState } from '../../core/table/table.ts'
import type { TextFormat } from '../../engine/engine.ts'
import type { Converter } from '../../lake/convert/converter.ts'
import type { ObjectStore } from '../../objects/object-store.ts'

export interface TextUploadDependencies {
  readonly converter: Converter
  readonly objects: ObjectStore
}

export interface TextUpload {
  readonly format: TextFormat
  readonly chunks: AsyncIterable<Uint8Array>
  readonly signal: AbortSignal | undefined
}

/**
 * Converts an uploaded text to a Parquet file of the table's current schema, at a free location.
 * The first bad row throws `row-invalid` with its line, and leaves nothing behind.
 */
export async function ingestText(
  { converter, objects }: TextUploadDependencies,
  { definition }: TableState,
  { location, ...text }: TextUpload & { readonly location: string },
): Promise<void> {
  const schema = currentSchema(definition)
  const ingested = { ...text, schema, bytesMax: TEXT_UPLOAD_BYTES_MAX }
  await converter.ingest(ingested, async (result, path) => {
    if (result.outcome === 'row-invalid') throw rowInvalid(result)
    if (result.rows === 0) throw noRows(text.format)
    await objects.putFileIfAbsent(location, path)
  })
}

/** What a program that failed leaves behind must not look like an upload that did not. */
function noRows(format: TextFormat) {
  const found = format === 'ndjson' ? 'no rows' : 'a header and no rows'
  return rowInvalid({
    line: format === 'ndjson' ? 1 : 2,
    detail: `the text has ${found}, so nothing was added: see whether what makes it has failed`,
  })
}

function rowInvalid({ line, detail }: { readonly line: number; readonly detail: string }) {
  return new CatalogError('row-invalid', `line ${line}: ${detail}`, { facts: { line } })
}
