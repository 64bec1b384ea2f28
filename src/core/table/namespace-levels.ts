import { CatalogError } from '../errors.ts'
import { shown } from './shown-name.ts'

/**
 * Longest level or name, in bytes of UTF-8. With the next limit, keeps index keys below
 * PostgreSQL's 2,700 bytes.
 */
const NAME_BYTES_MAX = 512
const NAMESPACE_BYTES_MAX = 1_024

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for.
const UNUSABLE = /[\u0000-\u001f\u007f-\u009f]|\p{Surrogate}/u

/** Requires at least one level, each any text without control characters. Throws `name-invalid`. */
export function requireNamespaceLevels(
  levels: readonly string[],
  whole = levels.join('.'),
): readonly string[] {
  if (levels.length === 0) throw invalidName('', 'a namespace must have at least one level')
  for (const level of levels) requireNamePart(level, 'a level of a namespace', whole)
  if (bytesOf(levels.join('.')) > NAMESPACE_BYTES_MAX) {
    throw invalidName(levels.join('.'), `a namespace may have at most ${NAMESPACE_BYTES_MAX} bytes`)
  }
  return levels
}

/** As `requireNamespaceLevels`, for a new namespace: none of its levels may be blank, either. */
export function requireNewNamespaceLevels(levels: readonly string[]): readonly string[] {
  const blank = levels.find((level) => level !== '' && level.trim() === '')
  if (blank === undefined) return requireNamespaceLevels(levels)
  throw invalidName(levels.join('.'), 'a level of a namespace must not be blank')
}

/** Throws `name-invalid`; `what` is how messages call the part, `whole` what it is a part of. */
export function requireNamePart(part: string, what: string, whole = part): void {
  if (part === '') throw invalidName(whole, `${what} must not be empty`)
  if (UNUSABLE.test(part)) throw invalidName(whole, `${what} must not contain control characters`)
  if (bytesOf(part) > NAME_BYTES_MAX) {
    throw invalidName(whole, `${what} may have at most ${NAME_BYTES_MAX} bytes`)
  }
}

function invalidName(name: string, rule: string): CatalogError {
  return new CatalogError('name-invalid', `Invalid name: ${JSON.stringify(shown(name))}: ${rule}`, {
    facts: { name: shown(name), rule },
  })
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length
}
