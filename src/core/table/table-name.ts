import { CatalogError } from '../errors.ts'
import { requireNamePart, requireNamespaceLevels } from './namespace-levels.ts'
import { refuseReserved } from './reserved-namespace.ts'

export const DEFAULT_NAMESPACE: readonly string[] = ['default']

const PART = /^[A-Za-z_][A-Za-z0-9_-]{0,127}$/
const PART_RULE =
  'a name begins with an ASCII letter (a-z, A-Z) or an underscore and has at most 128 ASCII ' +
  'letters, digits, _ and -'
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const NAMESPACE_LEVELS_MAX = 8
/** More than the bytes of a namespace and a name. */
const IDENTIFIER_LENGTH_MAX = 2_048

export interface NamespacedName {
  readonly namespace: readonly string[]
  readonly name: string
}
export type TableIdentifier = { readonly tableUuid: string } | NamespacedName

/**
 * Parses `name` (in the namespace `default`), `namespace.name`, `a.b.name`, or a UUID, which takes
 * precedence. The parts are any that Iceberg's clients may have made, but have no dots. Throws
 * `name-invalid`.
 */
export function parseTableIdentifier(text: string): TableIdentifier {
  return UUID.test(text) ? { tableUuid: text.toLowerCase() } : parseDottedName(text)
}

/** Parses `a.b` into its levels, as they are found. Throws `name-invalid`. */
export function parseNamespace(text: string): readonly string[] {
  requireShort(text)
  return requireNamespaceLevels(text.split('.'), text)
}

/** Parses `a.b` into the levels of a new namespace. Throws `name-invalid`. */
export function parseNewNamespace(text: string): readonly string[] {
  const levels = parseNamespace(text)
  for (const level of levels) requireNewPart(level, text)
  if (levels.length > NAMESPACE_LEVELS_MAX) throw tooDeep(text)
  return levels
}

/**
 * Parses the name of a new table; `name` may be dotted only if no namespace is given. Throws
 * `name-invalid` and `dataset-immutable`.
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
  const parsed =
    namespace === undefined ? parseDottedName(name) : { namespace: parseNamespace(namespace), name }
  refuseReserved(parsed.namespace)
  requireNewPart(parsed.name, name)
  if (parsed.namespace.length > NAMESPACE_LEVELS_MAX) throw tooDeep(name)
  return parsed
}

/** A new name for what is in the namespace, where it stays unless the new name has another one. */
export function newNameOf(
  stays: readonly string[],
  request: { readonly namespace?: string | undefined; readonly name: string },
): NamespacedName {
  const { namespace, name } = parseNewTableName(request)
  const hasNamespace = request.namespace !== undefined || request.name.includes('.')
  return { namespace: hasNamespace ? namespace : stays, name }
}

/** The dotted name, always with its namespace. */
export function formatTableName(namespace: readonly string[], name: string): string {
  return [...namespace, name].join('.')
}

/**
 * How `/v1` finds a table or view: by its dotted name, or by its id where the dots would be
 * misread.
 */
export function formatIdentifier({ namespace, name }: NamespacedName, uuid: string): string {
  const isMisread = [...namespace, name].some((part) => part.includes('.')) || UUID.test(name)
  return isMisread ? uuid : formatTableName(namespace, name)
}

function parseDottedName(text: string): NamespacedName {
  requireShort(text)
  const parts = text.split('.')
  const name = parts.at(-1) ?? ''
  requireNamePart(name, 'a name', text)
  const above = parts.slice(0, -1)
  const namespace = above.length === 0 ? DEFAULT_NAMESPACE : requireNamespaceLevels(above, text)
  return { namespace, name }
}

function requireShort(text: string): void {
  if (text.length > IDENTIFIER_LENGTH_MAX) throw tooDeep(text)
}

function requireNewPart(part: string, text: string): void {
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
