import { randomBytes } from 'node:crypto'

export interface JsonLimits {
  /** Size of the text in UTF-8. */
  readonly bytesMax?: number
  /** Nesting of arrays and objects; infinite if the caller has checked it. */
  readonly depthMax?: number
}

const BYTES_MAX = 512 * 1024 * 1024
const DEPTH_MAX = 256
/** Integers with fewer digits are exact in a number. */
const LONG_DIGITS = 16
/** Largest number of digits: parsing a longer bigint would let a sender waste our time. */
const DIGITS_MAX = 100

// Nobody can guess this and put it into a document: nine random bytes per process. 0x7f needs no
// escape in JSON, and the marker is Latin-1, so that V8 keeps one byte per character.
const MARKER = `\u007f${randomBytes(9).toString('base64url')}`
const MARKER_START = MARKER.charCodeAt(0)
const BACKSLASH = 0x5c
const LONG_RUN = /\d{16}/
/**
 * A long integer outside strings: neither part of a float, nor a key, nor invalid as a number but
 * valid as a string. An attempt begins only where a run of digits does, and looks at no more than
 * the digits that it allows and the spaces after them, so any text takes linear time.
 */
const LONG_INTEGER = new RegExp(
  `(?<![\\d.eE+-])-?[1-9]\\d{${LONG_DIGITS - 1},${DIGITS_MAX - 1}}(?![\\d.eE]|[ \\t\\r\\n]*:)`,
  'g',
)
const REPLACEMENT = `"${MARKER}$&"`
const MARKED_INTEGER = new RegExp(`"${MARKER}(-?\\d+)"`, 'g')

/**
 * `JSON.parse`, except that integers beyond 2^53 arrive as bigint. A key `__proto__` becomes an own
 * property. Throws a `SyntaxError` if the text is not JSON or exceeds a limit.
 */
export function parseExactJson(text: string, limits: JsonLimits = {}): unknown {
  const { bytesMax = BYTES_MAX, depthMax = DEPTH_MAX } = limits
  // A character has at most three bytes.
  if (text.length * 3 > bytesMax && Buffer.byteLength(text) > bytesMax) {
    throw new SyntaxError(`JSON of more than ${bytesMax} bytes`)
  }
  const marked = markLongIntegers(text)
  const value = parseMarked(marked, text)
  // Looking at every value takes half as long as parsing.
  const isAsParsed = marked === text && depthMax === Number.POSITIVE_INFINITY
  return isAsParsed ? value : restoreIntegers(value, depthMax)
}

/** `JSON.stringify`, except that a bigint is written as a bare integer. */
export function stringifyExactJson(value: unknown, indent?: number): string {
  return withoutBigint(value, indent) ?? withBigints(value, indent)
}

/** Several times as fast as with a replacer; `undefined` if the value contains a bigint. */
function withoutBigint(value: unknown, indent?: number): string | undefined {
  try {
    return textOf(value, JSON.stringify(value, undefined, indent))
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

function textOf(value: unknown, text: string | undefined): string {
  if (text === undefined) throw new TypeError(`JSON cannot represent ${typeof value}`)
  return text
}

function withBigints(value: unknown, indent?: number): string {
  let hasBigint = false
  const mark = (_key: string, member: unknown) => {
    if (typeof member !== 'bigint') return member
    hasBigint = true
    return `${MARKER}${member}`
  }
  const text = textOf(value, JSON.stringify(value, mark, indent))
  return hasBigint ? text.replace(MARKED_INTEGER, '$1') : text
}

function parseMarked(marked: string, text: string): unknown {
  try {
    return JSON.parse(marked)
  } catch (error) {
    // The message quotes the parsed text, which must be the sender's own, without the marker.
    if (marked !== text) JSON.parse(text)
    throw error
  }
}

/**
 * Turns every long integer outside strings into a string that starts with the marker; returns the
 * very text if it has none.
 */
function markLongIntegers(text: string): string {
  if (!LONG_RUN.test(text)) return text
  const pieces: string[] = []
  let copied = 0
  let position = 0
  while (position < text.length) {
    const quote = indexOfQuote(text, position)
    if (quote - position >= LONG_DIGITS) {
      const gap = text.slice(position, quote)
      const marked = gap.replace(LONG_INTEGER, REPLACEMENT)
      if (marked.length !== gap.length) {
        pieces.push(text.slice(copied, position), marked)
        copied = quote
      }
    }
    position = endOfString(text, quote)
  }
  if (pieces.length === 0) return text
  pieces.push(text.slice(copied))
  return pieces.join('')
}

function indexOfQuote(text: string, from: number): number {
  const quote = text.indexOf('"', from)
  return quote < 0 ? text.length : quote
}

/**
 * The position just after the string that opens at `quote`, beyond the text if it has no end. A
 * quote after an odd number of backslashes is part of the string.
 */
export function endOfString(text: string, quote: number): number {
  let end = quote
  do {
    end = indexOfQuote(text, end + 1)
  } while (end < text.length && backslashesBefore(text, end) % 2 === 1)
  return end + 1
}

function backslashesBefore(text: string, position: number): number {
  let start = position
  while (text.charCodeAt(start - 1) === BACKSLASH) start--
  return position - start
}

function restoreIntegers(value: unknown, depthLeft: number): unknown {
  if (typeof value === 'string') return restoreInteger(value)
  if (typeof value !== 'object' || value === null) return value
  if (depthLeft === 0) throw new SyntaxError('JSON with too many levels')
  if (Array.isArray(value)) restoreItems(value, depthLeft - 1)
  else restoreMembers(value as Record<string, unknown>, depthLeft - 1)
  return value
}

function restoreItems(items: unknown[], depthLeft: number): void {
  for (let i = 0; i < items.length; i++) {
    const item = items[i]
    if (mayChange(item)) items[i] = restoreIntegers(item, depthLeft)
  }
}

function restoreMembers(members: Record<string, unknown>, depthLeft: number): void {
  for (const key of Object.keys(members)) {
    const member = members[key]
    // JSON.parse made every key, even `__proto__`, an own property: assigning only replaces it.
    if (mayChange(member)) members[key] = restoreIntegers(member, depthLeft)
  }
}

function mayChange(value: unknown): boolean {
  if (typeof value === 'string') return value.charCodeAt(0) === MARKER_START
  return typeof value === 'object' && value !== null
}

function restoreInteger(text: string): string | number | bigint {
  if (!text.startsWith(MARKER)) return text
  const integer = BigInt(text.slice(MARKER.length))
  const number = Number(integer)
  return Number.isSafeInteger(number) ? number : integer
}
