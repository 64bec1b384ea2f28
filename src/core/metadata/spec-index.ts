import type { PartitionField, PartitionSpec } from '../partition/partition-spec.ts'
import { transformText } from '../partition/transform.ts'
import type { UnboundPartitionField } from './table-update.ts'

/** An index of a table's partition specs. The first spec that has a field wins. */
export class SpecIndex {
  readonly #specIds = new Layers<number>()
  readonly #fieldIds = new Layers<number>()
  /**
   * A table of version 1 voids fields and may revive them: a field that is not void gives the
   * meaning.
   */
  readonly #fields = new Layers<PartitionField>()
  readonly #voidFields = new Layers<PartitionField>()

  constructor(specs: readonly PartitionSpec[]) {
    for (const spec of specs) this.add(spec)
  }

  add({ specId, fields }: PartitionSpec): void {
    this.#specIds.add(specId, specKey(fields), specId)
    for (const field of fields) {
      this.#fieldIds.add(specId, meaningOf(field), field.fieldId)
      this.#fieldsLike(field).add(specId, String(field.fieldId), field)
    }
  }

  remove({ specId, fields }: PartitionSpec): void {
    this.#specIds.remove(specId, specKey(fields))
    for (const field of fields) {
      this.#fieldIds.remove(specId, meaningOf(field))
      this.#fieldsLike(field).remove(specId, String(field.fieldId))
    }
  }

  /** Id of the spec with the same sources, transforms and names, if any. */
  findSpecId(fields: readonly UnboundPartitionField[]): number | undefined {
    return this.#specIds.findFirst(specKey(fields))
  }

  /** Id of the field with the same source and transform, if any. */
  findFieldId(field: UnboundPartitionField): number | undefined {
    return this.#fieldIds.findFirst(meaningOf(field))
  }

  findField(fieldId: number): PartitionField | undefined {
    const key = String(fieldId)
    return this.#fields.findFirst(key) ?? this.#voidFields.findFirst(key)
  }

  #fieldsLike({ transform }: PartitionField): Layers<PartitionField> {
    return transform.kind === 'void' ? this.#voidFields : this.#fields
  }
}

/** A map with the values of many specs, each of which can be removed again. */
class Layers<Value> {
  readonly #byKey = new Map<string, Map<number, Value>>()

  add(specId: number, key: string, value: Value): void {
    const layers = this.#byKey.get(key) ?? new Map<number, Value>()
    if (!layers.has(specId)) layers.set(specId, value)
    this.#byKey.set(key, layers)
  }

  remove(specId: number, key: string): void {
    this.#byKey.get(key)?.delete(specId)
  }

  findFirst(key: string): Value | undefined {
    return this.#byKey.get(key)?.values().next().value
  }
}

export function meaningOf(field: UnboundPartitionField): string {
  return `${field.sourceId} ${transformText(field.transform)}`
}

function specKey(fields: readonly UnboundPartitionField[]): string {
  return JSON.stringify(fields.map((field) => [meaningOf(field), field.name]))
}
