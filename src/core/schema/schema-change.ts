import type { CatalogError } from '../errors.ts'
import { type Field, type Type, typeName } from '../value/type.ts'
import { type ColumnDefinition, parseColumn } from './column-definition.ts'
import { parseColumnType, parseDefault } from './column-type.ts'
import { rewrittenField } from './rewritten-field.ts'
import type { ColumnReference, Placement, RewritingIds, SchemaDraft } from './schema-draft.ts'
import { allFields, foldName } from './schema-lookup.ts'
import {
  COLUMNS_MAX,
  quoted,
  requireAliasNames,
  requireColumnName,
  requireDescription,
  schemaError,
} from './schema-rules.ts'
import { classifyTypeChange } from './type-change.ts'

const CODE = 'schema-change-invalid'

/**
 * One step of a schema change. Dotted names reach nested fields: `address.zip`, `prices.element`.
 */
export type SchemaChange = ColumnAddition | ColumnChange

/** Adds a member to the struct `parent`, or a column if `parent` is absent. */
export type ColumnAddition = {
  readonly op: 'add'
  readonly column: ColumnDefinition
  readonly parent?: ColumnReference | undefined
} & Placement

export type ColumnChange = ColumnReference &
  (
    | { readonly op: 'drop' }
    /** The old name becomes an alias. */
    | { readonly op: 'rename'; readonly to: string }
    | ({ readonly op: 'move' } & Placement)
    /** Two words for the same operation. */
    | { readonly op: 'widen' | 'type'; readonly type: unknown }
    | { readonly op: 'describe'; readonly description: string | null }
    | { readonly op: 'nullable'; readonly nullable: boolean }
    /** Used by writers from now on; existing rows keep theirs. */
    | { readonly op: 'default'; readonly default: unknown }
    /** Replaces all aliases of the column. */
    | { readonly op: 'aliases'; readonly aliases: readonly string[] }
  )

/** Ids of fields that other parts of the table refer to. */
export interface BoundIds {
  readonly sources: ReadonlySet<number>
  readonly identifiers: ReadonlySet<number>
  /** If absent, changes that rewrite data files are refused. */
  readonly rewriting: RewritingIds | undefined
}

interface Target {
  readonly field: Field
  readonly parent: Field | undefined
  /** Dotted, for messages. */
  readonly path: string
}

export function applyChange(draft: SchemaDraft, change: SchemaChange, bound: BoundIds): void {
  if (change.op === 'add') addColumn(draft, change)
  else changeColumn(draft, change, bound)
}

function changeColumn(draft: SchemaDraft, change: ColumnChange, bound: BoundIds): void {
  const target = getTarget(draft, change)
  switch (change.op) {
    case 'drop':
      dropColumn(draft, target, bound)
      break
    case 'rename':
      renameColumn(draft, target, change.to)
      break
    case 'move':
      moveColumn(draft, target, change)
      break
    case 'widen':
    case 'type':
      changeType(draft, target, { json: change.type, bound })
      break
    case 'describe':
      describeColumn(draft, target, change.description)
      break
    case 'nullable':
      changeNullability(draft, target, { nullable: change.nullable, bound })
      break
    case 'default':
      changeDefault(draft, target, change.default)
      break
    case 'aliases':
      requireMember(target)
      giveAliases(draft, target, change.aliases)
  }
}

function addColumn(draft: SchemaDraft, change: ColumnAddition): void {
  const parent = change.parent === undefined ? undefined : getTarget(draft, change.parent)
  const field = parseColumn(change.column)
  const path = parent === undefined ? field.name : `${parent.path}.${field.name}`
  if (parent !== undefined && parent.field.type.kind !== 'struct') {
    throw refused(path, `${quoted(parent.path)} is not a struct`)
  }
  if (field.required && field.initialDefault === undefined) {
    throw refused(path, 'a new column that is not nullable needs a default')
  }
  if (draft.siblingsOf(parent?.field).length >= COLUMNS_MAX) {
    throw refused(path, `a table can have at most ${COLUMNS_MAX} columns`)
  }
  const added = draft.add(field, parent?.field, change)
  giveAliases(draft, { field: added, parent: parent?.field, path }, change.column.aliases ?? [])
}

function giveAliases(draft: SchemaDraft, target: Target, aliases: readonly string[]): void {
  const { field, path } = target
  requireAliasNames(path, aliases, CODE)
  draft.setAliases(field.id, aliases)
  if (aliases.length === 0) return
  const folded = new Set(aliases.map(foldName))
  const taken = draft.siblingsOf(target.parent).find(({ id, name }) => {
    return id !== field.id && folded.has(foldName(name))
  })
  if (taken !== undefined) {
    throw refused(path, `its alias ${quoted(taken.name)} is another column's name`)
  }
}

function dropColumn(draft: SchemaDraft, target: Target, bound: BoundIds): void {
  requireMember(target)
  const { field, parent, path } = target
  for (const { id } of allFields({ fields: [field] })) {
    if (bound.identifiers.has(id)) throw refused(path, 'it identifies rows and cannot be dropped')
    if (bound.sources.has(id)) {
      throw refused(path, 'the table is partitioned or sorted by it, so it cannot be dropped')
    }
  }
  draft.drop(field, parent)
}

function renameColumn(draft: SchemaDraft, target: Target, to: string): void {
  requireMember(target)
  requireColumnName(to, CODE)
  const { field } = target
  if (to === field.name) return
  draft.replace({ ...field, name: to })
  // A name belongs to the column that had it last.
  draft.withdrawAlias(draft.siblingsOf(target.parent), field.name)
  draft.setAliases(field.id, [...(draft.aliasesById.get(field.id) ?? []), field.name])
}

function moveColumn(draft: SchemaDraft, target: Target, placement: Placement): void {
  requireMember(target)
  const { first, after, before } = placement
  if (first === undefined && after === undefined && before === undefined) {
    throw refused(target.path, 'a move needs a position: first, after or before')
  }
  draft.move(target.field, target.parent, placement)
}

function changeType(
  draft: SchemaDraft,
  target: Target,
  { json, bound }: { json: unknown; bound: BoundIds },
): void {
  const { field, path } = target
  const type = parseColumnType(json, path)
  const [from, to] = [typeName(field.type), typeName(type)].map(quoted)
  switch (classifyTypeChange(field.type, type)) {
    case 'same':
      return
    case 'metadata':
      draft.replace({ ...field, type })
      return
    case 'rewrite':
      rewriteColumn(draft, target, { type, bound })
      return
    case 'impossible':
      throw refused(
        path,
        `${from} cannot become ${to}: only int can become long, float double, ` +
          'and a decimal get more digits',
      )
  }
}

function rewriteColumn(
  draft: SchemaDraft,
  { field, path }: Target,
  { type, bound }: { type: Type; bound: BoundIds },
): void {
  const { rewriting } = bound
  if (rewriting === undefined) {
    const change = [field.type, type].map((one) => quoted(typeName(one))).join(' to ')
    const rule = `${change} rewrites the table's data files, which is not possible here`
    throw schemaError(path, rule, 'schema-change-rewrites-files')
  }
  const source = draft.rewrites.get(field.id) ?? field.id
  if (bound.identifiers.has(source)) {
    throw refused(path, 'it identifies rows, so its type can only be widened')
  }
  if (bound.sources.has(source)) {
    throw refused(path, 'the table is partitioned or sorted by it, so its type can only be widened')
  }
  draft.rewrite(field, rewrittenField(field, type), rewriting)
}

function describeColumn(draft: SchemaDraft, target: Target, description: string | null): void {
  requireMember(target)
  const { doc: _, ...undescribed } = target.field
  if (description === null) {
    draft.replace(undescribed)
    return
  }
  requireDescription(target.path, description, CODE)
  draft.replace({ ...target.field, doc: description })
}

function changeNullability(
  draft: SchemaDraft,
  { field, path }: Target,
  { nullable, bound }: { nullable: boolean; bound: BoundIds },
): void {
  if (field.required === !nullable) return
  if (!nullable)
    throw refused(path, 'it is nullable and rows may contain nulls, so it must stay nullable')
  if (bound.identifiers.has(field.id))
    throw refused(path, 'it identifies rows, so it cannot be nullable')
  draft.replace({ ...field, required: false })
}

function changeDefault(draft: SchemaDraft, target: Target, json: unknown): void {
  requireMember(target)
  const { writeDefault: _, ...undefaulted } = target.field
  if (json === null || json === undefined) {
    draft.replace(undefaulted)
    return
  }
  const writeDefault = parseDefault(target.field.type, json, target.path)
  draft.replace({ ...target.field, writeDefault })
}

function getTarget(draft: SchemaDraft, reference: ColumnReference): Target {
  if ((reference.name === undefined) === (reference.id === undefined)) {
    throw refused(reference.name ?? '', 'a change must give the name or id of its column')
  }
  const fields = draft.getPath(reference)
  const path = fields.map((field) => field.name).join('.')
  const field = fields.at(-1)
  if (field === undefined) throw new Error('the path to a field is empty')
  const isInKey = fields.some((above, i) => {
    return above.type.kind === 'map' && fields[i + 1]?.id === above.type.keyId
  })
  if (isInKey) throw refused(path, 'the keys of a map cannot change')
  return { field, parent: fields.at(-2), path }
}

/** Requires a column or struct member: elements and values have nothing of their own but a type. */
function requireMember({ parent, path }: Target): void {
  if (parent === undefined || parent.type.kind === 'struct') return
  throw refused(path, 'only the type and nullability of the elements of a list or map can change')
}

function refused(column: string, rule: string): CatalogError {
  return schemaError(column, rule, CODE)
}
