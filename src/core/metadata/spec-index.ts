import type { PartitionField, PartitionSpec } from '../partition-spec.ts'
import { transformText } from '../transform.ts'
import type { UnboundPartitionField } from './table-update.ts'

/** What is known of a table's partition specs. */
export class SpecIndex {
  readonly #specIdsByKey = new Map<string, number>()
  /** The first field of an id that is not void: a table of version 1 voids fields and may revive them. */
  readonly #fieldsById = new Map<number, PartitionField>()
  readonly #fieldIdsByMeaning = new Map<string, number>()

  constructor(specs: readonly PartitionSpec[]) {
    for (const spec of specs) this.add(spec)
  }

  add(spec: PartitionSpec): void {
    this.#specIdsByKey.set(specKey(spec.fields), spec.specId)
    for (const field of spec.fields) {
      this.#fieldIdsByMeaning.set(meaningOf(field), field.fieldId)
      const known = this.#fieldsById.get(field.fieldId)
      if (known === undefined || known.transform.kind === 'void') {
        this.#fieldsById.set(field.fieldId, field)
      }
    }
  }

  /** Of a spec with the same sources, transforms and names. */
  findSpecId(fields: readonly UnboundPartitionField[]): number | undefined {
    return this.#specIdsByKey.get(specKey(fields))
  }

  /** Of the newest field that has the same source and transform. */
  findFieldId(field: UnboundPartitionField): number | undefined {
    return this.#fieldIdsByMeaning.get(meaningOf(field))
  }

  findField(fieldId: number): PartitionField | undefined {
    return this.#fieldsById.get(fieldId)
  }
}

export function meaningOf(field: UnboundPartitionField): string {
  return `${field.sourceId} ${transformText(field.transform)}`
}

function specKey(fields: readonly UnboundPartitionField[]): string {
  return JSON.stringify(fields.map((field) => [meaningOf(field), field.name]))
}
