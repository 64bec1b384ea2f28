import { createHash, type Hash } from 'node:crypto'
import type { OpenFile } from '../../core/open-file.ts'
import { describeColumns } from '../../core/schema/column-definition.ts'
import type { Schema } from '../../core/value/type.ts'
import { csvHeader } from '../../formats/csv-header.ts'
import { stringifyExactJson } from '../../formats/json/exact-json.ts'
import { requireAccepted } from '../../http/problem.ts'
import { JSON_MEDIA_TYPE, NDJSON_MEDIA_TYPE, type Reply } from '../../http/reply.ts'

export const CSV_MEDIA_TYPE = 'text/csv'
const FORM_BY_MEDIA_TYPE: Readonly<Record<string, ResultForm>> = {
  [JSON_MEDIA_TYPE]: 'json',
  [NDJSON_MEDIA_TYPE]: 'ndjson',
  'application/ndjson': 'ndjson',
  [CSV_MEDIA_TYPE]: 'csv',
}
const NEWLINE = 0x0a
const COMMA = 0x2c

export type ResultForm = 'json' | 'ndjson' | 'csv'

/** The form that the query or `Accept` asks for; throws `not-acceptable`. */
export function chooseForm(
  given: ResultForm | undefined,
  accepts: (mediaTypes: readonly string[]) => string | undefined,
): ResultForm {
  if (given !== undefined) return given
  const available = Object.keys(FORM_BY_MEDIA_TYPE)
  return FORM_BY_MEDIA_TYPE[requireAccepted(accepts, available)] ?? 'json'
}

/** JSON is made of lines of JSON. */
export function formatOf(form: ResultForm): 'ndjson' | 'csv' {
  return form === 'csv' ? 'csv' : 'ndjson'
}

export interface RowsText {
  readonly result: Schema
  /** Lines, one row each. A part ends at the end of a line. */
  readonly parts: readonly RowsPart[]
  /** Members of the JSON object before its rows. */
  readonly members: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
}

export type RowsPart = Uint8Array | OpenFile

/** How fast rows are read that take space of the disk, or memory, until they are. */
const SENT_MS_MIN = 10 * 60_000
const SENT_BYTES_PER_MS = 32

/**
 * Rows in a form, with a strong ETag: what is sent is whole before it is begun. Files are read
 * twice, and are open until the caller closes them. Throws the reason of the signal.
 */
export async function rowsReply(
  form: ResultForm,
  { result, parts, members, headers }: RowsText,
  closed: AbortSignal,
): Promise<Reply> {
  const { head, end } = frameOf(form, { result, members })
  const hash = createHash('sha256').update(head)
  for await (const chunk of chunksOf(parts)) {
    closed.throwIfAborted()
    hash.update(chunk)
  }
  const isList = form === 'json'
  const sent = { status: 200, mediaType: MEDIA_TYPES[form], headers: rowsHeaders(hash, headers) }
  const text = new TextEncoder()
  const framed = [text.encode(head), text.encode(end)] as const
  if (parts.every((part) => part instanceof Uint8Array)) {
    const items = new ListItems()
    const rows = isList ? parts.flatMap((part) => items.of(part)) : parts
    const pieces = [framed[0], ...rows, framed[1]].filter((piece) => piece.length > 0)
    return { ...sent, body: { pieces } }
  }
  const rowsBytes = parts.reduce((sum, part) => sum + bytesOf(part), 0)
  // The last line of a list has no comma after it.
  const bytes = framed[0].length + rowsBytes - (isList && rowsBytes > 0 ? 1 : 0) + framed[1].length
  const chunks = async function* () {
    if (head !== '') yield framed[0]
    yield* isList ? asItems(chunksOf(parts)) : chunksOf(parts)
    if (end !== '') yield framed[1]
  }
  const sentWithinMs = SENT_MS_MIN + bytes / SENT_BYTES_PER_MS
  return { ...sent, body: { bytes, chunks, sentWithinMs } }
}

function bytesOf(part: RowsPart): number {
  return part instanceof Uint8Array ? part.length : part.sizeBytes
}

async function* chunksOf(parts: readonly RowsPart[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Uint8Array) yield part
    else yield* part.chunks()
  }
}

async function* asItems(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const items = new ListItems()
  for await (const chunk of chunks) yield* items.of(chunk)
}

const MEDIA_TYPES: Readonly<Record<ResultForm, string>> = {
  json: JSON_MEDIA_TYPE,
  ndjson: NDJSON_MEDIA_TYPE,
  csv: `${CSV_MEDIA_TYPE}; charset=utf-8; header=present`,
}

/** What stands before the rows, and after them. */
function frameOf(
  form: ResultForm,
  { result, members }: Pick<RowsText, 'result' | 'members'>,
): { readonly head: string; readonly end: string } {
  if (form === 'csv') return { head: csvHeader(result), end: '' }
  if (form === 'ndjson') return { head: '', end: '' }
  return { head: stringifyExactJson({ ...members, rows: [] }).slice(0, -2), end: ']}' }
}

export function resultColumns(result: Schema): readonly { name: string; type: unknown }[] {
  return describeColumns(result).map(({ name, type }) => ({ name, type }))
}

/** Those of a response of rows; `hash` is of all that its body is made of. */
function rowsHeaders(hash: Hash, headers: RowsText['headers']): Readonly<Record<string, string>> {
  const etag = `"${hash.digest('base64url').slice(0, 22)}"`
  return { Vary: 'Accept, Origin', ETag: etag, ...headers }
}

/** Lines as items of a list: a line has no other line end, since JSON escapes them. */
class ListItems {
  #isBetween = false

  /** The next bytes of the lines, changed in place: commas are between them, none at the end. */
  of(lines: Uint8Array): readonly Uint8Array[] {
    if (lines.length === 0) return []
    const before = this.#isBetween ? [Uint8Array.of(COMMA)] : []
    this.#isBetween = lines.at(-1) === NEWLINE
    const items = this.#isBetween ? lines.subarray(0, -1) : lines
    for (let at = items.indexOf(NEWLINE); at >= 0; at = items.indexOf(NEWLINE, at + 1)) {
      items[at] = COMMA
    }
    return [...before, items]
  }
}
