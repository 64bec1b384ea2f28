import { CatalogError } from '../errors.ts'

export const DEFAULT_NAMESPACE: readonly string[] = ['default']

const PART = /^[A-Za-z_][A-Za-z0-9_-]{0,127}$/
const PART_RULE =
  'a name begins with a letter or an underscore and has at most 128 letters, digits, _ and -'
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const NAMESPACE_LEVELS_MAX = 8
const IDENTIFIER_LENGTH_MAX = (NAMESPACE_LEVELS_MAX + 1) * 129

export interface NamespacedName {
  readonly namespace: readonly string[]
  readonly name: string
}
export type TableIdentifier = { readonly tableUuid: string } | NamespacedName

/**
 * Parses `name` (in the namespace `default`), `namespace.name`, `a.b.name`, or a UUID, which takes
 * precedence. Throws `name-invalid`.
 */
export function parseTableIdentifier(text: string): TableIdentifier {
  return UUID.test(text) ? { tableUuid: text.toLowerCase() } : parseDottedName(text)
}

/** Parses `a.b` into its levels. Throws `name-invalid`. */
export function parseNamespace(text: string): readonly string[] {
  const levels = partsOf(text)
  if (levels.length > NAMESPACE_LEVELS_MAX) throw tooDeep(text)
  return levels
}

/**
 * Parses the name of a new table; `name` may be dotted only if no namespace is given. Throws
 * `name-invalid`.
 */
export function parseNewTableName({
  namespace,
  name,
}: {
  readonly namespace?: string | undefined
  readonly name: string
}): NamespacedName {
  if (UUID.test(name)) {
    throw invalidName(name, 'a table named like a UUID could not be reached')
  }
  if (namespace === undefined) return parseDottedName(name)
  requirePart(name, name)
  return { namespace: parseNamespace(namespace), name }
}

/** The dotted name, always with its namespace. */
export function formatTableName(namespace: readonly string[], name: string): string {
  return [...namespace, name].join('.')
}

function parseDottedName(text: string): NamespacedName {
  const parts = partsOf(text)
  const namespace = parts.slice(0, -1)
  if (namespace.length > NAMESPACE_LEVELS_MAX) throw tooDeep(text)
  return {
    namespace: namespace.length === 0 ? DEFAULT_NAMESPACE : namespace,
    name: parts.at(-1) ?? '',
  }
}

function partsOf(text: string): string[] {
  if (text.length > IDENTIFIER_LENGTH_MAX) throw tooDeep(text)
  const parts = text.split('.')
  for (const part of parts) requirePart(part, text)
  return parts
}

function requirePart(part: string, text: string): void {
  if (!PART.test(part)) throw invalidName(text, PART_RULE)
}

function tooDeep(text: string): CatalogError {
  return invalidName(text, `a namespace can have at most ${NAMESPACE_LEVELS_MAX} levels`)
}

function invalidName(text: string, rule: string): CatalogError {
  const name = text.slice(0, 100)
  return new CatalogError('name-invalid', `${name} is not a valid name: ${rule}.`, {
    facts: { name, rule },
  })
}
