/** A number for each row, or a single one that all rows have. */
export type Numbers = number | Uint8Array | Uint16Array | Uint32Array | Float64Array

/** Numbers of those rows that have one. */
export interface SparseNumbers {
  /** Rows with a number, ascending; `undefined` if all have one. */
  readonly rows: Uint32Array | undefined
  /** In the order of `rows`. */
  readonly values: Numbers
}

export function numberAt(numbers: Numbers, row: number): number {
  return typeof numbers === 'number' ? numbers : (numbers[row] as number)
}

export function findNumber(column: SparseNumbers | undefined, row: number): number | undefined {
  if (column === undefined) return undefined
  const index = indexOfRow(column.rows, row)
  return index < 0 ? undefined : numberAt(column.values, index)
}

/** Index of a row's value; -1 if it has none. */
export function indexOfRow(rows: Uint32Array | undefined, row: number): number {
  if (rows === undefined) return row
  const index = firstFrom(rows, row)
  return rows[index] === row ? index : -1
}

/** Index of the first number not below `least`; the numbers are ascending. */
export function firstFrom(numbers: Uint32Array, least: number): number {
  let start = 0
  let end = numbers.length
  while (start < end) {
    const middle = (start + end) >>> 1
    if ((numbers[middle] as number) < least) start = middle + 1
    else end = middle
  }
  return start
}
