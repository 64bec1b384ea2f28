import type { Field } from '../value/type.ts'
import type { NameMapping } from './name-mapping.ts'
import type { SchemaProblem } from './schema-problem.ts'

/** A column of a file, or of a struct in it. */
export interface NamedColumn {
  readonly name: string
  readonly fieldId?: number | undefined
}

/** The field of a table's struct that a column of the file corresponds to. */
export type Resolution =
  | {
      readonly outcome: 'found'
      readonly field: Field
      /** Whether the name mapping lacks the file's spelling. */
      readonly isNameMissing: boolean
    }
  | { readonly outcome: 'refused'; readonly problem: Omit<SchemaProblem, 'column'> }

export function fieldsById(
  columns: readonly NamedColumn[],
  fields: readonly Field[],
): readonly Resolution[] {
  const byId = new Map(fields.map((field) => [field.id, field]))
  const byName = new Map(fields.map((field) => [field.name, field]))
  const idsInFile = new Set(columns.map((column) => column.fieldId))
  return columns.map(({ fieldId, name }) => {
    if (fieldId === undefined) {
      return refused('field-ids', 'has no field id, unlike other columns of the file')
    }
    const field = byId.get(fieldId)
    if (field === undefined) {
      return refused('extra-column', `(field id ${fieldId}) is not a column of the table`)
    }
    // A rename explains one differing name; two exchanged names mean that the ids are another
    // table's.
    const namesake = byName.get(name)
    if (namesake !== undefined && namesake.id !== fieldId && idsInFile.has(namesake.id)) {
      const detail = `has field id ${fieldId}, which belongs to ${field.name} in the table`
      return refused('field-ids', detail)
    }
    return { outcome: 'found', field, isNameMissing: false }
  })
}

/**
 * Finds fields by the name mapping, as engines do; then by the table's names, first exactly, then
 * ignoring case; then by alias, ignoring case.
 */
export function fieldsByName(
  columns: readonly NamedColumn[],
  fields: readonly Field[],
  names: NameMapping | undefined,
): readonly Resolution[] {
  const byId = new Map(fields.map((field) => [field.id, field]))
  const mapped = (names ?? []).flatMap((entry): Named[] => {
    const field = byId.get(entry.fieldId ?? -1)
    return field === undefined ? [] : entry.names.map((name) => ({ name, field }))
  })
  const own = fields.map((field): Named => ({ name: field.name, field }))
  const stages = [
    new NameIndex(mapped, asWritten),
    new NameIndex(own, asWritten),
    new NameIndex(own, withoutCase),
    new NameIndex(mapped, withoutCase),
  ]
  return columns.map(({ name }) => {
    for (const [stage, stageNames] of stages.entries()) {
      const candidates = stageNames.find(name)
      if (candidates === undefined) continue
      const [field] = candidates
      if (candidates.size === 1 && field !== undefined) {
        const isNameMissing = stage > 0 && (names !== undefined || name !== field.name)
        return { outcome: 'found', field, isNameMissing }
      }
      const choices = [...candidates].map((candidate) => candidate.name).join(', ')
      return refused('ambiguous-column', `could be any of ${choices}`)
    }
    return refused('extra-column', 'is not a column of the table')
  })
}

interface Named {
  readonly name: string
  readonly field: Field
}

/** Built on first use: most files need only the first index. */
class NameIndex {
  readonly #named: readonly Named[]
  readonly #key: (name: string) => string
  #fieldsOfKey: Map<string, Set<Field>> | undefined

  constructor(named: readonly Named[], key: (name: string) => string) {
    this.#named = named
    this.#key = key
  }

  find(name: string): ReadonlySet<Field> | undefined {
    this.#fieldsOfKey ??= this.#build()
    return this.#fieldsOfKey.get(this.#key(name))
  }

  #build(): Map<string, Set<Field>> {
    const fieldsOfKey = new Map<string, Set<Field>>()
    for (const { name, field } of this.#named) {
      const fields = fieldsOfKey.get(this.#key(name)) ?? new Set()
      fieldsOfKey.set(this.#key(name), fields.add(field))
    }
    return fieldsOfKey
  }
}

function asWritten(name: string): string {
  return name
}

function withoutCase(name: string): string {
  return name.toLowerCase()
}

function refused(rule: SchemaProblem['rule'], detail: string): Resolution {
  return { outcome: 'refused', problem: { rule, detail } }
}
