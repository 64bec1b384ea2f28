import type { DataFile } from '../src/core/file/data-file.ts'
import { encodeSingleValue } from '../src/core/value/single-value.ts'

const TYPES = ['long', 'long', 'double', 'string', 'timestamp', 'int', 'long', 'date'] as const

/** `c0`, `c1` and so on, as `POST /v1/tables` takes them. */
export const WIDE_COLUMNS = TYPES.map((type, i) => ({ name: `c${i}`, type }))

/**
 * One of many data files of the table `default.wide`, with bounds of all columns. It need not
 * exist.
 */
export function wideFile(home: string, index: number): DataFile {
  const bound = (i: number, high: boolean): Uint8Array => {
    const base = index * 1000 + (high ? 999 : 0)
    switch (TYPES[i]) {
      case 'double':
        return encodeSingleValue({ kind: 'double' }, base / 7)
      case 'string':
        return encodeSingleValue({ kind: 'string' }, `key ${String(base).padStart(12, '0')}`)
      case 'int':
      case 'date':
        return encodeSingleValue({ kind: 'int' }, base % 20_000)
      default:
        return encodeSingleValue({ kind: 'long' }, BigInt(base))
    }
  }
  const byId = <T>(value: (i: number) => T) => new Map(TYPES.map((_, i) => [i + 1, value(i)]))
  const name = `part-${String(index).padStart(8, '0')}.parquet`
  return {
    content: 'data',
    path: `file://${home}/warehouse/default/wide/data/${name}`,
    format: 'parquet',
    specId: 0,
    partition: [],
    recordCount: 1000,
    fileSizeBytes: 65_536,
    columnSizes: byId(() => 8_000),
    valueCounts: byId(() => 1000),
    nullValueCounts: byId(() => 0),
    lowerBounds: byId((i) => bound(i, false)),
    upperBounds: byId((i) => bound(i, true)),
    splitOffsets: [4],
  }
}
