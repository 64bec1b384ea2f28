import type { Annotation, ParquetGroup, ParquetLeaf, ParquetNode } from '../footer/footer-model.ts'

/** A column of a file as Iceberg sees it, without the groups that only encode lists and maps. */
export interface FileField {
  readonly name: string
  /** Dotted path for messages, with `element`, `key` and `value` below lists and maps. */
  readonly path: string
  readonly required: boolean
  readonly fieldId?: number
  readonly shape: FileShape
}

export type FileShape =
  | { readonly kind: 'leaf'; readonly leaf: ParquetLeaf }
  | { readonly kind: 'struct'; readonly fields: readonly FileField[] }
  | { readonly kind: 'list'; readonly element: FileField }
  | { readonly kind: 'map'; readonly key: FileField; readonly value: FileField }
  /** Not readable by any Iceberg reader; `name` describes it. */
  | { readonly kind: 'unsupported'; readonly name: string }

export function fileFields(root: ParquetGroup): readonly FileField[] {
  return root.children.map((child) => fileField(child, child.name))
}

function fileField(node: ParquetNode, path: string): FileField {
  const shape: FileShape =
    node.repetition === 'repeated'
      ? { kind: 'unsupported', name: 'repeated field outside a list' }
      : shapeOf(node, path)
  return field(node, { name: node.name, path, shape })
}

function field(
  node: ParquetNode,
  { name, path, shape }: { name: string; path: string; shape: FileShape },
): FileField {
  return {
    name,
    path,
    // A repeated node is an element here, and existing elements are not null.
    required: node.repetition !== 'optional',
    ...(node.fieldId === undefined ? {} : { fieldId: node.fieldId }),
    shape,
  }
}

function shapeOf(node: ParquetNode, path: string): FileShape {
  if (node.kind === 'leaf') return { kind: 'leaf', leaf: node }
  if (node.annotation === undefined) return structShape(node, path)
  switch (node.annotation.kind) {
    case 'LIST':
      return listShape(node, path)
    // Some writers put MAP_KEY_VALUE on the outer group.
    case 'MAP':
    case 'MAP_KEY_VALUE':
      return mapShape(node, path)
    default:
      return { kind: 'unsupported', name: annotationName(node.annotation) }
  }
}

function structShape(group: ParquetGroup, path: string): FileShape {
  if (group.children.length === 0) return { kind: 'unsupported', name: 'group without columns' }
  return {
    kind: 'struct',
    fields: group.children.map((child) => fileField(child, `${path}.${child.name}`)),
  }
}

function listShape(group: ParquetGroup, path: string): FileShape {
  const [repeated] = group.children
  if (repeated?.repetition !== 'repeated' || group.children.length !== 1) {
    return { kind: 'unsupported', name: 'list without its repeated group' }
  }
  const inside = { name: 'element', path: `${path}.element` }
  const [child] = repeated.kind === 'group' ? repeated.children : []
  if (child === undefined || isElementItself(repeated, group.name)) {
    return {
      kind: 'list',
      element: field(repeated, { ...inside, shape: shapeOf(repeated, inside.path) }),
    }
  }
  return {
    kind: 'list',
    element: field(child, { ...inside, shape: shapeOf(child, inside.path) }),
  }
}

/**
 * Whether this is a two-level list of older writers (parquet-format, LogicalTypes.md, "Lists",
 * backward compatibility).
 */
export function isElementItself(repeated: ParquetNode, listName: string): boolean {
  if (repeated.kind === 'leaf' || repeated.children.length !== 1) return true
  if (repeated.children[0]?.repetition === 'repeated') return true
  if (repeated.annotation?.kind === 'LIST' || repeated.annotation?.kind === 'MAP') return true
  return repeated.name === 'array' || repeated.name === `${listName}_tuple`
}

function mapShape(group: ParquetGroup, path: string): FileShape {
  const [entry] = group.children
  const [key, value] = entry?.kind === 'group' ? entry.children : []
  const isMap =
    group.children.length === 1 &&
    entry?.kind === 'group' &&
    entry.repetition === 'repeated' &&
    entry.children.length === 2
  if (!isMap || key === undefined || value === undefined) {
    return { kind: 'unsupported', name: 'map without keys and values' }
  }
  if (key.repetition === 'repeated' || value.repetition === 'repeated') {
    return { kind: 'unsupported', name: 'map with repeated keys or values' }
  }
  const half = (node: ParquetNode, name: string): FileField =>
    field(node, { name, path: `${path}.${name}`, shape: shapeOf(node, `${path}.${name}`) })
  return { kind: 'map', key: half(key, 'key'), value: half(value, 'value') }
}

export function annotationName(annotation: Annotation): string {
  switch (annotation.kind) {
    case 'UNKNOWN':
      return `logical type ${annotation.logicalTypeId}`
    case 'DECIMAL':
      return `DECIMAL(${annotation.precision},${annotation.scale})`
    case 'INTEGER':
      return `${annotation.signed ? 'INT' : 'UINT'}_${annotation.bitWidth}`
    case 'TIME':
    case 'TIMESTAMP':
      return `${annotation.kind}_${annotation.unit.toUpperCase()}`
    default:
      return annotation.kind
  }
}

/** The field, followed by all fields below it. */
export function* withDescendants(top: FileField): Generator<FileField> {
  yield top
  const { shape } = top
  if (shape.kind === 'struct') for (const child of shape.fields) yield* withDescendants(child)
  if (shape.kind === 'list') yield* withDescendants(shape.element)
  if (shape.kind === 'map') {
    yield* withDescendants(shape.key)
    yield* withDescendants(shape.value)
  }
}
