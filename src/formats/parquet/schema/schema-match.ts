import { CatalogError } from '../../../core/errors.ts'
import { isRowIdField } from '../../../core/file/row-id-fields.ts'
import { fieldsById, fieldsByName, type Resolution } from '../../../core/schema/field-resolution.ts'
import type { NameMapping } from '../../../core/schema/name-mapping.ts'
import type { SchemaProblem } from '../../../core/schema/schema-problem.ts'
import { type Field, isNested, type Schema, type Type, typeName } from '../../../core/value/type.ts'
import { arrowNotes } from '../arrow/arrow-notes.ts'
import type { ParquetFooter } from '../footer/footer-model.ts'
import { shownPath } from '../footer/shown-path.ts'
import { isConvertible } from './convertible.ts'
import { type FileField, fileFields, withDescendants } from './file-field.ts'
import { leafTypeOf } from './leaf-type.ts'
import { isNeverNull } from './never-null.ts'
import { notesOf } from './parquet-schema.ts'
import { isReadableAs } from './readable-as.ts'

/** Further problems are counted, but not listed. */
const PROBLEMS_MAX = 100
/** Further notes on the columns are left out. */
const NOTES_MAX = 100
/** Columns of a file that are held against a table, which never has as many. */
const FILE_COLUMNS_MAX = 10_000

export interface FileSchemaMatch {
  /**
   * Whether columns were found by the file's own field ids; otherwise engines need a name mapping.
   */
  readonly hasFieldIds: boolean
  /** Field ids of the table, by leaf of the file. */
  readonly fieldIds: readonly number[]
  /** Spellings in the file that the name mapping lacks; without them engines read NULL. */
  readonly missingNames: readonly { readonly fieldId: number; readonly name: string }[]
  /** Warnings for people about what engines may have difficulties with. */
  readonly notes: readonly string[]
  /** How each column of another type is to be written again; see `canConvert`. */
  readonly conversions: readonly string[]
}

/**
 * Matches each column of the file to a column of the table: by field id if the file has any, as
 * engines do, else by name. Throws `file-schema-mismatch` with every problem in `facts.problems`.
 */
export function matchFileSchema(input: {
  readonly footer: ParquetFooter
  readonly schema: Schema
  readonly nameMapping?: NameMapping
  /** The mapping that engines read by, if another: what it leaves out they read as NULL. */
  readonly readBy?: NameMapping
  /** Whether columns may be converted, which then have no field id: the file is to be rewritten. */
  readonly canConvert?: boolean
}): FileSchemaMatch {
  const { footer, schema, nameMapping, readBy, canConvert = false } = input
  requireFewColumns(footer, schema)
  const columns = fileFields(footer.root)
  const hasFieldIds = columns.some((column) =>
    [...withDescendants(column)].some((field) => field.fieldId !== undefined),
  )
  const matcher = new Matcher(footer, { hasFieldIds, canConvert })
  matcher.matchStruct(columns, { fields: schema.fields, names: nameMapping, readBy, path: '' })
  if (matcher.problems.length > 0) throw schemaMismatch(matcher.problems)
  return {
    hasFieldIds,
    fieldIds: matcher.fieldIds,
    missingNames: matcher.missingNames,
    notes: [...notesOfAll(columns), ...arrowNotes(footer)],
    conversions: matcher.conversions.slice(0, NOTES_MAX),
  }
}

/** Columns of row ids, where a file may have them, come on top of the table's own. */
function requireFewColumns({ leaves }: ParquetFooter, { fields }: Schema): void {
  const rowIds = fields.filter(({ id }) => isRowIdField(id))
  if (leaves.length <= FILE_COLUMNS_MAX + rowIds.length) return
  const detail = `the file has ${leaves.length} columns, more than any table`
  const facts = { problems: [], problemCount: leaves.length - FILE_COLUMNS_MAX }
  throw new CatalogError('file-schema-mismatch', detail, { facts })
}

function notesOfAll(columns: readonly FileField[]): readonly string[] {
  const notes: string[] = []
  for (const column of columns) {
    if (notes.length >= NOTES_MAX) break
    notes.push(...notesOf(column))
  }
  return notes.slice(0, NOTES_MAX)
}

export function schemaMismatch(problems: readonly SchemaProblem[]): CatalogError {
  const listed = problems.slice(0, PROBLEMS_MAX).map(({ column, rule, detail }) => ({
    ...{ column: shownPath(column), rule, detail: shownPath(detail) },
  }))
  const told = listed.slice(0, 3).map(({ column, detail }) => `${column} ${detail}`)
  const rest = problems.length > 3 ? `; and ${problems.length - 3} more` : ''
  return new CatalogError(
    'file-schema-mismatch',
    `the file does not fit the table: ${told.join('; ')}${rest}`,
    { facts: { problems: listed, problemCount: problems.length } },
  )
}

interface StructOfTable {
  readonly fields: readonly Field[]
  readonly names: NameMapping | undefined
  readonly readBy: NameMapping | undefined
  /** Dotted path with a trailing dot; empty at the top. */
  readonly path: string
}
type NestedField = Pick<Field, 'id' | 'required' | 'type'>

class Matcher {
  readonly problems: SchemaProblem[] = []
  readonly fieldIds: number[] = []
  readonly missingNames: { fieldId: number; name: string }[] = []
  readonly conversions: string[] = []
  readonly #footer: ParquetFooter
  readonly #hasFieldIds: boolean
  readonly #canConvert: boolean

  constructor(
    footer: ParquetFooter,
    how: { readonly hasFieldIds: boolean; readonly canConvert: boolean },
  ) {
    this.#footer = footer
    this.#hasFieldIds = how.hasFieldIds
    this.#canConvert = how.canConvert
  }

  matchStruct(columns: readonly FileField[], table: StructOfTable): void {
    const resolutions = this.#hasFieldIds
      ? fieldsById(columns, table.fields)
      : fieldsByName(columns, table.fields, table.names)
    const namesRead =
      this.#hasFieldIds || table.readBy === undefined
        ? undefined
        : new Map(table.readBy.map((mapped) => [mapped.fieldId, mapped.names]))
    const found = new Set<number>()
    columns.forEach((column, i) => {
      const resolution = resolutions[i] as Resolution
      if (resolution.outcome !== 'found') {
        this.problems.push({ column: column.path, ...resolution.problem })
        return
      }
      const { field } = resolution
      if (found.has(field.id)) {
        const detail = `is a second column that matches ${table.path}${field.name}`
        this.problems.push({ column: column.path, rule: 'ambiguous-column', detail })
        return
      }
      found.add(field.id)
      const isUnread = namesRead && namesRead.get(field.id)?.includes(column.name) !== true
      if (resolution.isNameMissing || isUnread) {
        this.missingNames.push({ fieldId: field.id, name: column.name })
      }
      this.#matchField(column, field, { ...table, path: `${table.path}${field.name}` })
    })
    this.#checkMissing(table, found)
  }

  #checkMissing({ fields, path }: StructOfTable, found: ReadonlySet<number>): void {
    for (const { id, name, required, initialDefault } of fields) {
      if (found.has(id) || !required || (initialDefault ?? null) !== null) continue
      const detail = 'is required, has no default and is not in the file'
      this.problems.push({ column: `${path}${name}`, rule: 'missing-column', detail })
    }
  }

  #matchField(
    column: FileField,
    table: NestedField,
    { names, readBy, path }: Omit<StructOfTable, 'fields'>,
  ): void {
    if (table.required && !column.required && !isNeverNull(this.#footer, column)) {
      const detail = 'is required in the table, but may be null in the file'
      this.problems.push({ column: column.path, rule: 'null-in-required-column', detail })
    }
    const { shape } = column
    const { type } = table
    if (!isNested(type)) {
      this.#matchLeaf(column, table)
      return
    }
    const inside = {
      names: names?.find((mapped) => mapped.fieldId === table.id)?.fields,
      readBy: readBy && (readBy.find((mapped) => mapped.fieldId === table.id)?.fields ?? []),
      path: `${path}.`,
    }
    if (shape.kind === 'struct' && type.kind === 'struct') {
      this.matchStruct(shape.fields, { fields: type.fields, ...inside })
    } else if (shape.kind === 'list' && type.kind === 'list') {
      const element = { id: type.elementId, required: type.elementRequired, type: type.element }
      this.#matchInner(shape.element, element, inside)
    } else if (shape.kind === 'map' && type.kind === 'map') {
      // A key is never null, although some writers declare it optional.
      this.#matchInner(shape.key, { id: type.keyId, required: false, type: type.key }, inside)
      const value = { id: type.valueId, required: type.valueRequired, type: type.value }
      this.#matchInner(shape.value, value, inside)
    } else {
      this.#matchLeaf(column, table)
    }
  }

  /** Matches an element, key or value by its position; its id must agree. */
  #matchInner(column: FileField, table: NestedField, inside: Omit<StructOfTable, 'fields'>): void {
    if (this.#hasFieldIds && column.fieldId !== table.id) {
      const detail =
        column.fieldId === undefined
          ? 'has no field id, unlike other columns of the file'
          : `has field id ${column.fieldId}, but ${table.id} in the table`
      this.problems.push({ column: column.path, rule: 'field-ids', detail })
      return
    }
    this.#matchField(column, table, { ...inside, path: column.path })
  }

  #matchLeaf({ path, shape }: FileField, { id, type }: NestedField): void {
    const leafType = shape.kind === 'leaf' ? leafTypeOf(shape.leaf) : undefined
    if (shape.kind === 'leaf' && leafType !== undefined && 'type' in leafType) {
      if (!isNested(type) && isReadableAs(leafType, type)) {
        this.fieldIds[shape.leaf.leafIndex] = id
        if (leafType.form === 'nanos' && typeName(leafType.type) === typeName(type)) {
          this.conversions.push(`${shownPath(path)}: nanoseconds in the file, cut to microseconds`)
        }
        return
      }
    }
    const fileType = leafType === undefined ? shapeName(shape) : nameOf(leafType)
    const isOther = shape.kind === 'leaf' && isConvertible(this.#footer, shape.leaf, type)
    if (isOther && this.#canConvert) {
      const column = shownPath(path)
      this.conversions.push(`${column}: ${fileType} in the file, written as ${typeName(type)}`)
      return
    }
    const wayOut = isOther ? ': upload the file, which converts it, or cast the column' : ''
    this.problems.push({
      column: path,
      rule: 'column-type',
      detail: `has type ${fileType} in the file, but ${typeName(type)} in the table${wayOut}`,
    })
  }
}

function nameOf(leafType: { readonly type: Type } | { readonly unsupported: string }): string {
  return 'type' in leafType ? typeName(leafType.type) : leafType.unsupported
}

function shapeName(shape: FileField['shape']): string {
  return shape.kind === 'unsupported' ? shape.name : `a ${shape.kind}`
}
