import { isTurnDue } from '../../../core/turns.ts'
import type { ThriftList, ThriftStruct } from '../thrift/thrift.ts'
import { findBoolean, findNumber, findStruct, findStructs } from '../thrift/thrift-fields.ts'
import { writeThriftInSteps } from '../thrift/thrift-steps.ts'
import type { ColumnChunk, ParquetFooter } from './footer-model.ts'

/** Field of FileMetaData, of SchemaElement, of LogicalType, and of TimestampType. */
const SCHEMA = 2
const CHILD_COUNT = 5
const LOGICAL_TYPE = 10
const TIMESTAMP = 8
const IS_ADJUSTED_TO_UTC = 1
const UNIT = 2
const NANOS = 3

/**
 * The footer with moments in nanoseconds (a timestamp in UTC) as local timestamps of the same
 * numbers, if some may be before 1970; else `undefined`. DuckDB cuts off the nanoseconds of moments
 * as it reads them, before 1970 in the wrong direction; those of local timestamps it keeps.
 * In steps, with pauses for others.
 */
export function* withLocalMomentsSteps(
  footer: ParquetFooter,
): Generator<void, Uint8Array | undefined> {
  const elements = findStructs(footer.thrift, SCHEMA) ?? []
  let leafIndex = -1
  let isEarly = false
  const changed: ThriftStruct[] = []
  for (const [i, element] of elements.entries()) {
    if (isTurnDue(i)) yield
    const isLeaf = (findNumber(element, CHILD_COUNT) ?? 0) === 0
    if (isLeaf) leafIndex++
    const local = isLeaf ? asLocal(element) : undefined
    if (local !== undefined && isAnyEarly(footer, leafIndex)) isEarly = true
    changed.push(local ?? element)
  }
  if (!isEarly) return undefined
  const fields = footer.thrift.fields.map((field) =>
    field.id === SCHEMA
      ? { ...field, value: { ...(field.value as ThriftList), values: changed } }
      : field,
  )
  return yield* writeThriftInSteps({ fields })
}

function asLocal(element: ThriftStruct): ThriftStruct | undefined {
  const logicalType = findStruct(element, LOGICAL_TYPE)
  const timestamp = logicalType && findStruct(logicalType, TIMESTAMP)
  const unit = timestamp && findStruct(timestamp, UNIT)
  if (unit === undefined || findStruct(unit, NANOS) === undefined) return undefined
  if (findBoolean(timestamp as ThriftStruct, IS_ADJUSTED_TO_UTC) !== true) return undefined
  return within(element, LOGICAL_TYPE, (type) =>
    within(type, TIMESTAMP, (each) => ({
      fields: each.fields.map((f) => (f.id === IS_ADJUSTED_TO_UTC ? { ...f, value: false } : f)),
    })),
  )
}

function within(
  struct: ThriftStruct,
  id: number,
  change: (inner: ThriftStruct) => ThriftStruct,
): ThriftStruct {
  const fields = struct.fields.map((field) =>
    field.id === id ? { ...field, value: change(field.value as ThriftStruct) } : field,
  )
  return { fields }
}

function isAnyEarly({ rowGroups }: ParquetFooter, leafIndex: number): boolean {
  return rowGroups.some(({ columns }) => mayBeEarly(columns[leafIndex] as ColumnChunk))
}

function mayBeEarly({ valueCount, statistics }: ColumnChunk): boolean {
  if (statistics?.nullCount === valueCount) return false
  const least = statistics?.minValue ?? statistics?.min
  if (least?.length !== 8) return true
  const view = new DataView(least.buffer, least.byteOffset, 8)
  return view.getBigInt64(0, true) < 0n
}
