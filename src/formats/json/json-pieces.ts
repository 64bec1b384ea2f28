import { endOfString, type JsonLimits, parseExactJson } from './exact-json.ts'

/** How much of a text is parsed at once: less than 10 ms, whatever it is. */
export interface PieceSize {
  readonly values: number
  readonly characters: number
}

const PIECE: PieceSize = { values: 2_000, characters: 256 * 1024 }
/** Deeper text is refused before it gets here. */
const UNCHECKED: JsonLimits = { depthMax: Number.POSITIVE_INFINITY }

const QUOTE = 0x22
const COMMA = 0x2c
const CLOSING_OF: ReadonlyMap<number, number> = new Map([
  [0x5b, 0x5d],
  [0x7b, 0x7d],
])
const CLOSING: ReadonlySet<number> = new Set(CLOSING_OF.values())

/** An array or object whose start was seen. */
interface Level {
  readonly isArray: boolean
  readonly closing: number
  /** Offset of its bracket. */
  readonly at: number
  /** Offset after its bracket, or after the last comma that is its own. */
  memberStart: number
}

/** An array or object that is filled piece by piece. */
interface Container extends Level {
  readonly value: Record<string, unknown> | unknown[]
  /** Offset of the text that is not yet parsed. */
  start: number
  /** Whether what comes before `start` is a comma, so that a member has to follow. */
  isAfterComma: boolean
  /** Whether it is a whole member, so that a comma or the end has to follow. */
  isAfterMember: boolean
}

/**
 * Does the same as `parseExactJson` with long text, in pieces, so that others get a turn in
 * between: what `JSON.parse` takes for 100,000 values is up to a second, if each object has names
 * of its own. The pieces are complete members of one array or object each; arrays and objects that
 * are longer than a piece are put together here.
 */
export class JsonPieces {
  readonly #text: string
  readonly #size: PieceSize
  /** From the outermost to the innermost. */
  readonly #containers: Container[] = []
  /** Arrays and objects below the innermost container, which may end within the piece. */
  #levels: Level[] = []
  #position = 0
  #value: unknown

  constructor(text: string, size = PIECE) {
    this.#text = text
    this.#size = size
    const at = text.search(/[^ \t\r\n]/)
    const level = at < 0 ? undefined : levelAt(text, at)
    if (level === undefined) {
      this.#value = parseExactJson(text, UNCHECKED)
      this.#position = text.length
    } else {
      this.#value = this.#open(level)
      this.#position = at + 1
    }
  }

  /** The whole value, once `readPiece` has returned false. */
  get value(): unknown {
    return this.#value
  }

  /** Parses one piece; false if none was left. Throws a `SyntaxError` as `JSON.parse` does. */
  readPiece(): boolean {
    if (this.#position >= this.#text.length) {
      if (this.#containers.length > 0) throw new SyntaxError('JSON without an end')
      return false
    }
    const end = this.#position + this.#size.characters
    let values = 0
    while (this.#position < this.#text.length && this.#position < end) {
      values += this.#step()
      if (values >= this.#size.values) break
    }
    this.#cut()
    return true
  }

  /** Passes one character or string; returns the number of values that it begins. */
  #step(): number {
    const at = this.#position
    const char = this.#text.charCodeAt(at)
    this.#position = at + 1
    if (char === QUOTE) {
      this.#position = endOfString(this.#text, at)
    } else if (char === COMMA) {
      this.#takeComma(at)
      return 1
    } else if (CLOSING_OF.has(char)) {
      this.#levels.push(levelAt(this.#text, at) as Level)
      return 1
    } else if (CLOSING.has(char)) {
      this.#takeClosing(char, at)
    }
    return 0
  }

  #takeComma(at: number): void {
    const inner = this.#levels.at(-1) ?? this.#innermost()
    inner.memberStart = at + 1
    if (this.#levels.length > 0) return
    const container = this.#innermost()
    if (!container.isAfterMember) return
    this.#requireBlank(container.start, at)
    Object.assign(container, { start: at + 1, isAfterComma: true, isAfterMember: false })
  }

  #takeClosing(char: number, at: number): void {
    const { closing } = this.#levels.at(-1) ?? this.#innermost()
    if (char !== closing) throw new SyntaxError('JSON with a bracket of another kind')
    if (this.#levels.pop() !== undefined) return
    const container = this.#innermost()
    if (container.isAfterMember) this.#requireBlank(container.start, at)
    else this.#read(container, at)
    this.#containers.pop()
    const parent = this.#containers.at(-1)
    if (parent === undefined) {
      this.#requireBlank(at + 1, this.#text.length)
      this.#position = this.#text.length
    } else {
      const next = { start: at + 1, memberStart: at + 1, isAfterComma: false, isAfterMember: true }
      Object.assign(parent, next)
    }
  }

  /** Reads what is complete, so that a new piece begins. */
  #cut(): void {
    if (this.#containers.length === 0) return
    for (const level of this.#levels) {
      const parent = this.#innermost()
      this.#readComplete(parent)
      if (parent.isAfterMember) throw new SyntaxError('JSON without a comma between two values')
      const before = this.#text.slice(parent.memberStart, level.at)
      const key = parent.isArray ? undefined : onlyKeyOf(parseObject(`${before}null`))
      if (parent.isArray) this.#requireBlank(parent.memberStart, level.at)
      add(parent.value, key, this.#open(level))
    }
    this.#levels = []
    this.#readComplete(this.#innermost())
  }

  #readComplete(container: Container): void {
    if (container.memberStart === container.start) return
    this.#read(container, container.memberStart - 1)
    container.start = container.memberStart
    container.isAfterComma = true
  }

  /** Reads the members up to a comma or the closing bracket. */
  #read(container: Container, end: number): void {
    const { value, start, isArray, isAfterComma, memberStart } = container
    const members = this.#text.slice(start, end)
    const part = isArray ? parseArray(members) : Object.entries(parseObject(members))
    const isRequired = isAfterComma || memberStart > start
    if (part.length === 0 && isRequired) throw new SyntaxError('JSON with a comma too many')
    for (const each of part) {
      const [key, member] = isArray ? [undefined, each] : (each as [string, unknown])
      add(value, key, member)
    }
  }

  #open(level: Level): Container['value'] {
    const value = level.isArray ? [] : {}
    const start = level.at + 1
    this.#containers.push({ ...level, value, start, isAfterComma: false, isAfterMember: false })
    return value
  }

  #innermost(): Container {
    return this.#containers.at(-1) as Container
  }

  #requireBlank(start: number, end: number): void {
    if (/[^ \t\r\n]/.test(this.#text.slice(start, end))) {
      throw new SyntaxError('JSON with something between two values')
    }
  }
}

function levelAt(text: string, at: number): Level | undefined {
  const closing = CLOSING_OF.get(text.charCodeAt(at))
  if (closing === undefined) return undefined
  return { isArray: text[at] === '[', closing, at, memberStart: at + 1 }
}

function parseArray(members: string): readonly unknown[] {
  return parseExactJson(`[${members}]`, UNCHECKED) as readonly unknown[]
}

function parseObject(members: string): object {
  return parseExactJson(`{${members}}`, UNCHECKED) as object
}

function onlyKeyOf(object: object): string {
  const [key, ...others] = Object.keys(object)
  if (key === undefined || others.length > 0) throw new SyntaxError('JSON without a key')
  return key
}

function add(value: Container['value'], key: string | undefined, member: unknown): void {
  if (Array.isArray(value)) {
    value.push(member)
  } else if (key === '__proto__') {
    const own = { value: member, enumerable: true, configurable: true, writable: true }
    Object.defineProperty(value, key, own)
  } else {
    value[key as string] = member
  }
}
