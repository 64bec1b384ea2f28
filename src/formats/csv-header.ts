import type { Schema } from '../core/value/type.ts'

/** The header line of CSV, with its line ending (RFC 4180 quoting, `\n`). */
export function csvHeader({ fields }: Schema, delimiter: ',' | '\t' = ','): string {
  return `${fields.map(({ name }) => quoteName(name, delimiter)).join(delimiter)}\n`
}

function quoteName(name: string, delimiter: string): string {
  const isQuoted = /["\r\n]/.test(name) || name.includes(delimiter)
  return isQuoted ? `"${name.replaceAll('"', '""')}"` : name
}
