import { CatalogError } from '../errors.ts'
import type { AliasesById } from '../table-properties.ts'
import type { Field } from '../value/type.ts'
import { childFields, foldName } from './schema-lookup.ts'

/** Number of columns of a table, nested fields included. */
export const COLUMNS_MAX = 2_000
/** Depth of nested types; a plain column has depth 1. */
export const TYPE_DEPTH_MAX = 16
const NAME_LENGTH_MAX = 255
const ALIASES_MAX = 100
const DESCRIPTION_LENGTH_MAX = 16_384
const QUOTED_LENGTH_MAX = 100
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for.
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/
const LONE_SURROGATE = /\p{Surrogate}/u

export type SchemaErrorCode =
  | 'schema-invalid'
  | 'schema-change-invalid'
  | 'schema-change-rewrites-files'
  | 'query-invalid'

/** Every refusal of a schema names the column and the rule. */
export function schemaError(
  column: string,
  rule: string,
  code: SchemaErrorCode = 'schema-invalid',
): CatalogError {
  const name = quoted(column)
  const detail = name === '' ? `The schema: ${rule}.` : `Column ${name}: ${rule}.`
  return new CatalogError(code, detail, { facts: { column: name, rule } })
}

/** Text from a user, cut short enough to be repeated in a message. */
export function quoted(text: string): string {
  return text.length <= QUOTED_LENGTH_MAX ? text : `${text.slice(0, QUOTED_LENGTH_MAX)}…`
}

export function requireColumnName(name: unknown, code?: SchemaErrorCode): asserts name is string {
  if (typeof name !== 'string') throw schemaError('', 'a name must be text', code)
  if (name === '') throw schemaError('', 'a name must not be empty', code)
  if (name.length > NAME_LENGTH_MAX) {
    throw schemaError(name, `a name can have at most ${NAME_LENGTH_MAX} characters`, code)
  }
  if (CONTROL_CHARACTER.test(name) || LONE_SURROGATE.test(name)) {
    const visible = name.replace(/[\p{Cc}\p{Surrogate}]/gu, '\ufffd')
    throw schemaError(visible, 'a name must be valid Unicode without control characters', code)
  }
}

export function requireDescription(column: string, text: unknown, code?: SchemaErrorCode): void {
  if (typeof text === 'string' && text.length <= DESCRIPTION_LENGTH_MAX) return
  const rule = `a description must be text of at most ${DESCRIPTION_LENGTH_MAX} characters`
  throw schemaError(column, rule, code)
}

export function requireAliasNames(
  column: string,
  aliases: readonly string[],
  code?: SchemaErrorCode,
): void {
  if (aliases.length > ALIASES_MAX) {
    throw schemaError(column, `it can have at most ${ALIASES_MAX} aliases`, code)
  }
  for (const alias of aliases) requireColumnName(alias, code)
  if (new Set(aliases).size < aliases.length) {
    throw schemaError(column, 'one of its aliases is given twice', code)
  }
}

/**
 * Checks that there is at least one column, that they are not too many nor too deep, and that names
 * are unique. Throws `schema-invalid`.
 */
export function requireValidFields(fields: readonly Field[], code?: SchemaErrorCode): void {
  if (fields.length === 0) throw schemaError('', 'a table needs at least one column', code)
  const paths = new Set<string>()
  const check = (level: readonly Field[], above: string, depth: number): void => {
    for (const field of level) {
      const path = `${above}${field.name}`
      if (depth > TYPE_DEPTH_MAX) {
        throw schemaError(path, `types can be nested at most ${TYPE_DEPTH_MAX} deep`, code)
      }
      // A struct `a` with member `b` next to a column `a.b` would make two fields of one full name.
      if (paths.has(foldName(path))) {
        throw schemaError(path, 'there are two of this name, ignoring case', code)
      }
      paths.add(foldName(path))
      if (field.type.kind === 'struct' && field.type.fields.length === 0) {
        throw schemaError(path, 'a struct needs at least one member', code)
      }
      requireFewColumns(paths.size, code)
      check(childFields(field.type), `${path}.`, depth + 1)
    }
  }
  check(fields, '', 1)
}

/** Throws `schema-invalid` for more columns than a table can have, nested ones included. */
export function requireFewColumns(count: number, code?: SchemaErrorCode): void {
  if (count <= COLUMNS_MAX) return
  throw schemaError(
    '',
    `a table can have at most ${COLUMNS_MAX} columns, nested ones included`,
    code,
  )
}

/** Checks that no alias is another column's name or alias, without regard to case. */
export function requireValidAliases(
  fields: readonly Field[],
  aliasesById: AliasesById,
  code?: SchemaErrorCode,
): void {
  const owners = new Map(fields.map((field) => [foldName(field.name), field]))
  for (const field of fields) {
    for (const alias of aliasesById.get(field.id) ?? []) {
      const owner = owners.get(foldName(alias)) ?? field
      if (owner !== field) {
        throw schemaError(
          field.name,
          `its alias ${quoted(alias)} also stands for ${quoted(owner.name)}`,
          code,
        )
      }
      owners.set(foldName(alias), field)
    }
  }
}
