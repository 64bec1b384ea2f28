import { readFile } from 'node:fs/promises'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import type { Row } from './icebird.ts'

/** Rows straight from a Parquet file, with no catalog and no reader of ours between. */
export async function readParquetRows(path: string): Promise<Row[]> {
  const bytes = await readFile(path)
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  return parquetReadObjects({ file: file as ArrayBuffer, compressors })
}

/**
 * Rows as sorted text, so that two readers' answers compare as multisets: 1 and 1n and '1' all
 * differ.
 */
export function canonical(rows: readonly Row[]): string[] {
  return rows.map((row) => JSON.stringify(sortedEntries(row), canonicalValue)).sort()
}

function sortedEntries(row: Row): unknown {
  return Object.entries(row)
    .filter(([, value]) => value !== null && value !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1))
}

function canonicalValue(this: unknown, key: string, value: unknown): unknown {
  // Dates arrive here as text already: the holder still has the date.
  const original = (this as Record<string, unknown>)[key]
  if (original instanceof Date) return { date: original.getTime() }
  if (typeof value === 'bigint') return { bigint: String(value) }
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') }
  if (typeof value === 'number' && !Number.isFinite(value)) return { number: String(value) }
  return value
}
