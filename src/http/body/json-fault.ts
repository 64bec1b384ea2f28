/** The place where a text stops being JSON. */
export interface JsonFault {
  /** Offset in UTF-16 units. */
  readonly position: number
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number
  readonly expected: string
}

type Wanted = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or }' | ', or ]' | 'end'

const SPACE = /[ \t\r\n]*/y
// Any character but quotes, backslashes and control characters.
const STRING = /"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*"/y
const LITERAL = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y

/** Length of the part of a text that is searched for its fault. */
export const SEARCHED_LENGTH_MAX = 32 * 1024

/**
 * Finds the position of a JSON syntax error, which Node 20 does not always tell. Slower than
 * `JSON.parse`, so only for texts that it refused. `undefined` if the syntax is valid, or as far as
 * the text is searched.
 */
export function findJsonFault(whole: string): JsonFault | undefined {
  const text = whole.slice(0, SEARCHED_LENGTH_MAX)
  const found = firstFault(text)
  if (found === undefined || text.length === whole.length) return found
  // What is cut looks like a fault; the last token may be half.
  const isOfCut = found.position >= text.length || endOfText(text, found.position) === text.length
  return isOfCut ? undefined : found
}

const WORD = /"(?:[^"\\]|\\.)*\\?|[\w.+-]+/y

function endOfText(text: string, position: number): number {
  return skip(text, WORD, position)
}

function firstFault(text: string): JsonFault | undefined {
  const open: ('{' | '[')[] = []
  let wanted: Wanted = 'value'
  let position = skip(text, SPACE, 0)
  for (;;) {
    if (wanted === 'end')
      return position === text.length ? undefined : fault(text, position, wanted)
    const end = endOfToken(text, position, wanted)
    if (end === undefined) return fault(text, position, wanted)
    wanted = nextWanted(text.charAt(position), wanted, open)
    position = skip(text, SPACE, end)
  }
}

function skip(text: string, pattern: RegExp, from: number): number {
  pattern.lastIndex = from
  return pattern.test(text) ? pattern.lastIndex : from
}

function endOfToken(text: string, position: number, wanted: Wanted): number | undefined {
  const char = text.charAt(position)
  const isClosing = char === '}' || char === ']'
  if (wanted.endsWith(`or ${char}`) && isClosing) return position + 1
  if (wanted === ':' || wanted.startsWith(',')) {
    return char === wanted.charAt(0) ? position + 1 : undefined
  }
  if (wanted.startsWith('value') && (char === '{' || char === '[')) return position + 1
  const pattern = wanted.startsWith('key') || char === '"' ? STRING : LITERAL
  const end = skip(text, pattern, position)
  return end === position ? undefined : end
}

function nextWanted(char: string, wanted: Wanted, open: ('{' | '[')[]): Wanted {
  if (char === ':') return 'value'
  if (wanted.startsWith('key') && char === '"') return ':'
  if (char === ',') return open.at(-1) === '{' ? 'key' : 'value'
  if (char === '{' || char === '[') {
    open.push(char)
    return char === '{' ? 'key or }' : 'value or ]'
  }
  if (char === '}' || char === ']') open.pop()
  const within = open.at(-1)
  if (within === undefined) return 'end'
  return within === '{' ? ', or }' : ', or ]'
}

function fault(text: string, position: number, wanted: Wanted): JsonFault {
  const before = text.slice(0, position)
  const line = before.split('\n').length
  const column = position - before.lastIndexOf('\n')
  const expected = wanted === 'end' ? 'nothing more' : wanted.replace('key', 'a quoted key')
  return { position, line, column, expected: expected.replace('value', 'a value') }
}
