/** Why an uploaded text cannot be taken: the caller's to mend, so an outcome and no failure. */
export class RowInvalid extends Error {
  /** 1-based, of the text; a row of several lines counts by its first. */
  readonly line: number

  constructor(line: number, detail: string) {
    super(detail)
    this.name = 'RowInvalid'
    this.line = line
  }
}

const SHOWN_LENGTH_MAX = 60

/** A value of the text, short enough to be repeated. */
export function shown(value: string): string {
  const short = value.length <= SHOWN_LENGTH_MAX ? value : `${value.slice(0, SHOWN_LENGTH_MAX)}…`
  return JSON.stringify(short.replace(/\p{Surrogate}/gu, '\ufffd'))
}
