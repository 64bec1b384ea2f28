import { RowInvalid } from './row-invalid.ts'

const FIELDS_MAX = 10_000
const FIELD_LENGTH_MAX = 16 * 1024 * 1024
const NEWLINE = 10
const QUOTE = 34

/** A field; `null` is an empty one without quotes. */
export type CsvField = string | null

/**
 * A strict parser for RFC 4180, or the same with tabs for commas: quotes only around whole fields.
 * Lines end with LF or CR LF. `push` takes whole lines, since only quoted fields may span several.
 */
export class CsvParser {
  readonly #onRecord: (fields: readonly CsvField[], line: number) => void
  /** Code of what is between two fields. */
  readonly #separator: number
  #fields: CsvField[] = []
  #quoted: string | undefined
  #line = 1
  #recordLine = 1

  constructor(
    onRecord: (fields: readonly CsvField[], line: number) => void,
    separator: ',' | '\t' = ',',
  ) {
    this.#onRecord = onRecord
    this.#separator = separator.charCodeAt(0)
  }

  push(text: string): void {
    let at = 0
    while (at < text.length) {
      at = this.#quoted === undefined ? this.#readField(text, at) : this.#readQuoted(text, at)
    }
  }

  finish(): void {
    if (this.#quoted !== undefined) throw this.#invalid('a quoted field is not closed')
    // A separator at the very end is followed by an empty field.
    if (this.#fields.length > 0) this.#endRecord(null)
  }

  #readField(text: string, start: number): number {
    if (text.charCodeAt(start) === QUOTE) {
      this.#quoted = ''
      return start + 1
    }
    let end = start
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end)
      if (code === this.#separator || code === NEWLINE) break
      if (code === QUOTE) throw this.#invalid('there is a quote inside a field that is not quoted')
    }
    const isLast = text.charCodeAt(end) !== this.#separator
    const stop = isLast && text[end - 1] === '\r' && end > start ? end - 1 : end
    const field = text.slice(start, stop)
    if (field.includes('\r')) throw this.#invalid('there is a carriage return outside quotes')
    this.#endField(field === '' ? null : field, isLast)
    return end + 1
  }

  #readQuoted(text: string, start: number): number {
    const quote = text.indexOf('"', start)
    const end = quote < 0 ? text.length : quote
    this.#quoted += text.slice(start, end)
    this.#countLines(text, start, end)
    if ((this.#quoted ?? '').length > FIELD_LENGTH_MAX) {
      throw this.#invalid(`a field can have at most ${FIELD_LENGTH_MAX} characters`)
    }
    if (quote < 0) return end
    if (text.charCodeAt(quote + 1) === QUOTE) {
      this.#quoted += '"'
      return quote + 2
    }
    return this.#closeQuotes(text, quote + 1)
  }

  #closeQuotes(text: string, after: number): number {
    const next =
      text[after] === '\r' && /^\r(?:\n|$)/.test(text.slice(after, after + 2)) ? after + 1 : after
    const code = next < text.length ? text.charCodeAt(next) : NEWLINE
    if (code !== NEWLINE && (code !== this.#separator || next > after)) {
      throw this.#invalid('there is text between a closing quote and the next comma')
    }
    const field = this.#quoted ?? ''
    this.#quoted = undefined
    this.#endField(field, code === NEWLINE)
    return next + 1
  }

  #endField(field: CsvField, isLast: boolean): void {
    if (this.#fields.length >= FIELDS_MAX)
      throw this.#invalid(`a row can have at most ${FIELDS_MAX} fields`)
    if (isLast) this.#endRecord(field)
    else this.#fields.push(field)
  }

  #endRecord(field: CsvField): void {
    const fields = [...this.#fields, field]
    this.#fields = []
    this.#onRecord(fields, this.#recordLine)
    this.#line++
    this.#recordLine = this.#line
  }

  #countLines(text: string, start: number, end: number): void {
    let at = text.indexOf('\n', start)
    while (at >= 0 && at < end) {
      this.#line++
      at = text.indexOf('\n', at + 1)
    }
  }

  #invalid(detail: string): RowInvalid {
    return new RowInvalid(this.#recordLine, detail)
  }
}
