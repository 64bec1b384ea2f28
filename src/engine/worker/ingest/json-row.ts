import { randomUUID } from 'node:crypto'

/**
 * Precedes the digits of a number that a double may not hold exactly; nobody outside can guess it.
 */
const EXACT_MARK = `\u0001${randomUUID()}:`
/** More digits than a double is sure to keep. */
const LONG_NUMBER = /[\d.eE+-]{16}/
const QUOTE = 34
const COLON = 58
const NUMBER = /-?\d[\d.eE+-]{14,}/g

/** Does the same as `JSON.parse`, but long numbers become texts that `exactNumber` recognizes. */
export function parseJsonExactly(text: string): unknown {
  const value: unknown = JSON.parse(text)
  return LONG_NUMBER.test(text) ? JSON.parse(markLongNumbers(text)) : value
}

/**
 * Whether an object in the text has a key twice, of which `JSON.parse` keeps the last: then the
 * text has more members than the value. `text` is valid JSON.
 */
export function hasRepeatedKeys(text: string, value: unknown): boolean {
  return countColons(text) !== countMembers(value)
}

/** Colons outside strings: one for each member of an object. */
function countColons(text: string): number {
  let colons = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === COLON) colons++
    else if (code === QUOTE) at = closingQuote(text, at)
  }
  return colons
}

function countMembers(value: unknown): number {
  let members = 0
  // Not by recursion: a line may be nested as deeply as it is long.
  const open: unknown[] = [value]
  while (open.length > 0) {
    const next = open.pop()
    if (typeof next !== 'object' || next === null) continue
    const inner = Object.values(next)
    if (!Array.isArray(next)) members += inner.length
    for (const each of inner) open.push(each)
  }
  return members
}

/** The digits of a number, verbatim where it matters; `undefined` for anything else. */
export function exactNumber(value: unknown): string | undefined {
  if (typeof value === 'number' && Number.isFinite(value)) {
    return Object.is(value, -0) ? '-0' : String(value)
  }
  if (typeof value !== 'string' || !value.startsWith(EXACT_MARK)) return undefined
  return value.slice(EXACT_MARK.length)
}

/** Marks long numbers in valid JSON, where digits outside strings are numbers. */
function markLongNumbers(text: string): string {
  const parts: string[] = []
  let at = 0
  while (at < text.length) {
    const quote = text.indexOf('"', at)
    const gapEnd = quote < 0 ? text.length : quote
    parts.push(
      text.slice(at, gapEnd).replace(NUMBER, (digits) => JSON.stringify(EXACT_MARK + digits)),
    )
    if (quote < 0) break
    const close = closingQuote(text, quote)
    parts.push(text.slice(quote, close + 1))
    at = close + 1
  }
  return parts.join('')
}

function closingQuote(text: string, open: number): number {
  let at = text.indexOf('"', open + 1)
  while (isEscaped(text, at)) at = text.indexOf('"', at + 1)
  return at
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text[at - 1 - backslashes] === '\\') backslashes++
  return backslashes % 2 === 1
}
