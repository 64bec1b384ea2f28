import { CatalogError } from '../../core/errors.ts'
import type { DataFile } from '../../core/file/data-file.ts'
import { childFields } from '../../core/schema/schema-lookup.ts'
import type { TableDefinition } from '../../core/table/table.ts'
import { decodeSingleValue, valueToJson } from '../../core/value/single-value.ts'
import { type Field, isNested, type PrimitiveType, type Schema } from '../../core/value/type.ts'
import type { Value } from '../../core/value/value.ts'
import { stringifyExactJson } from '../../formats/json/exact-json.ts'
import { ShownPartitions } from '../../lake/file/shown-partitions.ts'
import type { PlannedFile } from '../../lake/scan/plan-files.ts'

interface NamedType {
  /** Dotted for nested fields. */
  readonly name: string
  /** The name as JSON. */
  readonly key: string
  readonly type: PrimitiveType
}

/** Metrics of a data file that the writer shows. */
export const SHOWN_METRICS = ['nullValueCounts', 'lowerBounds', 'upperBounds'] as const

/** Writes data files as JSON; everything that depends only on the table is computed once. */
export class DataFileWriter {
  readonly #columns: ReadonlyMap<number, NamedType>
  readonly #partitions: ShownPartitions

  /** Bounds are shown for the columns of `schema`. */
  constructor(definition: TableDefinition, schema: Schema) {
    this.#partitions = new ShownPartitions(definition)
    this.#columns = new Map(primitiveColumns(schema.fields))
  }

  /** One line. Built as text, for speed: a list may have a hundred thousand files. */
  toJson({ dataFile, sequenceNumber, deleteFiles }: PlannedFile): string {
    return (
      `{"path":${JSON.stringify(dataFile.path)},"format":"${dataFile.format}"` +
      `,"record_count":${dataFile.recordCount},"file_size_bytes":${dataFile.fileSizeBytes}` +
      `,"sequence_number":"${sequenceNumber}"` +
      `,"partition":${stringifyExactJson(this.#partitions.of(dataFile))}` +
      `,"bounds":{${this.#bounds(dataFile)}},"null_counts":{${this.#nullCounts(dataFile)}}` +
      `,"delete_files":${deleteFiles.length === 0 ? '[]' : deleteFilesToJson(deleteFiles)}}`
    )
  }

  #bounds({ lowerBounds, upperBounds }: DataFile): string {
    const ids = new Set([...(lowerBounds?.keys() ?? []), ...(upperBounds?.keys() ?? [])])
    return this.#byColumn(ids, (id, type) => {
      const lower = boundToJson(type, lowerBounds?.get(id))
      return `{"lower":${lower},"upper":${boundToJson(type, upperBounds?.get(id))}}`
    })
  }

  #nullCounts({ nullValueCounts }: DataFile): string {
    return this.#byColumn(nullValueCounts?.keys() ?? [], (id) => String(nullValueCounts?.get(id)))
  }

  /** Columns that are not in the schema (any more) are left out. */
  #byColumn(ids: Iterable<number>, toJson: (id: number, type: PrimitiveType) => string): string {
    let members = ''
    for (const id of ids) {
      const column = this.#columns.get(id)
      if (column === undefined) continue
      members += `${members === '' ? '' : ','}${column.key}:${toJson(id, column.type)}`
    }
    return members
  }
}

function deleteFilesToJson(deleteFiles: readonly DataFile[]): string {
  return JSON.stringify(
    deleteFiles.map((file) => ({
      path: file.path,
      content: file.content,
      format: file.format,
      record_count: file.recordCount,
      file_size_bytes: file.fileSizeBytes,
    })),
  )
}

/** Engines write what they like into manifests: a bound that is no value is not known. */
function boundToJson(type: PrimitiveType, bound: Uint8Array | undefined): string {
  const value = bound === undefined ? undefined : decodedBound(type, bound)
  if (value === undefined) return 'null'
  const json = valueToJson(type, value)
  return typeof json === 'bigint' ? String(json) : JSON.stringify(json)
}

function decodedBound(type: PrimitiveType, bound: Uint8Array): Value | undefined {
  try {
    return decodeSingleValue(type, bound)
  } catch (error) {
    if (error instanceof CatalogError && error.code === 'metadata-corrupt') return undefined
    throw error
  }
}

function namedType(name: string, type: PrimitiveType): NamedType {
  return { name, key: JSON.stringify(name), type }
}

function* primitiveColumns(fields: readonly Field[], prefix = ''): Generator<[number, NamedType]> {
  for (const { id, name, type } of fields) {
    if (isNested(type)) yield* primitiveColumns(childFields(type), `${prefix}${name}.`)
    else yield [id, namedType(prefix + name, type)]
  }
}
