import { CatalogError } from '../../../core/errors.ts'
import type { Field, Type } from '../../../core/value/type.ts'
import type { ParquetFooter, ParquetLeaf } from '../footer/footer-model.ts'
import { shownPath } from '../footer/shown-path.ts'
import { isNullLeaf } from './convertible.ts'
import { type FileField, fileFields, withDescendants } from './file-field.ts'
import { type LeafType, leafTypeOf, type UnsupportedLeaf } from './leaf-type.ts'

/** Largest field id; those above are reserved (Iceberg spec, "Reserved Field IDs"). */
export const FIELD_ID_MAX = 2_147_483_447
/** Columns without a type are listed up to this. */
const UNSUPPORTED_MAX = 100

export interface InferredField extends Field {
  /** Warnings for people about what engines may have difficulties with. */
  readonly notes?: readonly string[]
}

/**
 * Table columns for a file's columns. The file's own field ids are kept if every field has a valid
 * one; otherwise ids are 1, 2, ... in Iceberg's order: all fields of a struct, then the fields
 * inside each. Throws `column-type-unknown`, which names every column that no Iceberg reader can
 * read, and `file-schema-mismatch` for a file without columns or with a duplicate name.
 */
export function inferSchemaFields(footer: ParquetFooter): readonly InferredField[] {
  const columns = fileFields(footer.root)
  if (columns.length === 0)
    throw new CatalogError('file-schema-mismatch', 'the file has no columns')
  refuseUnsupported(columns)
  refuseDuplicates(columns)
  const ids = new FieldIds(hasAllFieldIds(columns))
  return inferStruct(columns, ids).map((field, i) => {
    const notes = notesOf(columns[i] as FileField, inferredLeaf)
    return notes.length === 0 ? field : { ...field, notes }
  })
}

function refuseUnsupported(columns: readonly FileField[]): void {
  const unsupported = columns
    .flatMap((column) => [...withDescendants(column)])
    .flatMap(({ path, shape }) => {
      if (shape.kind === 'unsupported') return [{ column: path, type: shape.name }]
      if (shape.kind !== 'leaf') return []
      const leafType = inferredLeaf(shape.leaf)
      return 'unsupported' in leafType ? [{ column: path, type: leafType.unsupported }] : []
    })
  if (unsupported.length === 0) return
  const listed = unsupported
    .slice(0, UNSUPPORTED_MAX)
    .map(({ column, type }) => ({ column: shownPath(column), type }))
  const list = listed.map(({ column, type }) => `${column}: ${type}`).join('; ')
  const others = unsupported.length - listed.length
  const rest = others === 0 ? '' : `; and ${others} more`
  throw new CatalogError('column-type-unknown', `no Iceberg type can represent ${list}${rest}`, {
    facts: { columns: listed },
  })
}

function refuseDuplicates(columns: readonly FileField[]): void {
  const seen = new Set<string>()
  for (const { path } of columns.flatMap((column) => [...withDescendants(column)])) {
    if (seen.has(path)) {
      const column = shownPath(path)
      throw new CatalogError('file-schema-mismatch', `the file has two columns named ${column}`, {
        facts: { column },
      })
    }
    seen.add(path)
  }
}

function hasAllFieldIds(columns: readonly FileField[]): boolean {
  const ids = columns.flatMap((column) => [...withDescendants(column)].map((f) => f.fieldId))
  const good = ids.filter((id) => id !== undefined && id >= 1 && id <= FIELD_ID_MAX)
  return good.length === ids.length && new Set(good).size === ids.length
}

class FieldIds {
  readonly #keep: boolean
  #last = 0

  constructor(keep: boolean) {
    this.#keep = keep
  }

  idOf(field: FileField): number {
    if (this.#keep && field.fieldId !== undefined) return field.fieldId
    this.#last++
    return this.#last
  }
}

/** Assigns the ids of the whole level first, like Iceberg's `TypeUtil.assignFreshIds`. */
function inferStruct(fields: readonly FileField[], ids: FieldIds): Field[] {
  const level = fields.map((field) => ids.idOf(field))
  return fields.map((field, i) => ({
    id: level[i] as number,
    name: field.name,
    required: field.required,
    type: inferType(field, ids),
  }))
}

function inferType({ shape }: FileField, ids: FieldIds): Type {
  switch (shape.kind) {
    case 'struct':
      return { kind: 'struct', fields: inferStruct(shape.fields, ids) }
    case 'list': {
      const elementId = ids.idOf(shape.element)
      const element = inferType(shape.element, ids)
      return { kind: 'list', elementId, elementRequired: shape.element.required, element }
    }
    case 'map': {
      const keyId = ids.idOf(shape.key)
      const valueId = ids.idOf(shape.value)
      const key = inferType(shape.key, ids)
      const value = inferType(shape.value, ids)
      return { kind: 'map', keyId, key, valueId, valueRequired: shape.value.required, value }
    }
    case 'leaf':
      return inferLeaf(shape.leaf)
    case 'unsupported':
      throw new Error('unsupported columns were refused before')
  }
}

function inferLeaf(leaf: ParquetLeaf): Type {
  const leafType = inferredLeaf(leaf)
  if ('type' in leafType) return leafType.type
  throw new Error('unsupported columns were refused before')
}

/** Also types that files have of which only uploads become data files, as they are converted. */
function inferredLeaf(leaf: ParquetLeaf): LeafType | UnsupportedLeaf {
  if (isNullLeaf(leaf)) {
    const note =
      'no value in the file tells its type, so string is a guess; add the file by uploading it, ' +
      'which writes the column as the table has it'
    return { type: { kind: 'string' }, form: 'text', note }
  }
  if (leaf.annotation?.kind === 'FLOAT16') {
    const note = 'FLOAT16 becomes float; add the file by uploading it, which converts the column'
    return { type: { kind: 'float' }, form: 'float', note }
  }
  return leafTypeOf(leaf)
}

export function notesOf(column: FileField, typeOf = leafTypeOf): readonly string[] {
  return [...withDescendants(column)].flatMap(({ path, shape }) => {
    if (shape.kind !== 'leaf') return []
    const leafType = typeOf(shape.leaf)
    return 'note' in leafType && leafType.note !== undefined
      ? [`${shownPath(path)}: ${leafType.note}`]
      : []
  })
}
