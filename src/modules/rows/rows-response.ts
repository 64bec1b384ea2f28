import { createHash } from 'node:crypto'
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
export const NEWLINE = 0x0a
export const COMMA = 0x2c

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
  const rows = form === 'json' ? asItems(pieces) : pieces
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
  const etag = `"${hash.digest('base64url').slice(0, 22)}"`
  return {
    status: 200,
    mediaType,
    body: { pieces },
    headers: { Vary: 'Accept, Origin', ETag: etag, ...headers },
  }
}

/** Lines as items of a list: a line has no other line end, since JSON escapes them. */
function asItems(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  const comma = Uint8Array.of(COMMA)
  const items: Uint8Array[] = []
  for (const piece of pieces) {
    for (let start = 0; start < piece.length; ) {
      const found = piece.indexOf(NEWLINE, start)
      const end = found < 0 ? piece.length : found
      if (items.length > 0) items.push(comma)
      items.push(piece.subarray(start, end))
      start = end + 1
    }
  }
  return items.length === 0 ? [] : [Buffer.concat(items)]
}
