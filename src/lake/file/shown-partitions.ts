import type { DataFile } from '../../core/file/data-file.ts'
import { transformResultType } from '../../core/partition/transform.ts'
import { findField } from '../../core/schema/schema-lookup.ts'
import { getSpec, type TableDefinition } from '../../core/table/table.ts'
import { valueToJson } from '../../core/value/single-value.ts'
import { isNested, type PrimitiveType } from '../../core/value/type.ts'

interface PartitionColumn {
  readonly name: string
  readonly type: PrimitiveType
}

/** Partitions of data files as JSON, by the names of their fields; specs are read once. */
export class ShownPartitions {
  readonly #definition: TableDefinition
  readonly #columns = new Map<number, readonly PartitionColumn[]>()

  constructor(definition: TableDefinition) {
    this.#definition = definition
  }

  of({ specId, partition }: Pick<DataFile, 'specId' | 'partition'>): Record<string, unknown> {
    return Object.fromEntries(
      this.#columnsOf(specId).map(({ name, type }, i) => {
        const value = partition[i] ?? null
        return [name, value === null ? null : valueToJson(type, value)]
      }),
    )
  }

  #columnsOf(specId: number): readonly PartitionColumn[] {
    const known = this.#columns.get(specId)
    if (known !== undefined) return known
    const { fields } = getSpec(this.#definition, specId)
    const columns = fields.map(({ name, sourceId, transform }) => {
      return { name, type: transformResultType(transform, this.#typeOf(sourceId)) }
    })
    this.#columns.set(specId, columns)
    return columns
  }

  /** Type of a partition field's source, which only an older schema may have. */
  #typeOf(fieldId: number): PrimitiveType {
    for (const schema of this.#definition.schemas.toReversed()) {
      const type = findField(schema, fieldId)?.type
      if (type !== undefined && !isNested(type)) return type
    }
    return { kind: 'unknown' }
  }
}
