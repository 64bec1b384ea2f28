import { isTurnDue } from '../../../core/turns.ts'
import type { ParquetFooter } from '../footer/footer-model.ts'
import type { ThriftField, ThriftStruct, ThriftValue } from '../thrift/thrift.ts'
import { findStructs, getStructs } from '../thrift/thrift-fields.ts'
import { EXTENSION_FIELD, withoutFields } from './thrift-edit.ts'

/** Known fields of FileMetaData; higher ids belong to later versions of the format. */
const KNOWN_METADATA_FIELDS = 9
/** Names of columns are the table's, and bounded there. */
const NAME = new Set([4])
/** About what a column has at most: the reference system of a geometry takes some kilobytes. */
const BYTES_MAX = 64 * 1024
const VALUES_MAX = 1_000
/** The same of all columns together. */
const SUM_BYTES_MAX = 4 * 1024 * 1024

/**
 * Whether a footer has more than writers give of what a stitched one repeats as it is: elements of
 * its schema, the orders of its columns, and fields that nobody here knows. They are compared, and
 * written, at once. With pauses for others.
 */
export function* isOverlongSteps({ thrift, ...place }: ParquetFooter): Generator<void, boolean> {
  if (sizeOf({ fields: laterFields(thrift) }) === undefined) return true
  if (place.fileSizeBytes - place.footerOffset <= BYTES_MAX) return false
  let left = SUM_BYTES_MAX
  for (const list of [getStructs(thrift, 2), findStructs(thrift, 7) ?? []]) {
    for (const [i, struct] of list.entries()) {
      const size = sizeOf(withoutFields(struct, NAME))
      left -= size ?? Number.POSITIVE_INFINITY
      if (left < 0) return true
      if (isTurnDue(i)) yield
    }
  }
  return false
}

/** Fields of FileMetaData that belong to later versions of the format. */
export function laterFields({ fields }: ThriftStruct): readonly ThriftField[] {
  return fields.filter(({ id }) => id > KNOWN_METADATA_FIELDS && id !== EXTENSION_FIELD)
}

/** Its bytes, roughly; `undefined` beyond what any has, where it is looked at no further. */
function sizeOf(struct: ThriftStruct): number | undefined {
  let [bytes, values] = [0, 0]
  const waiting: ThriftValue[] = [struct]
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    const parts = partsOf(value)
    bytes += value instanceof Uint8Array ? value.length : 1
    values += parts.length
    if (bytes > BYTES_MAX || values > VALUES_MAX) return undefined
    waiting.push(...parts)
  }
  return bytes
}

/** One more than the limit tells as much as all. */
function partsOf(value: ThriftValue): readonly ThriftValue[] {
  if (typeof value !== 'object' || value instanceof Uint8Array) return []
  if ('fields' in value) return value.fields.slice(0, VALUES_MAX + 1).map((field) => field.value)
  if ('values' in value) return value.values.slice(0, VALUES_MAX + 1)
  return value.entries.slice(0, VALUES_MAX + 1).flat()
}
