import {
  readAliases,
  readRelatedColumns,
  type TableProperties,
  writeRelatedColumns,
} from '../table-properties.ts'
import type { Field, Schema } from '../value/type.ts'
import { allFields, foldName } from './schema-lookup.ts'

/** What a table says of its columns. */
interface Described {
  readonly schemas: readonly Schema[]
  readonly properties: TableProperties
}

/** Ids of columns that may have the same values, itself included, by each of them. */
type ColumnKin = ReadonlyMap<number, ReadonlySet<number>>
type Group = readonly number[]
/** A field id, or a name. */
type Key = number | string

/** A table may have many schemas, and every request asks. */
const KNOWN = new WeakMap<Described, ColumnKin>()

/**
 * Columns that may have the values of another one: converted to another type, a column gets a new
 * id, and a rollback takes the old one along. What was written down tells, and names do, those of
 * all schemas; rather one too many.
 */
export function isAkin(id: number, definition: Described): (field: Field) => boolean {
  const kin = columnKin(definition).get(id)
  return (field) => kin?.has(field.id) === true
}

function columnKin(definition: Described): ColumnKin {
  const known = KNOWN.get(definition)
  if (known !== undefined) return known
  const { schemas, properties } = definition
  // A column that is renamed and converted at once has its former name among its aliases only.
  const aliases = readAliases(properties)
  const named = schemas
    .flatMap(({ fields }) => fields)
    .map(({ id, name }) => [id, ...[name, ...(aliases.get(id) ?? [])].map(foldName)])
  const kin = joined([...named, ...readRelatedColumns(properties)])
  KNOWN.set(definition, kin)
  return kin
}

/**
 * The definition after a change, with what it says no more of columns that have the values of
 * others written down: aliases and older schemas told it. `converted`: new ids, each with its old.
 */
export function keepColumnKin<D extends Described>(
  before: D,
  after: D,
  converted: readonly Group[] = [],
): D {
  if (before === after) return after
  const groups = [...lostGroups(before, after), ...converted]
  if (groups.length === 0) return after
  const ids = new Set(after.schemas.flatMap(({ fields }) => allFields({ fields })).map((f) => f.id))
  const all = groupsOf(joined([...readRelatedColumns(after.properties), ...groups]))
  const kept = all.map((group) => group.filter((id) => ids.has(id))).filter(isGroup)
  return { ...after, properties: writeRelatedColumns(after.properties, kept) }
}

function lostGroups(before: Described, after: Described): readonly Group[] {
  try {
    return losesNames(before, after) ? groupsOf(columnKin(before)) : []
  } catch {
    // A metadata file that was registered may have anything there.
    return []
  }
}

function losesNames(before: Described, after: Described): boolean {
  const kept = new Set(after.schemas)
  if (before.schemas.some((schema) => !kept.has(schema))) return true
  const left = readAliases(after.properties)
  return [...readAliases(before.properties)].some(([id, names]) => {
    return names.some((name) => left.get(id)?.includes(name) !== true)
  })
}

/** Those that are in one list, or in two that have something in common. */
function joined(lists: readonly (readonly Key[])[]): ColumnKin {
  const groups = new Map<Key, Set<Key>>()
  for (const list of lists) {
    const found = new Set(list.flatMap((key) => groups.get(key) ?? []))
    const [largest = new Set<Key>(), ...others] = [...found].sort((a, b) => b.size - a.size)
    for (const key of [...list, ...others.flatMap((other) => [...other])]) {
      largest.add(key)
      groups.set(key, largest)
    }
  }
  const idsIn = new Map<Set<Key>, ReadonlySet<number>>()
  const kin = new Map<number, ReadonlySet<number>>()
  for (const [key, group] of groups) {
    if (typeof key !== 'number') continue
    const ids = idsIn.get(group) ?? new Set([...group].filter((one) => typeof one === 'number'))
    idsIn.set(group, ids)
    kin.set(key, ids)
  }
  return kin
}

function groupsOf(kin: ColumnKin): readonly Group[] {
  return [...new Set(kin.values())].map((ids) => [...ids].sort((a, b) => a - b)).filter(isGroup)
}

function isGroup({ length }: Group): boolean {
  return length > 1
}
