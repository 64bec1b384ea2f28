import type { Schema } from '../../../core/value/type.ts'

/** The header line of a CSV dump, with its line ending (RFC 4180 quoting, `\n`). */
export function csvHeader({ fields }: Schema): string {
  return `${fields.map(({ name }) => quoteName(name)).join(',')}\n`
}

function quoteName(name: string): string {
  return /[",\r\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name
}
