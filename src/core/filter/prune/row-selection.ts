import { firstFrom, numberAt, type SparseNumbers } from '../../value/row-numbers.ts'

/** A range of rows with a mark for each: 1 while the row may match, else 0. */
export interface RowSelection {
  /** The first row. */
  readonly start: number
  readonly marks: Uint8Array
}

export function selectAll(start: number, end: number): RowSelection {
  return { start, marks: new Uint8Array(Math.max(0, end - start)).fill(1) }
}

export function copyOf({ start, marks }: RowSelection): RowSelection {
  return { start, marks: marks.slice() }
}

export function clearRow({ start, marks }: RowSelection, row: number): void {
  marks[row - start] = 0
}

/** Marks every row marked in either selection; both cover the same rows. */
export function addMarks(into: RowSelection, { marks }: RowSelection): void {
  for (let i = 0; i < marks.length; i++) {
    into.marks[i] = (into.marks[i] as number) | (marks[i] as number)
  }
}

/** Calls `visit` with each value of a column and its row in the selection, marked or not. */
export function forEachValue(
  columnRows: Uint32Array | undefined,
  { start, marks }: RowSelection,
  visit: (index: number, row: number) => void,
): void {
  const end = start + marks.length
  if (columnRows === undefined) {
    for (let row = start; row < end; row++) visit(row, row)
    return
  }
  for (let index = firstFrom(columnRows, start); index < columnRows.length; index++) {
    const row = columnRows[index] as number
    if (row >= end) return
    visit(index, row)
  }
}

/** Clears the rows for whose number `isOut` is true; rows without a number stay. */
export function clearNumbers(
  column: SparseNumbers | undefined,
  rows: RowSelection,
  isOut: (value: number, row: number) => boolean,
): void {
  if (column === undefined) return
  const { values } = column
  forEachValue(column.rows, rows, (index, row) => {
    if (isOut(numberAt(values, index), row)) clearRow(rows, row)
  })
}

/** Whether every row has this number. */
export function isEverywhere(column: SparseNumbers | undefined, number: number): boolean {
  return column !== undefined && column.rows === undefined && column.values === number
}
