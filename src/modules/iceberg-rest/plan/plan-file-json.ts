import type { BoundByFieldId, CountByFieldId, DataFile } from '../../../core/file/data-file.ts'
import { transformResultType } from '../../../core/partition/transform.ts'
import { findField } from '../../../core/schema/schema-lookup.ts'
import { getSpec, schemaOfSpec, type TableDefinition } from '../../../core/table/table.ts'
import { valueToJson } from '../../../core/value/single-value.ts'
import { isNested, type PrimitiveType } from '../../../core/value/type.ts'
import type { Value } from '../../../core/value/value.ts'
import { stringifyExactJson } from '../../../formats/json/exact-json.ts'
import { moreMembers } from '../../../formats/json/json-text.ts'

/** A `ContentFile` of the Iceberg REST specification, as Iceberg's own clients read it. */
export class ContentFileWriter {
  readonly #definition: TableDefinition
  readonly #statsFieldIds: readonly number[]
  readonly #partitionTypes = new Map<number, readonly PrimitiveType[]>()

  /** Only these columns get statistics. */
  constructor(definition: TableDefinition, statsFieldIds: readonly number[]) {
    this.#definition = definition
    this.#statsFieldIds = [...new Set(statsFieldIds)]
  }

  dataFile(file: DataFile, sequenceNumber: bigint): string {
    return `${this.#common(file)}${this.#statistics(file)}${lineage(file, sequenceNumber)}}`
  }

  deleteFile(file: DataFile): string {
    const members = moreMembers({
      'equality-ids': file.equalityIds,
      'referenced-data-file': file.referencedDataFile,
      'content-offset': file.contentOffset,
      'content-size-in-bytes': file.contentSizeBytes,
    })
    return `${this.#common(file)}${members}}`
  }

  // By hand: 2 µs a file, where a generic writer took 12; this is half the cost of a task.
  #common(file: DataFile): string {
    const { splitOffsets, sortOrderId, keyMetadata } = file
    const key = keyMetadata === undefined ? '' : `,"key-metadata":"${upperHex(keyMetadata)}"`
    const offsets = splitOffsets === undefined ? '' : `,"split-offsets":[${splitOffsets.join(',')}]`
    const order = sortOrderId === undefined ? '' : `,"sort-order-id":${sortOrderId}`
    return (
      `{"spec-id":${file.specId},"content":"${file.content}",` +
      `"file-path":${JSON.stringify(file.path)},"file-format":"${file.format}",` +
      `"partition":[${this.#partition(file)}],"file-size-in-bytes":${file.fileSizeBytes},` +
      `"record-count":${file.recordCount}${key}${offsets}${order}`
    )
  }

  #partition({ specId, partition }: DataFile): string {
    const types = this.#typesOf(specId)
    return types.map((type, i) => partitionValueJson(type, partition[i] ?? null)).join(',')
  }

  #typesOf(specId: number): readonly PrimitiveType[] {
    const known = this.#partitionTypes.get(specId)
    if (known !== undefined) return known
    const spec = getSpec(this.#definition, specId)
    const schema = schemaOfSpec(this.#definition, spec)
    const types = spec.fields.map(({ sourceId, transform }): PrimitiveType => {
      const source = findField(schema, sourceId)?.type
      const isKnown = source !== undefined && !isNested(source)
      return isKnown ? transformResultType(transform, source) : { kind: 'unknown' }
    })
    this.#partitionTypes.set(specId, types)
    return types
  }

  #statistics(file: DataFile): string {
    if (this.#statsFieldIds.length === 0) return ''
    return [
      this.#counts('column-sizes', file.columnSizes),
      this.#counts('value-counts', file.valueCounts),
      this.#counts('null-value-counts', file.nullValueCounts),
      this.#counts('nan-value-counts', file.nanValueCounts),
      this.#bounds('lower-bounds', file.lowerBounds),
      this.#bounds('upper-bounds', file.upperBounds),
    ].join('')
  }

  #counts(name: string, counts: CountByFieldId | undefined): string {
    return counts === undefined ? '' : this.#keysAndValues(name, counts, String)
  }

  /**
   * Iceberg's clients read bounds of all types as the hexadecimal digits of the binary form.
   */
  #bounds(name: string, bounds: BoundByFieldId | undefined): string {
    const quoted = (bytes: Uint8Array) => `"${upperHex(bytes)}"`
    return bounds === undefined ? '' : this.#keysAndValues(name, bounds, quoted)
  }

  #keysAndValues<T>(
    name: string,
    map: ReadonlyMap<number, T>,
    toJson: (value: T) => string,
  ): string {
    const keys = this.#statsFieldIds.filter((id) => map.has(id))
    const values = keys.map((id) => toJson(map.get(id) as T))
    return `,"${name}":{"keys":[${keys.join(',')}],"values":[${values.join(',')}]}`
  }
}

/** Rows of a file with row ids inherit its sequence number (Iceberg spec, "Row Lineage"). */
function lineage({ firstRowId }: DataFile, sequenceNumber: bigint): string {
  if (firstRowId === undefined) return ''
  return `,"first-row-id":${firstRowId},"data-sequence-number":${sequenceNumber}`
}

function upperHex(bytes: Uint8Array): string {
  const { buffer, byteOffset, byteLength } = bytes
  return Buffer.from(buffer, byteOffset, byteLength).toString('hex').toUpperCase()
}

function partitionValueJson(type: PrimitiveType, value: Value | null): string {
  if (value === null) return 'null'
  if (value instanceof Uint8Array && type.kind !== 'uuid') return `"${upperHex(value)}"`
  // Java does not accept `1` as a floating-point number.
  if (isFloating(type) && Number.isInteger(value) && Math.abs(value as number) < 1e21) {
    return `${Object.is(value, -0) ? '-0' : value}.0`
  }
  return stringifyExactJson(valueToJson(type, value))
}

function isFloating({ kind }: PrimitiveType): boolean {
  return kind === 'float' || kind === 'double'
}
