import type { AliasesById } from '../table-properties.ts'
import type { Field, Type } from '../value/type.ts'
import type { ColumnDefinition } from './column-definition.ts'
import { columnTypeToJson, defaultToJson, UNASSIGNED_ID } from './column-type.ts'
import type { SchemaChange } from './schema-change.ts'
import { childFields, foldName } from './schema-lookup.ts'
import { schemaError } from './schema-rules.ts'
import { classifyTypeChange } from './type-change.ts'

/** A desired column, as given and as parsed. */
export interface Desired {
  readonly column: ColumnDefinition
  readonly field: Field
}

/** The columns, or the members of one struct. */
export interface Level {
  readonly current: readonly Field[]
  readonly desired: readonly Desired[]
  readonly parent: Field | undefined
  readonly aliasesById: AliasesById
}

interface Pair {
  readonly desired: Desired
  /** `undefined` for a new column. */
  readonly current: Field | undefined
}

/** Drops and renames come first: after them names are final, and positions can refer to them. */
export function reconcileLevel(level: Level): readonly SchemaChange[] {
  const pairs = matchColumns(level)
  const kept = new Set(pairs.map((pair) => pair.current))
  const drops = level.current.filter((field) => !kept.has(field))
  const renames = pairs.flatMap(({ current, desired }): SchemaChange[] => {
    if (current === undefined || current.name === desired.field.name) return []
    return [{ op: 'rename', id: current.id, to: desired.field.name }]
  })
  return [
    ...drops.map(({ id }): SchemaChange => ({ op: 'drop', id })),
    ...renames,
    ...pairs.flatMap((pair) => reconcileColumn(pair, level)),
    ...arrange(pairs, level),
    ...pairs.flatMap((pair) => reconcileAliases(pair, level)),
  ]
}

function matchColumns({ current, desired, aliasesById }: Level): readonly Pair[] {
  const free = new Set(current)
  const found = new Map<Desired, Field>()
  const match = (
    keysOf: (field: Field) => readonly unknown[],
    wantedKeysOf: (wanted: Desired) => readonly unknown[],
  ): void => {
    const byKey = new Map(
      [...free].flatMap((field) => keysOf(field).map((key): [unknown, Field] => [key, field])),
    )
    for (const wanted of desired) {
      const fields = found.has(wanted) ? [] : wantedKeysOf(wanted).map((key) => byKey.get(key))
      const field = fields.find((candidate) => candidate !== undefined && free.has(candidate))
      if (field === undefined) continue
      free.delete(field)
      found.set(wanted, field)
    }
  }
  const aliasesOf = ({ id }: Field) => aliasesById.get(id) ?? []
  match(
    ({ id }) => [id],
    ({ field }) => [field.id],
  )
  for (const wanted of desired) if (!found.has(wanted)) requireNoId(wanted.field)
  match(
    ({ name }) => [name],
    ({ field }) => [field.name],
  )
  match(
    ({ name }) => [foldName(name)],
    ({ field }) => [foldName(field.name)],
  )
  match(aliasesOf, ({ field }) => [field.name])
  match(
    ({ name }) => [name],
    ({ column }) => column.aliases ?? [],
  )
  return desired.map((wanted) => ({ desired: wanted, current: found.get(wanted) }))
}

/** Refuses an id that matches no column. */
function requireNoId({ id, name }: Field): void {
  if (id === UNASSIGNED_ID) return
  const rule = `there is no column with id ${id} here, or the id is given twice`
  throw schemaError(name, rule, 'schema-change-invalid')
}

function reconcileColumn({ current, desired }: Pair, level: Level): readonly SchemaChange[] {
  if (current === undefined) return []
  const { column, field } = desired
  const { id } = current
  const changes = [...reconcileType(current, field.type, level.aliasesById)]
  if (column.nullable !== undefined && column.nullable === current.required) {
    changes.push({ op: 'nullable', id, nullable: column.nullable })
  }
  const { description } = column
  if (description !== undefined && description !== (current.doc ?? null)) {
    changes.push({ op: 'describe', id, description })
  }
  if (column.default !== undefined && !sameDefault(field.writeDefault, current.writeDefault)) {
    changes.push({ op: 'default', id, default: column.default })
  }
  return changes
}

function sameDefault(left: unknown, right: unknown): boolean {
  return String(defaultToJson(left)) === String(defaultToJson(right))
}

/** Nested types change from within; whatever cannot change is refused later. */
function reconcileType(
  current: Field,
  type: Type,
  aliasesById: AliasesById,
): readonly SchemaChange[] {
  if (current.type.kind === 'struct' && type.kind === 'struct') {
    return reconcileLevel({
      current: current.type.fields,
      desired: type.fields.map(desiredMember),
      parent: current,
      aliasesById,
    })
  }
  if (current.type.kind === type.kind && (type.kind === 'list' || type.kind === 'map')) {
    const wanted = childFields(type)
    return childFields(current.type).flatMap((part, i) =>
      reconcilePart(part, wanted[i], aliasesById),
    )
  }
  if (classifyTypeChange(current.type, type) === 'same') return []
  return [{ op: 'type', id: current.id, type: columnTypeToJson(type) }]
}

function reconcilePart(
  part: Field,
  wanted: Field | undefined,
  aliasesById: AliasesById,
): readonly SchemaChange[] {
  if (wanted === undefined) return []
  const changes = [...reconcileType(part, wanted.type, aliasesById)]
  if (part.required !== wanted.required) {
    changes.push({ op: 'nullable', id: part.id, nullable: !wanted.required })
  }
  return changes
}

/** A member always says whether it is required, and may leave out the rest. */
function desiredMember(field: Field): Desired {
  const column = {
    id: field.id === UNASSIGNED_ID ? undefined : field.id,
    name: field.name,
    type: columnTypeToJson(field.type),
    nullable: !field.required,
    default: field.writeDefault,
    description: field.doc,
  }
  return { column, field }
}

/** Additions and moves, from left to right: a column's left neighbour is already in place. */
function arrange(pairs: readonly Pair[], { current, parent }: Level): readonly SchemaChange[] {
  const places = new Map(pairs.map((pair) => [pair.current, pair.desired.field.name]))
  const order = current.flatMap((field) => places.get(field) ?? [])
  const changes: SchemaChange[] = []
  for (const [i, pair] of pairs.entries()) {
    const { column, field } = pair.desired
    const left = pairs[i - 1]?.desired.field.name
    const place = left === undefined ? { first: true as const } : { after: left }
    if (pair.current === undefined) {
      const under = parent === undefined ? {} : { parent: { id: parent.id } }
      changes.push({ op: 'add', column: { ...column, aliases: [] }, ...under, ...place })
    } else if (order[i] !== field.name) {
      changes.push({ op: 'move', id: pair.current.id, ...place })
      order.splice(order.indexOf(field.name), 1)
    } else continue
    order.splice(i, 0, field.name)
  }
  return changes
}

/** A column's old name stays an alias, even if the new list does not contain it. */
function reconcileAliases(
  { current, desired }: Pair,
  { desired: siblings, parent, aliasesById }: Level,
): readonly SchemaChange[] {
  const { aliases, name } = desired.column
  if (aliases === undefined) return []
  const names = new Set(siblings.map(({ field }) => foldName(field.name)))
  const isKept = current !== undefined && !names.has(foldName(current.name))
  const wanted = isKept ? [...new Set([...aliases, current.name])] : aliases
  const had = current === undefined ? [] : (aliasesById.get(current.id) ?? [])
  const isSame = wanted.length === had.length && wanted.every((alias) => had.includes(alias))
  if (isSame && current?.name === name) return []
  if (wanted.length === 0 && had.length === 0) return []
  if (current !== undefined) return [{ op: 'aliases', id: current.id, aliases: wanted }]
  // Only columns have aliases here, members do not: the new one is found by its name.
  return parent === undefined ? [{ op: 'aliases', name, aliases: wanted }] : []
}
