import {
  absentValue,
  type ColumnKnowledge,
  type ConstantColumns,
} from '../../../core/schema/column-projection.ts'
import { fieldsById, fieldsByName } from '../../../core/schema/field-resolution.ts'
import { type ColumnNames, namesBelow } from '../../../core/schema/name-mapping.ts'
import {
  type Field,
  isNested,
  type PrimitiveType,
  type Schema,
  type Type,
  typeName,
} from '../../../core/value/type.ts'
import type { Value } from '../../../core/value/value.ts'
import type {
  ParquetFooter,
  ParquetGroup,
  ParquetLeaf,
  ParquetNode,
} from '../footer/footer-model.ts'
import {
  type FileField,
  fileFields,
  isElementItself,
  withDescendants,
} from '../schema/file-field.ts'
import { leafTypeOf } from '../schema/leaf-type.ts'
import { isExactly } from '../schema/readable-as.ts'
import { constantLeafSteps } from '../statistics/constant-leaf.ts'
import { THRIFT, type ThriftField, type ThriftStruct } from '../thrift/thrift.ts'
import { getStructs } from '../thrift/thrift-fields.ts'
import { columnOrders, type StitchColumn, type StitchSchema } from './stitch-schema.ts'
import { withFields } from './thrift-edit.ts'

export type Projection =
  | { readonly outcome: 'projected'; readonly schema: StitchSchema }
  /** The pages themselves would have to change, so the file must be rewritten. */
  | { readonly outcome: 'differs'; readonly column: string; readonly detail: string }

const ENCODER = new TextEncoder()

/**
 * A file's columns with the table's names, field ids and order, without columns that the table no
 * longer has. Only the footer contains names, ids and order, so the pages stay unchanged. A file
 * that lacks a column differs, as does one without field ids whose column may differ from the value
 * that its partition has (`projectColumns`). In steps, with pauses for others.
 */
export function* projectFileSchemaSteps(
  input: ColumnKnowledge & { readonly footer: ParquetFooter; readonly schema: Schema },
): Generator<void, Projection> {
  const { footer, schema, names, constants } = input
  try {
    const projector = new Projector(footer, constants)
    const projected = projector.project(schema, names)
    yield* projector.constantSteps()
    return { outcome: 'projected', schema: projected }
  } catch (error) {
    if (!(error instanceof Difference)) throw error
    return { outcome: 'differs', column: error.column, detail: error.message }
  }
}

class Difference extends Error {
  readonly column: string

  constructor(column: string, detail: string) {
    super(detail)
    this.column = column
  }
}

/** The table's description of a node. */
interface Label {
  readonly name: string
  readonly fieldId?: number
}
/** A node of the file, with Iceberg's view of it. */
interface Place {
  readonly node: ParquetNode
  readonly column: FileField
  /** Names of its ancestors in the stitched file. */
  readonly above: readonly Uint8Array[]
}
type TableField = Label & { readonly fieldId: number; readonly type: Type }

interface ConstantColumn {
  readonly leaf: ParquetLeaf
  readonly type: PrimitiveType
  readonly value: Value | null
  readonly path: string
}

function otherThanPartition(path: string): Difference {
  return new Difference(path, 'may have other values than its partition')
}

class Projector {
  readonly #footer: ParquetFooter
  readonly #elementOf: ReadonlyMap<ParquetNode, ThriftStruct>
  readonly #orders: readonly ThriftStruct[] | undefined
  readonly #constants: ConstantColumns
  readonly #hasFieldIds: boolean
  readonly #elements: ThriftStruct[] = []
  readonly #columns: StitchColumn[] = []
  readonly #toProve: ConstantColumn[] = []
  #isFileOwn = true

  constructor(footer: ParquetFooter, constants: ConstantColumns) {
    this.#footer = footer
    this.#constants = constants
    this.#elementOf = elementsByNode(footer)
    this.#orders = columnOrders(footer)
    this.#hasFieldIds = fileFields(footer.root).some((column) =>
      [...withDescendants(column)].some((field) => field.fieldId !== undefined),
    )
  }

  project(schema: Schema, names: ColumnNames): StitchSchema {
    const { root, leaves } = this.#footer
    this.#elements.push(this.#groupElement(root, { name: root.name }, schema.fields.length))
    const columns = fileFields(root)
    this.#struct({ group: root, columns, above: [] }, { fields: schema.fields, names, path: '' })
    const isInOrder = this.#columns.every(({ leafIndex }, i) => leafIndex === i)
    const isWhole = this.#columns.length === leaves.length
    return {
      elements: this.#elements,
      columns: this.#columns,
      isFileOwn: this.#isFileOwn && isInOrder && isWhole,
    }
  }

  #struct(
    file: {
      readonly group: ParquetGroup
      readonly columns: readonly FileField[]
      readonly above: readonly Uint8Array[]
    },
    table: {
      readonly fields: readonly Field[]
      readonly names: ColumnNames
      readonly path: string
    },
  ): void {
    const resolutions = this.#hasFieldIds
      ? fieldsById(file.columns, table.fields)
      : fieldsByName(file.columns, table.fields, table.names.mapping)
    const places = new Map<number, number>()
    resolutions.forEach((resolution, i) => {
      const column = file.columns[i]?.path ?? ''
      if (resolution.outcome !== 'found') {
        // A column that the table no longer has is left out; other problems are for the caller.
        if (resolution.problem.rule === 'extra-column') return
        throw new Difference(column, resolution.problem.detail)
      }
      if (resolution.isNameMissing) throw new Difference(column, 'is not in the name mapping')
      const { id } = resolution.field
      if (places.has(id)) throw new Difference(column, 'is in the file twice')
      places.set(id, i)
    })
    for (const field of table.fields) {
      const { id, name, type } = field
      const place = places.get(id)
      if (place === undefined) throw new Difference(`${table.path}${name}`, 'is not in the file')
      const node = file.group.children[place] as ParquetNode
      const column = file.columns[place] as FileField
      if (!this.#hasFieldIds && this.#constants.has(id)) this.#requireConstant(column, field)
      this.#field({ node, column, above: file.above }, { name, fieldId: id, type }, table.names)
    }
  }

  #requireConstant({ shape, path }: FileField, field: Field): void {
    const { type } = field
    if (shape.kind !== 'leaf' || isNested(type)) throw otherThanPartition(path)
    const value = absentValue(field, this.#constants)
    this.#toProve.push({ leaf: shape.leaf, type, value, path })
  }

  /** Proves that columns have the values of the partition alone, once all is projected. */
  *constantSteps(): Generator<void, void> {
    for (const { value, path, ...column } of this.#toProve) {
      const isConstant = yield* constantLeafSteps(this.#footer, column, value)
      if (!isConstant) throw otherThanPartition(path)
    }
  }

  #field({ node, column, above }: Place, table: TableField, names: ColumnNames): void {
    const { type } = table
    const { shape } = column
    if (node.kind === 'leaf') {
      this.#leaf({ leaf: node, column, above }, table)
      return
    }
    const inside = namesBelow(names, table.fieldId)
    if (shape.kind === 'struct' && type.kind === 'struct') {
      this.#elements.push(this.#groupElement(node, table, type.fields.length))
      this.#struct(
        { group: node, columns: shape.fields, above: [...above, ENCODER.encode(table.name)] },
        { fields: type.fields, names: inside, path: `${column.path}.` },
      )
    } else if (shape.kind === 'list' && type.kind === 'list') {
      const place = this.#repeated({ node, column, above }, table, 'list')
      const element = { name: 'element', fieldId: type.elementId, type: type.element }
      this.#inner(place, [{ column: shape.element, table: element }], inside)
    } else if (shape.kind === 'map' && type.kind === 'map') {
      const place = this.#repeated({ node, column, above }, table, 'key_value')
      const key = { name: 'key', fieldId: type.keyId, type: type.key }
      const value = { name: 'value', fieldId: type.valueId, type: type.value }
      const entry = [
        { column: shape.key, table: key },
        { column: shape.value, table: value },
      ]
      this.#inner(place, entry, inside)
    } else {
      throw new Difference(column.path, `is not ${typeName(type)}`)
    }
  }

  /** Relabels the two groups around the elements of a list or the entries of a map. */
  #repeated({ node, column, above }: Place, table: TableField, name: string) {
    const repeated = node.kind === 'group' ? node.children[0] : undefined
    const isThreeLevels =
      node.kind === 'group' &&
      repeated?.kind === 'group' &&
      (column.shape.kind === 'map' || !isElementItself(repeated, node.name))
    if (!isThreeLevels) throw new Difference(column.path, 'is a list of an older layout')
    this.#elements.push(this.#groupElement(node, table, 1))
    this.#elements.push(this.#groupElement(repeated, { name }, repeated.children.length))
    const path = [...above, ENCODER.encode(table.name), ENCODER.encode(name)]
    return { children: repeated.children, above: path }
  }

  #inner(
    place: { readonly children: readonly ParquetNode[]; readonly above: readonly Uint8Array[] },
    members: readonly { readonly column: FileField; readonly table: TableField }[],
    names: ColumnNames,
  ): void {
    members.forEach(({ column, table }, i) => {
      if (this.#hasFieldIds && column.fieldId !== table.fieldId) {
        throw new Difference(column.path, `lacks the field id ${table.fieldId} of the table`)
      }
      const node = place.children[i] as ParquetNode
      this.#field({ node, column, above: place.above }, table, names)
    })
  }

  #leaf(
    file: {
      readonly leaf: ParquetLeaf
      readonly column: FileField
      readonly above: readonly Uint8Array[]
    },
    { type, ...label }: TableField,
  ): void {
    const { leaf, column, above } = file
    const leafType = leafTypeOf(leaf)
    const isLeaf = column.shape.kind === 'leaf' && !isNested(type)
    const isNull = isLeaf && type.kind === 'unknown' && leaf.annotation?.kind === 'NULL'
    if (!isNull && (!isLeaf || !('type' in leafType) || !isExactly(leafType, type))) {
      const fileType = 'type' in leafType ? typeName(leafType.type) : leafType.unsupported
      throw new Difference(column.path, `has type ${fileType}, but ${typeName(type)} in the table`)
    }
    this.#elements.push(this.#relabelled(leaf, label))
    this.#columns.push({
      leafIndex: leaf.leafIndex,
      path: [...above, ENCODER.encode(label.name)],
      order: this.#orders?.[leaf.leafIndex],
    })
  }

  #groupElement(group: ParquetNode, label: Label, childCount: number): ThriftStruct {
    const element = this.#relabelled(group, label)
    return withFields(element, [{ id: 5, type: THRIFT.I32, value: childCount }])
  }

  #relabelled(node: ParquetNode, { name, fieldId }: Label): ThriftStruct {
    if (name !== node.name) this.#isFileOwn = false
    const element = this.#elementOf.get(node) as ThriftStruct
    const fields: ThriftField[] = [{ id: 4, type: THRIFT.BINARY, value: ENCODER.encode(name) }]
    if (fieldId !== undefined) fields.push({ id: 9, type: THRIFT.I32, value: fieldId })
    return withFields(element, fields, FIELD_ID)
  }
}

const FIELD_ID = new Set([9])

function elementsByNode(footer: ParquetFooter): ReadonlyMap<ParquetNode, ThriftStruct> {
  const elements = getStructs(footer.thrift, 2)
  const elementOf = new Map<ParquetNode, ThriftStruct>()
  const visit = (node: ParquetNode): void => {
    elementOf.set(node, elements[elementOf.size] as ThriftStruct)
    if (node.kind === 'group') node.children.forEach(visit)
  }
  visit(footer.root)
  return elementOf
}
