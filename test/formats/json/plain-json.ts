import type { ManifestFile } from '../../../src/core/file/data-file.ts'

/**
 * Values as JSON that a person can write: `5n` is a bigint, `0x00ff` is bytes, a map is an object.
 */
export function toPlainJson(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`
  if (value instanceof Map) return toPlainJson(Object.fromEntries(value))
  if (Array.isArray(value)) return value.map(toPlainJson)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, toPlainJson(part)]))
}

/** The line of a manifest list that a golden file gives, as far as decoding needs it. */
export function manifestOf(plain: Readonly<Record<string, unknown>>): Partial<ManifestFile> {
  const values = Object.entries(plain).map(([key, value]) => {
    return [key, typeof value === 'string' ? BigInt(value.replace('n', '')) : value]
  })
  return Object.fromEntries(values)
}
