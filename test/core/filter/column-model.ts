import type { FileColumns } from '../../../src/core/file/file-columns.ts'
import type { FileStatistics } from '../../../src/core/file/file-statistics.ts'
import { BoundValues, type BoundWidth } from '../../../src/core/value/bound-values.ts'
import type { Numbers, SparseNumbers } from '../../../src/core/value/row-numbers.ts'

/** The statistics of files as columns, made the simplest way. */
export function columnsOf(files: readonly FileStatistics[], partitionFields: number): FileColumns {
  return {
    rowCount: files.length,
    specId: files[0]?.specId ?? 0,
    recordCounts: numbersOf(files.map((file) => file.recordCount)),
    partitions: Array.from({ length: partitionFields }, (_, i) => ({
      distinct: files.map((file) => file.partition()[i] ?? null),
      codes: numbersOf(files.map((_file, row) => row)),
    })),
    valueCounts: (id) => sparse(files.map((file) => file.valueCount(id))),
    nullCounts: (id) => sparse(files.map((file) => file.nullCount(id))),
    nanCounts: (id) => sparse(files.map((file) => file.nanCount(id))),
    lowerBounds: (id) => boundsOf(files.map((file) => file.lowerBound(id))),
    upperBounds: (id) => boundsOf(files.map((file) => file.upperBound(id))),
  }
}

function numbersOf(values: readonly number[]): Numbers {
  const [first = 0] = values
  return values.every((value) => value === first) ? first : Float64Array.from(values)
}

function rowsOf(values: readonly unknown[]): Uint32Array {
  return Uint32Array.from(values.flatMap((value, row) => (value === undefined ? [] : [row])))
}

function sparse(values: readonly (number | undefined)[]): SparseNumbers | undefined {
  const present = values.filter((value) => value !== undefined)
  if (present.length === 0) return undefined
  const rows = present.length === values.length ? undefined : rowsOf(values)
  return { rows, values: numbersOf(present) }
}

function boundsOf(values: readonly (Uint8Array | undefined)[]): BoundValues | undefined {
  const present = values.filter((value) => value !== undefined)
  if (present.length === 0) return undefined
  const widths = new Set(present.map((value) => value.length))
  const [only] = widths
  const width: BoundWidth = widths.size === 1 && (only === 4 || only === 8) ? only : 0
  let end = 0
  return new BoundValues({
    rows: present.length === values.length ? undefined : rowsOf(values),
    width,
    bytes: Uint8Array.from(present.flatMap((value) => [...value])),
    ends:
      width > 0 ? new Uint32Array(0) : Uint32Array.from(present, (value) => (end += value.length)),
    count: present.length,
  })
}
