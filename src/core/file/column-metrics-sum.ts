import { decodeSingleValue } from '../value/single-value.ts'
import type { PrimitiveType, Type } from '../value/type.ts'
import { compareValues, type Value } from '../value/value.ts'
import { type FileColumns, statisticsOfRow } from './file-columns.ts'
import type { FileStatistics } from './file-statistics.ts'

/** What the metrics of files tell of a column. `undefined`: only its values tell. */
export interface ColumnFacts {
  readonly nulls: number | undefined
  /** The least and the greatest value; `none` if every value is null. */
  readonly ends: { readonly least: Value; readonly greatest: Value } | 'none' | undefined
}

/**
 * Types whose bounds are values themselves, by the lengths of these. Those of texts and bytes may
 * be cut, those of times rounded up from nanoseconds, and both zeros of floats are one to writers.
 */
const EXACT_LENGTHS: Partial<Record<Type['kind'], readonly number[]>> = {
  boolean: [1],
  int: [4],
  date: [4],
  // One that was an int when the file was written has four.
  long: [4, 8],
  decimal: Array.from({ length: 16 }, (_, i) => i + 1),
}

/** Sums the metrics of one column over files in which no row is deleted. */
export class ColumnMetricsSum {
  readonly #fieldId: number
  readonly #type: Type
  #nulls: number | undefined = 0
  #ends: ColumnFacts['ends'] = 'none'

  constructor({ fieldId, type }: { readonly fieldId: number; readonly type: Type }) {
    this.#fieldId = fieldId
    this.#type = type
  }

  get facts(): ColumnFacts {
    return { nulls: this.#nulls, ends: this.#nulls === undefined ? undefined : this.#ends }
  }

  /** Whether no further file adds to what is known. */
  get knowsNothing(): boolean {
    return this.#nulls === undefined
  }

  add(files: FileColumns, row: number): void {
    const file = statisticsOfRow(files, row)
    if (file.recordCount === 0 || this.#nulls === undefined) return
    const nulls = nullsIn(file, this.#fieldId)
    if (nulls === undefined) {
      this.#nulls = undefined
      return
    }
    this.#nulls += nulls
    if (nulls < file.recordCount) this.#widen(file)
  }

  #widen(file: FileStatistics): void {
    if (this.#ends === undefined) return
    const least = exactBound(this.#type, file.lowerBound(this.#fieldId))
    const greatest = exactBound(this.#type, file.upperBound(this.#fieldId))
    const type = this.#type as PrimitiveType
    if (least === undefined || greatest === undefined || compareValues(type, least, greatest) > 0) {
      this.#ends = undefined
      return
    }
    const before = this.#ends === 'none' ? { least, greatest } : this.#ends
    this.#ends = {
      least: compareValues(type, least, before.least) < 0 ? least : before.least,
      greatest: compareValues(type, greatest, before.greatest) > 0 ? greatest : before.greatest,
    }
  }
}

/** Only if the file counts a value for each of its rows: else it may count something else. */
function nullsIn(file: FileStatistics, fieldId: number): number | undefined {
  const nulls = file.nullCount(fieldId)
  if (file.valueCount(fieldId) !== file.recordCount) return undefined
  return nulls !== undefined && nulls >= 0 && nulls <= file.recordCount ? nulls : undefined
}

function exactBound(type: Type, bytes: Uint8Array | undefined): Value | undefined {
  if (bytes === undefined || EXACT_LENGTHS[type.kind]?.includes(bytes.length) !== true) {
    return undefined
  }
  return decodeSingleValue(type as PrimitiveType, bytes)
}
