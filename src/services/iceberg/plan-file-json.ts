import type { BoundByFieldId, CountByFieldId, DataFile } from '../../core/data-file.ts'
import { findField } from '../../core/schema-lookup.ts'
import { valueToJson } from '../../core/single-value.ts'
import { getSpec, schemaOfSpec, type TableDefinition } from '../../core/table.ts'
import { transformResultType } from '../../core/transform.ts'
import { isNested, type PrimitiveType } from '../../core/type.ts'
import type { Value } from '../../core/value.ts'
import { stringifyExactJson } from '../../formats/iceberg/exact-json.ts'

/** Iceberg REST specification, `ContentFile`, in the forms that Iceberg's own clients read. */
export class ContentFileWriter {
  readonly #definition: TableDefinition
  readonly #statsFieldIds: readonly number[]
  readonly #partitionTypes = new Map<number, readonly PrimitiveType[]>()

  /** Statistics are given of these columns only. */
  constructor(definition: TableDefinition, statsFieldIds: readonly number[]) {
    this.#definition = definition
    this.#statsFieldIds = [...new Set(statsFieldIds)]
  }

  dataFile(file: DataFile, sequenceNumber: bigint): string {
    // Rows of a file with row ids inherit its sequence number (Iceberg spec, "Row Lineage").
    const lineage =
      file.firstRowId === undefined
        ? {}
        : { 'first-row-id': file.firstRowId, 'data-sequence-number': sequenceNumber }
    return this.#write(file, {
      ...this.#statistics(file),
      ...lineage,
    })
  }

  deleteFile(file: DataFile): string {
    return this.#write(file, {
      'equality-ids': file.equalityIds,
      'referenced-data-file': file.referencedDataFile,
      'content-offset': file.contentOffset,
      'content-size-in-bytes': file.contentSizeBytes,
    })
  }

  #write(file: DataFile, more: Readonly<Record<string, unknown>>): string {
    const rest = stringifyExactJson({
      'file-size-in-bytes': file.fileSizeBytes,
      'record-count': file.recordCount,
      'key-metadata': file.keyMetadata === undefined ? undefined : upperHex(file.keyMetadata),
      'split-offsets': file.splitOffsets,
      'sort-order-id': file.sortOrderId,
      ...more,
    })
    const head = stringifyExactJson({
      'spec-id': file.specId,
      content: file.content,
      'file-path': file.path,
      'file-format': file.format,
    })
    return `${head.slice(0, -1)},"partition":[${this.#partition(file)}],${rest.slice(1)}`
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

  #statistics(file: DataFile): Readonly<Record<string, unknown>> {
    if (this.#statsFieldIds.length === 0) return {}
    return {
      'column-sizes': this.#counts(file.columnSizes),
      'value-counts': this.#counts(file.valueCounts),
      'null-value-counts': this.#counts(file.nullValueCounts),
      'nan-value-counts': this.#counts(file.nanValueCounts),
      'lower-bounds': this.#bounds(file.lowerBounds),
      'upper-bounds': this.#bounds(file.upperBounds),
    }
  }

  #counts(counts: CountByFieldId | undefined) {
    return counts === undefined ? undefined : this.#keysAndValues(counts, (count) => count)
  }

  /** Iceberg's clients read bounds as the hexadecimal digits of the binary form, whatever the type. */
  #bounds(bounds: BoundByFieldId | undefined) {
    return bounds === undefined ? undefined : this.#keysAndValues(bounds, upperHex)
  }

  #keysAndValues<T>(map: ReadonlyMap<number, T>, toJson: (value: T) => unknown) {
    const keys = this.#statsFieldIds.filter((id) => map.has(id))
    return { keys, values: keys.map((id) => toJson(map.get(id) as T)) }
  }
}

function upperHex(bytes: Uint8Array): string {
  const { buffer, byteOffset, byteLength } = bytes
  return Buffer.from(buffer, byteOffset, byteLength).toString('hex').toUpperCase()
}

function partitionValueJson(type: PrimitiveType, value: Value | null): string {
  if (value === null) return 'null'
  if (value instanceof Uint8Array && type.kind !== 'uuid') return `"${upperHex(value)}"`
  // Java takes `1` for no floating-point number.
  if (isFloating(type) && Number.isInteger(value) && Math.abs(value as number) < 1e21) {
    return `${Object.is(value, -0) ? '-0' : value}.0`
  }
  return stringifyExactJson(valueToJson(type, value))
}

function isFloating({ kind }: PrimitiveType): boolean {
  return kind === 'float' || kind === 'double'
}
