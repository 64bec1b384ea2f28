import { filterInvalid } from './filter-error.ts'

export type TokenKind = 'word' | 'quoted' | 'string' | 'bytes' | 'number' | 'symbol' | 'end'

export interface Token {
  readonly kind: TokenKind
  /** Without quotes, and with doubled quotes reduced; empty for the end. */
  readonly text: string
  readonly position: number
}

const SPACE = /\s*/y
// A dash is part of a word: column names may contain one, and there is no arithmetic.
const WORD = /[\p{L}_][\p{L}\p{N}\p{M}_$-]*/uy
const NUMBER = /[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y
const SYMBOL = /<=|>=|<>|!=|==|[=<>(),.]/y
const BYTES_START = /[xX]'/y
const LONE_SURROGATE = /[\ud800-\udfff]/u

/** The words, literals and symbols of a filter, followed by one token of kind `end`. */
export function tokenize(text: string): readonly Token[] {
  const lone = text.search(LONE_SURROGATE)
  if (lone >= 0) throw malformed(text, lone, 'an unpaired surrogate', 'Unicode text')
  const tokens: Token[] = []
  let position = skipSpace(text, 0)
  while (position < text.length) {
    const { token, end } = nextToken(text, position)
    tokens.push(token)
    position = skipSpace(text, end)
  }
  tokens.push({ kind: 'end', text: '', position: text.length })
  return tokens
}

interface Scanned {
  readonly token: Token
  readonly end: number
}

function nextToken(text: string, position: number): Scanned {
  const quote = text.charAt(position)
  if (quote === "'") return quotedToken(text, position, 'string')
  if (quote === '"' || quote === '`') return quotedToken(text, position, 'quoted')
  if (matchAt(BYTES_START, text, position) !== undefined) {
    const { token, end } = quotedToken(text, position + 1, 'bytes')
    return { token: { ...token, position }, end }
  }
  const word = matchAt(WORD, text, position)
  if (word !== undefined) return scanned('word', word, position)
  const number = matchAt(NUMBER, text, position)
  if (number !== undefined) return numberToken(text, number, position)
  const symbol = matchAt(SYMBOL, text, position)
  if (symbol !== undefined) return scanned('symbol', symbol, position)
  const character = String.fromCodePoint(text.codePointAt(position) ?? 0)
  throw malformed(text, position, `unexpected character ${character}`, 'a column or a predicate')
}

function scanned(kind: TokenKind, text: string, position: number): Scanned {
  return { token: { kind, text, position }, end: position + text.length }
}

function numberToken(text: string, number: string, position: number): Scanned {
  const end = position + number.length
  if (matchAt(WORD, text, end) !== undefined) {
    throw malformed(text, end, 'a number runs into a word', 'a space or an operator')
  }
  return scanned('number', number, position)
}

function quotedToken(text: string, position: number, kind: TokenKind): Scanned {
  const quote = text.charAt(position)
  const pieces: string[] = []
  let from = position + 1
  for (;;) {
    const close = text.indexOf(quote, from)
    if (close < 0) throw malformed(text, position, 'a quote is not closed', `a closing ${quote}`)
    pieces.push(text.slice(from, close))
    if (text.charAt(close + 1) !== quote) {
      return { token: { kind, text: pieces.join(quote), position }, end: close + 1 }
    }
    from = close + 2
  }
}

function skipSpace(text: string, position: number): number {
  return position + (matchAt(SPACE, text, position)?.length ?? 0)
}

function matchAt(pattern: RegExp, text: string, position: number): string | undefined {
  pattern.lastIndex = position
  return pattern.exec(text)?.[0]
}

function malformed(text: string, position: number, detail: string, expected: string): Error {
  return filterInvalid({ text, position, detail, expected })
}
