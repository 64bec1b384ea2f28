import { CatalogError } from '../../../core/errors.ts'
import { quotedName } from '../../../core/quoted-name.ts'

/** A name as SQL. DuckDB ends a statement at U+0000, so a name that contains it is refused. */
export function quoteName(name: string): string {
  requireNoNul(name, name)
  return quotedName(name)
}

/** A text as SQL, including U+0000. */
export function quoteText(text: string): string {
  const parts = text.split('\0').map((part) => `'${part.replaceAll("'", "''")}'`)
  return parts.length === 1 ? `${parts[0]}` : `(${parts.join(' || chr(0) || ')})`
}

/** A text where SQL allows no expression: in the options of COPY. */
export function quoteConstant(text: string): string {
  requireNoNul(text, text)
  return `'${text.replaceAll("'", "''")}'`
}

export function notImplemented(column: string, rule: string): CatalogError {
  return new CatalogError('not-implemented', `Column ${column}: ${rule}.`, { facts: { column } })
}

function requireNoNul(text: string, name: string): void {
  if (text.includes('\0')) {
    throw notImplemented(name.replaceAll('\0', '\ufffd'), 'a name with U+0000 cannot be converted')
  }
}
