import type { DataFile } from '../file/data-file.ts'
import { hexText } from '../value/bytes-text.ts'
import type { Value } from '../value/value.ts'

/** U+FEFF at the beginning is a character as any other. */
const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Equal for files of one partition, also where a column got another type between their manifests:
 * an int is the long of its number, a text is its bytes. 1 and '1' differ, and so do the zeros.
 */
export function partitionKey({
  specId,
  partition,
}: Pick<DataFile, 'specId' | 'partition'>): string {
  const values = partition.map((value) => (value === null ? null : valueKey(value)))
  return JSON.stringify([specId, ...values])
}

function valueKey(value: Value): string {
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return `number:${Object.is(value, -0) ? '-0' : value}`
    case 'string':
      return `text:${value}`
    case 'boolean':
      return `boolean:${value}`
    default:
      return bytesKey(value)
  }
}

function bytesKey(bytes: Uint8Array): string {
  try {
    return `text:${UTF_8.decode(bytes)}`
  } catch {
    return `bytes:${hexText(bytes)}`
  }
}
