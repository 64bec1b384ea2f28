/**
 * 64-bit integers by row: one shared by all rows (possibly null), or a value for each row that has
 * one.
 */
export type LongColumn =
  | bigint
  | null
  | { readonly values: BigInt64Array; readonly present: Uint8Array }

export function longAt(column: LongColumn, row: number): bigint | null {
  if (column === null || typeof column === 'bigint') return column
  return column.present[row] === 1 ? (column.values[row] as bigint) : null
}

export function bytesOfLongs(column: LongColumn): number {
  if (column === null || typeof column === 'bigint') return 0
  return column.values.byteLength + column.present.byteLength
}

/** Builds a column; a value shared by all rows takes no memory. */
export class LongColumnBuilder {
  #values: BigInt64Array<ArrayBufferLike> = new BigInt64Array(0)
  #present: Uint8Array<ArrayBufferLike> = new Uint8Array(0)
  #first: bigint | undefined
  /** Number of rows with the first row's value; the arrays are empty until another value comes. */
  #shared = 0

  /** Sets the value of a row. Rows must ascend; omitted ones are null. */
  set(row: number, value: bigint): void {
    if (this.#values.length === 0) {
      if (row === this.#shared && (row === 0 || value === this.#first)) {
        this.#first = value
        this.#shared = row + 1
        return
      }
      this.#spread(row + 1)
    }
    if (row >= this.#values.length) this.#grow(2 * row)
    this.#values[row] = value
    this.#present[row] = 1
  }

  finish(rowCount: number): LongColumn {
    if (this.#values.length === 0) {
      const value = this.#first ?? null
      if (value === null || this.#shared === rowCount) return value
      this.#spread(rowCount)
    }
    this.#grow(rowCount)
    return { values: this.#values.slice(0, rowCount), present: this.#present.slice(0, rowCount) }
  }

  #spread(length: number): void {
    this.#grow(length)
    if (this.#first === undefined) return
    this.#values.fill(this.#first, 0, this.#shared)
    this.#present.fill(1, 0, this.#shared)
  }

  #grow(length: number): void {
    if (length <= this.#values.length) return
    const [values, present] = [new BigInt64Array(length), new Uint8Array(length)]
    values.set(this.#values)
    present.set(this.#present)
    this.#values = values
    this.#present = present
  }
}
