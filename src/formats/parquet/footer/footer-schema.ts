import { ThriftError, type ThriftStruct } from '../thrift/thrift.ts'
import {
  findNumber,
  findStructs,
  getBytes,
  getCount,
  getNumber,
  getStructs,
} from '../thrift/thrift-fields.ts'
import { annotationOf } from './annotation.ts'
import { asciiText } from './ascii-text.ts'
import {
  type ParquetGroup,
  type ParquetLeaf,
  type ParquetNode,
  PHYSICAL_TYPES,
  type PhysicalType,
  type Repetition,
} from './footer-model.ts'

/** Depth of nested groups; engines support far less. */
const SCHEMA_DEPTH_MAX = 64
/** Number of groups and columns below the root; limits the memory of their paths. */
const SCHEMA_ELEMENTS_MAX = 100_000
/** Names from the root to a column, and those of all columns. */
const PATH_BYTES_MAX = 10_000
const PATHS_BYTES_MAX = 32 * 1024 * 1024
/** Nodes that are decoded without a pause: half a millisecond. */
const NODES_AT_ONCE = 256
const REPETITIONS: readonly Repetition[] = ['required', 'optional', 'repeated']
/** Field id in the union ColumnOrder. */
const TYPE_ORDER = 1
const ORDERS_DIFFER = 'column orders do not match the columns'
const STRICT_DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export interface FooterSchema {
  readonly root: ParquetGroup
  readonly leaves: readonly ParquetLeaf[]
  /** Paths of the leaves as in the file, in UTF-8. */
  readonly leafPaths: readonly (readonly Uint8Array[])[]
}

/**
 * Rebuilds the tree from FileMetaData's flat, depth-first list of elements, with pauses for others.
 */
export function* footerSchemaSteps(metadata: ThriftStruct): Generator<void, FooterSchema> {
  const elements = getStructs(metadata, 2)
  if (elements.length - 1 > SCHEMA_ELEMENTS_MAX) throw new ThriftError('too many columns')
  const orders = findStructs(metadata, 7)
  if ((orders?.length ?? 0) > elements.length) throw new ThriftError(ORDERS_DIFFER)
  const builder = new SchemaBuilder(
    elements,
    orders?.map((order) => order.fields[0]?.id === TYPE_ORDER),
  )
  const root = yield* builder.nodeSteps({
    path: [],
    pathBytes: [],
    pathLength: 0,
    isRepeated: false,
  })
  if (root.kind !== 'group') throw new ThriftError('the schema has no columns')
  builder.finish()
  return { root, leaves: builder.leaves, leafPaths: builder.leafPaths }
}

interface Place {
  readonly pathLength: number
  /** Path of the parent. */
  readonly path: readonly string[]
  readonly pathBytes: readonly Uint8Array[]
  readonly isRepeated: boolean
}

class SchemaBuilder {
  readonly leaves: ParquetLeaf[] = []
  readonly leafPaths: (readonly Uint8Array[])[] = []
  readonly #elements: readonly ThriftStruct[]
  readonly #typeOrders: readonly boolean[] | undefined
  #next = 0
  #pathsBytes = 0
  #depth = -1

  constructor(elements: readonly ThriftStruct[], typeOrders: readonly boolean[] | undefined) {
    this.#elements = elements
    this.#typeOrders = typeOrders
  }

  finish(): void {
    if (this.#next !== this.#elements.length) throw new ThriftError('schema elements left over')
    if (this.#typeOrders !== undefined && this.#typeOrders.length !== this.leaves.length) {
      throw new ThriftError(ORDERS_DIFFER)
    }
  }

  *nodeSteps(place: Place): Generator<void, ParquetNode> {
    if (this.#next % NODES_AT_ONCE === 0) yield
    if (this.#depth >= SCHEMA_DEPTH_MAX) throw new ThriftError('schema nested too deeply')
    const element = this.#elements[this.#next++]
    if (element === undefined) throw new ThriftError('schema ends too early')
    const isRoot = this.#depth < 0
    const nameBytes = getBytes(element, 4)
    const pathLength = isRoot ? 0 : place.pathLength + nameBytes.length
    this.#takePath(pathLength)
    const name = columnName(nameBytes)
    const repetition = isRoot ? 'required' : repetitionOf(element)
    const inside: Place = {
      path: isRoot ? [] : [...place.path, name],
      pathBytes: isRoot ? [] : [...place.pathBytes, nameBytes],
      pathLength,
      isRepeated: place.isRepeated || repetition === 'repeated',
    }
    // In a file without columns, the root is neither group nor leaf.
    if (isRoot || findNumber(element, 1) === undefined) {
      const children = yield* this.#childSteps(element, inside)
      return {
        kind: 'group',
        name,
        repetition,
        annotation: annotationOf(element),
        fieldId: fieldIdOf(element),
        children,
      }
    }
    return this.#leaf(element, { name, repetition, place: inside })
  }

  #takePath(length: number): void {
    if (length > PATH_BYTES_MAX) {
      throw new ThriftError(`a column whose path has more than ${PATH_BYTES_MAX} bytes`)
    }
    this.#pathsBytes += length
    if (this.#pathsBytes > PATHS_BYTES_MAX) throw new ThriftError('too long names of columns')
  }

  *#childSteps(element: ThriftStruct, place: Place): Generator<void, readonly ParquetNode[]> {
    const count = findNumber(element, 5) ?? 0
    if (count < 0 || count > this.#elements.length - this.#next) {
      throw new ThriftError(`a group claims ${count} children`)
    }
    this.#depth++
    const children: ParquetNode[] = []
    for (let i = 0; i < count; i++) children.push(yield* this.nodeSteps(place))
    this.#depth--
    return children
  }

  #leaf(
    element: ThriftStruct,
    { name, repetition, place }: { name: string; repetition: Repetition; place: Place },
  ): ParquetLeaf {
    if ((findNumber(element, 5) ?? 0) !== 0) throw new ThriftError('a column has children')
    const physicalType = physicalTypeOf(element)
    const leafIndex = this.leaves.length
    const leaf: ParquetLeaf = {
      kind: 'leaf',
      name,
      repetition,
      annotation: annotationOf(element),
      fieldId: fieldIdOf(element),
      physicalType,
      typeLength: physicalType === 'FIXED_LEN_BYTE_ARRAY' ? typeLengthOf(element) : undefined,
      leafIndex,
      path: place.path,
      isRepeated: place.isRepeated,
      hasTypeOrder: this.#typeOrders?.[leafIndex] ?? true,
    }
    this.leaves.push(leaf)
    this.leafPaths.push(place.pathBytes)
    return leaf
  }
}

function columnName(bytes: Uint8Array): string {
  const ascii = asciiText(bytes)
  if (ascii !== undefined) return ascii
  try {
    return STRICT_DECODER.decode(bytes)
  } catch {
    throw new ThriftError('a column name is not UTF-8')
  }
}

function fieldIdOf(element: ThriftStruct): number | undefined {
  const fieldId = findNumber(element, 9)
  return fieldId === undefined || fieldId < 0 ? undefined : fieldId
}

function repetitionOf(element: ThriftStruct): Repetition {
  const repetition = REPETITIONS[getNumber(element, 3)]
  if (repetition === undefined) throw new ThriftError('unknown repetition')
  return repetition
}

export function physicalTypeOf(struct: ThriftStruct): PhysicalType {
  const physicalType = PHYSICAL_TYPES[getNumber(struct, 1)]
  if (physicalType === undefined) throw new ThriftError('unknown physical type')
  return physicalType
}

function typeLengthOf(element: ThriftStruct): number {
  const length = getCount(element, 2)
  if (length === 0) throw new ThriftError('a fixed length of 0')
  return length
}
