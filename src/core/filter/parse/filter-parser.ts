import type {
  ColumnReference,
  ComparisonOperator,
  FilterExpression,
  FilterNode,
  Literal,
} from './expression.ts'
import { filterInvalid } from './filter-error.ts'
import { type Token, tokenize } from './lexer.ts'

export const FILTER_CHARACTERS_MAX = 16_384
export const FILTER_NESTING_MAX = 64
/** Largest number of predicates, and of literals, in one filter. */
export const FILTER_TERMS_MAX = 1000

const RESERVED = new Set([
  'AND',
  'OR',
  'NOT',
  'IN',
  'BETWEEN',
  'IS',
  'NULL',
  'LIKE',
  'TRUE',
  'FALSE',
])
const TYPE_WORDS = new Set(['DATE', 'TIME', 'TIMESTAMP', 'TIMESTAMPTZ'])
const OPERATORS: Readonly<Record<string, ComparisonOperator>> = {
  '=': '=',
  '==': '=',
  '!=': '!=',
  '<>': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
}
const MIRRORED: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  '=': '=',
  '!=': '!=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
}

/**
 * Parses the filter grammar (DESIGN.md, section 4). A backslash in a LIKE pattern escapes the next
 * character; a comma is an AND that binds weaker than OR. Throws `filter-invalid` with the facts
 * `position`, `near` and `expected`.
 */
export function parseFilter(text: string): FilterExpression {
  if (text.length > FILTER_CHARACTERS_MAX) {
    throw filterInvalid({
      text,
      position: FILTER_CHARACTERS_MAX,
      detail: `the filter has more than ${FILTER_CHARACTERS_MAX} characters`,
      expected: 'a shorter filter',
    })
  }
  const root = new Parser(text).parse()
  return { text, root }
}

class Parser {
  readonly #text: string
  readonly #tokens: readonly Token[]
  #next = 0
  #depth = 0
  #predicates = 0
  #literals = 0

  constructor(text: string) {
    this.#text = text
    this.#tokens = tokenize(text)
  }

  parse(): FilterNode {
    const root = this.#commaList()
    if (this.#peek().kind !== 'end') throw this.#unexpected('AND, OR, a comma or the end')
    return root
  }

  #commaList(): FilterNode {
    return this.#joined(
      'and',
      () => this.#takeSymbol(','),
      () => this.#disjunction(),
    )
  }

  #disjunction(): FilterNode {
    return this.#joined(
      'or',
      () => this.#takeWord('OR'),
      () => this.#conjunction(),
    )
  }

  #conjunction(): FilterNode {
    return this.#joined(
      'and',
      () => this.#takeWord('AND'),
      () => this.#negation(),
    )
  }

  #joined(kind: 'and' | 'or', takeJoint: () => boolean, parseOne: () => FilterNode): FilterNode {
    const first = parseOne()
    const operands = [first]
    while (takeJoint()) operands.push(parseOne())
    return operands.length === 1 ? first : { kind, operands }
  }

  #negation(): FilterNode {
    if (!this.#takeWord('NOT')) return this.#primary()
    return this.#nested(() => ({ kind: 'not', operand: this.#negation() }))
  }

  #primary(): FilterNode {
    if (!this.#takeSymbol('(')) return this.#predicate()
    return this.#nested(() => {
      const inner = this.#commaList()
      this.#expectSymbol(')', 'AND, OR, a comma or a closing )')
      return inner
    })
  }

  #nested(parseInner: () => FilterNode): FilterNode {
    if (++this.#depth > FILTER_NESTING_MAX) {
      throw this.#fault(`nested deeper than ${FILTER_NESTING_MAX}`, 'a flatter filter')
    }
    const inner = parseInner()
    this.#depth--
    return inner
  }

  #predicate(): FilterNode {
    if (++this.#predicates > FILTER_TERMS_MAX) {
      throw this.#fault(`more than ${FILTER_TERMS_MAX} predicates`, 'fewer predicates')
    }
    const literal = this.#findLiteral()
    if (literal !== undefined) return this.#mirroredComparison(literal)
    return this.#predicateOf(this.#column('a column, a literal, NOT or ('))
  }

  #mirroredComparison(literal: Literal): FilterNode {
    const operator = this.#takeOperator()
    if (operator === undefined) throw this.#unexpected('a comparison such as = or <')
    const column = this.#column('a column')
    return { kind: 'comparison', column, operator: MIRRORED[operator], literal }
  }

  #predicateOf(column: ColumnReference): FilterNode {
    const operator = this.#takeOperator()
    if (operator !== undefined) {
      return { kind: 'comparison', column, operator, literal: this.#literal() }
    }
    if (this.#takeWord('IS')) {
      const isNegated = this.#takeWord('NOT')
      if (!this.#takeWord('NULL')) throw this.#unexpected(isNegated ? 'NULL' : 'NULL or NOT NULL')
      return negatedIf(isNegated, { kind: 'is-null', column })
    }
    const isNegated = this.#takeWord('NOT')
    return negatedIf(isNegated, this.#membership(column, isNegated))
  }

  #membership(column: ColumnReference, isNegated: boolean): FilterNode {
    if (this.#takeWord('IN')) return { kind: 'in', column, literals: this.#literalList() }
    if (this.#takeWord('BETWEEN')) return this.#between(column)
    if (this.#takeWord('LIKE')) return { kind: 'like', column, pattern: this.#pattern() }
    throw this.#unexpected(
      isNegated ? 'IN, BETWEEN or LIKE' : 'an operator, IN, BETWEEN, IS, LIKE or NOT',
    )
  }

  #between(column: ColumnReference): FilterNode {
    const low = this.#literal()
    if (!this.#takeWord('AND')) throw this.#unexpected('AND and the upper end of BETWEEN')
    const high = this.#literal()
    return {
      kind: 'and',
      operands: [
        { kind: 'comparison', column, operator: '>=', literal: low },
        { kind: 'comparison', column, operator: '<=', literal: high },
      ],
    }
  }

  #pattern(): Literal {
    if (this.#peek().kind !== 'string') throw this.#unexpected("a quoted pattern such as 'abc%'")
    return this.#literal()
  }

  #literalList(): readonly Literal[] {
    this.#expectSymbol('(', '( and a list of literals')
    const literals = [this.#literal()]
    while (this.#takeSymbol(',')) literals.push(this.#literal())
    this.#expectSymbol(')', 'a comma or a closing )')
    return literals
  }

  #literal(): Literal {
    const literal = this.#findLiteral()
    if (literal !== undefined) return literal
    const hint = this.#peek().kind === 'quoted' ? ', in single quotes' : ''
    throw this.#unexpected(`a literal: a number, a string, TRUE, FALSE or NULL${hint}`)
  }

  #findLiteral(): Literal | undefined {
    const token = this.#peek()
    const literal = this.#literalAt(token)
    if (literal === undefined) return undefined
    if (++this.#literals > FILTER_TERMS_MAX) {
      throw this.#fault(`more than ${FILTER_TERMS_MAX} literals`, 'fewer literals')
    }
    this.#next++
    return literal
  }

  #literalAt(token: Token): Literal | undefined {
    const { kind, text, position } = token
    if (kind === 'number' || kind === 'string' || kind === 'bytes') return { kind, text, position }
    if (kind !== 'word') return undefined
    const word = text.toUpperCase()
    if (word === 'TRUE' || word === 'FALSE') {
      return { kind: 'boolean', text: word.toLowerCase(), position }
    }
    if (word === 'NULL') return { kind: 'null', text: word, position }
    // DATE '2001-03-01': the column's type decides, so the word adds nothing.
    const following = this.#tokens[this.#next + 1]
    if (!TYPE_WORDS.has(word) || following?.kind !== 'string') return undefined
    this.#next++
    return { kind: 'string', text: following.text, position }
  }

  #column(expected: string): ColumnReference {
    const { position } = this.#peek()
    const path = [this.#name(expected)]
    while (this.#takeSymbol('.')) path.push(this.#name('a member of the struct'))
    return { path, position }
  }

  #name(expected: string): string {
    const token = this.#peek()
    const isReserved = token.kind === 'word' && RESERVED.has(token.text.toUpperCase())
    if (isReserved || (token.kind !== 'word' && token.kind !== 'quoted')) {
      throw this.#unexpected(expected)
    }
    this.#next++
    return token.text
  }

  #takeOperator(): ComparisonOperator | undefined {
    const token = this.#peek()
    if (token.kind !== 'symbol' || !Object.hasOwn(OPERATORS, token.text)) return undefined
    this.#next++
    return OPERATORS[token.text]
  }

  #takeWord(word: string): boolean {
    const token = this.#peek()
    if (token.kind !== 'word' || token.text.toUpperCase() !== word) return false
    this.#next++
    return true
  }

  #takeSymbol(symbol: string): boolean {
    const token = this.#peek()
    if (token.kind !== 'symbol' || token.text !== symbol) return false
    this.#next++
    return true
  }

  #expectSymbol(symbol: string, expected: string): void {
    if (!this.#takeSymbol(symbol)) throw this.#unexpected(expected)
  }

  #peek(): Token {
    // The last token is the end, which is never consumed.
    return this.#tokens[this.#next] as Token
  }

  #unexpected(expected: string): Error {
    const { kind, text } = this.#peek()
    return this.#fault(
      kind === 'end' ? 'the filter ends too early' : `unexpected ${text}`,
      expected,
    )
  }

  #fault(detail: string, expected: string): Error {
    const { position } = this.#peek()
    return filterInvalid({ text: this.#text, position, detail, expected })
  }
}

function negatedIf(isNegated: boolean, operand: FilterNode): FilterNode {
  return isNegated ? { kind: 'not', operand } : operand
}
