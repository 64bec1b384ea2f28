/**
 * Why an uploaded text is refused. The caller must correct it, so it is an outcome rather than a
 * failure.
 */
export class RowInvalid extends Error {
  /** Line of the text, 1-based; the first line for a row of several. */
  readonly line: number

  constructor(line: number, detail: string) {
    super(detail)
    this.name = 'RowInvalid'
    this.line = line
  }
}

const SHOWN_LENGTH_MAX = 60

/** A value of the text, cut short enough to be repeated in a message. */
export function shown(value: string): string {
  const short = value.length <= SHOWN_LENGTH_MAX ? value : `${value.slice(0, SHOWN_LENGTH_MAX)}…`
  return JSON.stringify(short.replace(/\p{Surrogate}/gu, '\ufffd'))
}
