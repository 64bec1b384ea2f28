import { createHash, type Hash } from 'node:crypto'
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
  /** One row a line. */
  readonly pieces: readonly Uint8Array[]
  /** Members of the JSON object before its rows. */
  readonly members: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
}

/** Rows in a form, with a strong ETag: what is sent is whole before it is begun. */
export function rowsReply(form: ResultForm, { result, pieces, members, headers }: RowsText): Reply {
  const text = new TextEncoder()
  const { head, end } = frameOf(form, { result, members })
  const items = new ListItems()
  const rows = form === 'json' ? pieces.flatMap((piece) => items.of(piece)) : pieces
  const ends = end === '' ? [] : [text.encode(end)]
  return replyOf(MEDIA_TYPES[form], [text.encode(head), ...rows, ...ends], headers)
}

export const MEDIA_TYPES: Readonly<Record<ResultForm, string>> = {
  json: JSON_MEDIA_TYPE,
  ndjson: NDJSON_MEDIA_TYPE,
  csv: `${CSV_MEDIA_TYPE}; charset=utf-8; header=present`,
}

/** What stands before the rows, and after them. */
export function frameOf(
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

function replyOf(
  mediaType: string,
  pieces: readonly Uint8Array[],
  headers: RowsText['headers'],
): Reply {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return { status: 200, mediaType, body: { pieces }, headers: rowsHeaders(hash, headers) }
}

/** Those of a response of rows; `hash` is of all that its body is made of. */
export function rowsHeaders(
  hash: Hash,
  headers: RowsText['headers'],
): Readonly<Record<string, string>> {
  const etag = `"${hash.digest('base64url').slice(0, 22)}"`
  return { Vary: 'Accept, Origin', ETag: etag, ...headers }
}

/** Lines as items of a list: a line has no other line end, since JSON escapes them. */
export class ListItems {
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
