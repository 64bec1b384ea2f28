import { CatalogError } from '../../core/errors.ts'
import { type Token, tokenize } from '../../core/filter/parse/lexer.ts'
import type { OrderRequest } from '../../core/query/bound-query.ts'

/** Names in one list of a query. */
const NAMES_MAX = 2_000
const DIRECTIONS = /^(asc|desc)?\s*(?:nulls (first|last))?$/

/** `a,b.c,"d e"`: names as filters have them. */
export function parseNames(text: string, parameter: string): readonly string[] {
  return itemsOf(text, parameter).map(({ name, rest }) => {
    if (rest === '') return name
    throw listInvalid(parameter, `${rest.slice(0, 40)} follows a name: separate names by commas`)
  })
}

/** `a, b desc, "c d" asc nulls first`. */
export function parseOrder(text: string, parameter: string): readonly OrderRequest[] {
  return itemsOf(text, parameter).map(({ name, rest }) => {
    const found = DIRECTIONS.exec(rest.toLowerCase())
    if (found === null) throw listInvalid(parameter, 'after a name: asc, desc, nulls first or last')
    const [, direction, nulls] = found
    return { column: name, descending: direction === 'desc', nullsFirst: nulls === 'first' }
  })
}

interface Item {
  /** Dotted. */
  readonly name: string
  /** The words after it. */
  readonly rest: string
}

function itemsOf(text: string, parameter: string): readonly Item[] {
  const items: Item[] = []
  let tokens: Token[] = []
  for (const token of tokensOf(text, parameter)) {
    if (token.kind !== 'end' && (token.kind !== 'symbol' || token.text !== ',')) {
      tokens.push(token)
      continue
    }
    items.push(itemOf(tokens, parameter))
    tokens = []
    if (items.length > NAMES_MAX) throw listInvalid(parameter, `more than ${NAMES_MAX} names`)
  }
  return items
}

function itemOf(tokens: readonly Token[], parameter: string): Item {
  const path: string[] = []
  let next = 0
  do {
    const token = tokens[next++]
    if (token?.kind !== 'word' && token?.kind !== 'quoted') {
      throw listInvalid(parameter, 'a name is missing: one with other characters stands in quotes')
    }
    path.push(token.text)
  } while (tokens[next]?.text === '.' && tokens[next++]?.kind === 'symbol')
  const rest = tokens.slice(next).map((token) => token.text)
  return { name: path.join('.'), rest: rest.join(' ') }
}

function tokensOf(text: string, parameter: string): readonly Token[] {
  try {
    return tokenize(text)
  } catch (error) {
    if (error instanceof CatalogError) throw listInvalid(parameter, error.message)
    throw error
  }
}

function listInvalid(parameter: string, detail: string): CatalogError {
  return new CatalogError('query-invalid', `${parameter}: ${detail}`)
}
