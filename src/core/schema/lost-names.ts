import {
  ALIASES_PROPERTY,
  NAME_MAPPING_PROPERTY,
  readAliases,
  readLostNames,
  type TableProperties,
  writeLostNames,
} from '../table-properties.ts'
import type { Field, Schema } from '../value/type.ts'
import type { NameMapping } from './name-mapping.ts'
import { readNameMapping } from './name-mapping-property.ts'
import { allFields } from './schema-lookup.ts'

/** What a table says of the names of its columns. */
interface Named {
  readonly schemas: readonly Schema[]
  readonly properties: TableProperties
}

/** By field id: names, types, and how a file without field ids is read. */
type Told = ReadonlyMap<number, ReadonlySet<string>>

/**
 * The definition after a change, with the ids of columns written down that were found in files by
 * what it says no more: what was counted in a file when it was added may not be what is read now.
 */
export function keepLostNames<D extends Named>(before: D, after: D): D {
  if (!mayLose(before, after)) return after
  try {
    const [then, now] = [toldOf(before), toldOf(after)]
    const lost = [...then].filter(([id, told]) => {
      const left = now.get(id)
      return left !== undefined && [...told].some((each) => !left.has(each))
    })
    const written = readLostNames(after.properties).filter((id) => now.has(id))
    if (lost.length === 0) return after
    const ids = [...new Set([...written, ...lost.map(([id]) => id)])].sort((a, b) => a - b)
    return { ...after, properties: writeLostNames(after.properties, ids) }
  } catch {
    // A metadata file that was registered may have anything there.
    return after
  }
}

/** Other changes only add to what is told. */
function mayLose(before: Named, after: Named): boolean {
  if (before === after) return false
  const kept = new Set(after.schemas)
  if (before.schemas.some((schema) => !kept.has(schema))) return true
  return [NAME_MAPPING_PROPERTY, ALIASES_PROPERTY].some(
    (key) => before.properties[key] !== after.properties[key],
  )
}

function toldOf({ schemas, properties }: Named): Told {
  const told = new Map<number, Set<string>>()
  for (const field of schemas.flatMap(allFields)) {
    const known = told.get(field.id) ?? new Set()
    told.set(field.id, known.add(`name ${field.name}`).add(`type ${typeText(field)}`))
  }
  for (const [id, names] of readAliases(properties)) {
    for (const name of names) told.get(id)?.add(`name ${name}`)
  }
  const mapping = readNameMapping(properties)
  const mapped = new Map(namesIn(mapping ?? []))
  for (const [id, known] of told) {
    known.add(mapping === undefined || mapped.has(id) ? 'found' : 'not found')
    // Without a mapping names are found in any case, too.
    if (mapping !== undefined) known.add('by the mapping alone')
    for (const name of mapped.get(id) ?? []) known.add(`name ${name}`)
  }
  return told
}

function* namesIn(mapping: NameMapping): Generator<[number, readonly string[]]> {
  for (const { fieldId, names, fields = [] } of mapping) {
    if (fieldId !== undefined && names.length > 0) yield [fieldId, names]
    yield* namesIn(fields)
  }
}

/** The same for types of which each counts, and compares, the values of the other. */
function typeText({ type }: Field): string {
  if (type.kind === 'decimal') return `decimal of ${type.scale}`
  return type.kind === 'int' ? 'long' : type.kind
}
