import { findValueFromJson } from '../value/single-value.ts'
import type { PrimitiveType } from '../value/type.ts'
import type { Value } from '../value/value.ts'

/** Folder for null, as Hive, Spark and DuckDB name it. */
export const NULL_FOLDER = '__HIVE_DEFAULT_PARTITION__'

/** What a folder `name=value` says of all rows of the files below it. */
export interface PathValue {
  readonly name: string
  /** `null` is NULL; `undefined` if it is not UTF-8. */
  readonly text: string | null | undefined
  /** As it is in the path. */
  readonly folder: string
}

const ESCAPES = /(?:%[0-9a-fA-F]{2})+/g
const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })
const INTEGER = /^[+-]?\d{1,40}$/
const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const NOT_FINITE: ReadonlyMap<string, number> = new Map([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['infinity', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['-infinity', Number.NEGATIVE_INFINITY],
])
/** Types that a value may be of by its spelling, in the order of DuckDB. */
const GUESSED: readonly PrimitiveType[] = [
  { kind: 'date' },
  { kind: 'timestamp' },
  { kind: 'long' },
]

/**
 * The folders `name=value` of a location, from the outermost; both sides have `%XX` for what a path
 * cannot hold.
 */
export function pathValues(location: string): readonly PathValue[] {
  const folders = location.split('/').slice(0, -1)
  return folders.flatMap((folder) => {
    const at = folder.indexOf('=')
    if (at < 1) return []
    const name = unescaped(folder.slice(0, at))
    if (name === undefined) return []
    const value = folder.slice(at + 1)
    const text = value === NULL_FOLDER ? null : unescaped(value)
    return [{ name, text, folder }]
  })
}

/** A `%` that begins no escape is itself, as for Hive; `undefined` if it is not UTF-8. */
function unescaped(text: string): string | undefined {
  try {
    return text.replaceAll(ESCAPES, (escapes) => {
      const digits = escapes.split('%').slice(1)
      return UTF8.decode(Uint8Array.from(digits, (pair) => Number.parseInt(pair, 16)))
    })
  } catch {
    return undefined
  }
}

/** `undefined` if the text is no value of the type, or folders do not say such values. */
export function valueOfPath(type: PrimitiveType, text: string): Value | undefined {
  switch (type.kind) {
    case 'string':
      return text
    case 'boolean':
      return booleanOf(text.toLowerCase())
    case 'int':
      return INTEGER.test(text) ? findValueFromJson(type, Number(text)) : undefined
    case 'long':
      return INTEGER.test(text) ? findValueFromJson(type, BigInt(text.replace('+', ''))) : undefined
    case 'float':
    case 'double':
      return floatOf(type, text)
    case 'binary':
    case 'fixed':
      return undefined
    case 'timestamptz':
    case 'timestamptz_ns':
      return findValueFromJson(type, text) ?? findValueFromJson(type, withOffset(text))
    default:
      return findValueFromJson(type, text)
  }
}

/** The type of a column of which only this value is known. */
export function guessTypeOfPath(text: string | null | undefined): PrimitiveType {
  const fits = (type: PrimitiveType) => valueOfPath(type, text ?? '') !== undefined
  return GUESSED.find(fits) ?? { kind: 'string' }
}

function booleanOf(folded: string): boolean | undefined {
  return folded === 'true' || folded === 'false' ? folded === 'true' : undefined
}

function floatOf(type: PrimitiveType, text: string): Value | undefined {
  if (!FLOAT.test(text)) return NOT_FINITE.get(text.toLowerCase())
  const number = type.kind === 'float' ? Math.fround(Number(text)) : Number(text)
  return Number.isFinite(number) ? number : undefined
}

/** A time without an offset is in UTC; DuckDB writes whole hours as `+00`. */
function withOffset(text: string): string {
  return /[+-]\d\d$/.test(text.slice(10)) ? `${text}:00` : `${text}Z`
}
