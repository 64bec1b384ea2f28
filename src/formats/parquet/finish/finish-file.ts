import { allFields } from '../../../core/schema/schema-lookup.ts'
import type { Field, Schema } from '../../../core/value/type.ts'
import { parseFooter } from '../footer/footer.ts'
import type {
  ColumnChunk,
  ParquetFooter,
  ParquetLeaf,
  ParquetNode,
} from '../footer/footer-model.ts'
import { pagesOf } from '../stitch/stitch-problem.ts'
import { withFields } from '../stitch/thrift-edit.ts'
import { THRIFT, type ThriftField, type ThriftStruct, writeThriftStruct } from '../thrift/thrift.ts'
import { getCount, getStruct, getStructs } from '../thrift/thrift-fields.ts'
import { fixedPages } from './fixed-chunk.ts'
import type { FixedLeaf } from './fixed-values.ts'

/** A file that is read, and one that is written from its beginning. */
export interface FileCopy {
  readonly sizeBytes: number
  read(offset: number, lengthBytes: number): Uint8Array
  write(bytes: Uint8Array): void
}

const ENCODER = new TextEncoder()
const MAGIC = ENCODER.encode('PAR1')
const TRAILER_BYTES = 8
const SLICE_BYTES = 1024 * 1024
const FIXED_LEN_BYTE_ARRAY = 7
/** Statistics of the lengths of values: they have one. */
const SIZE_STATISTICS = new Set([16])
const { BINARY, I32, I64, LIST, STRUCT } = THRIFT
/** LogicalType UNKNOWN, "always null". */
const NULL_TYPE: ThriftField = {
  id: 10,
  type: STRUCT,
  value: { fields: [{ id: 11, type: STRUCT, value: { fields: [] } }] },
}
const CONVERTED_TYPE = new Set([6])

/**
 * Copies a file that the engine has written, with field ids at every level, into the form that the
 * schema says: `fixed(n)` as FIXED_LEN_BYTE_ARRAY, as Iceberg's readers require, where DuckDB
 * writes BYTE_ARRAY, `unknown` as the type that has no value but NULL, and the names, which may be
 * none to DuckDB.
 */
export function finishFile(file: FileCopy, schema: Pick<Schema, 'fields'>): void {
  const footer = readFooter(file)
  const labels = new Map(allFields(schema).map((field) => [field.id, field]))
  const columns = labelledColumns(footer, labels)
  const writer = new Writer(file)
  writer.write(MAGIC)
  const groups = getStructs(footer.thrift, 4)
  const rowGroups = footer.rowGroups.map((group, i) =>
    writer.copyRowGroup(groups[i] as ThriftStruct, group.columns, columns),
  )
  const changed = writeThriftStruct(
    withFields(footer.thrift, [
      structs(2, labelledElements(footer, labels)),
      structs(4, rowGroups),
    ]),
  )
  const trailer = new Uint8Array(TRAILER_BYTES)
  new DataView(trailer.buffer).setUint32(0, changed.length, true)
  trailer.set(MAGIC, TRAILER_BYTES - MAGIC.length)
  writer.write(changed)
  writer.write(trailer)
}

function readFooter({ sizeBytes, read }: FileCopy): ParquetFooter {
  const trailer = read(sizeBytes - TRAILER_BYTES, TRAILER_BYTES)
  const lengthBytes = new DataView(trailer.buffer, trailer.byteOffset).getUint32(0, true)
  return parseFooter(read(sizeBytes - TRAILER_BYTES - lengthBytes, lengthBytes), { sizeBytes })
}

/** What a leaf becomes. */
interface Column {
  /** Names from the child of the root down. */
  readonly path: readonly string[]
  readonly fixed: FixedLeaf | undefined
}
type Labels = ReadonlyMap<number, Field>

/** By leaf. */
function labelledColumns({ root }: ParquetFooter, labels: Labels): readonly Column[] {
  const columns: Column[] = []
  const visit = (node: ParquetNode, above: Above): void => {
    const path = [...above.path, nameOf(node, labels)]
    const isRepeated = above.isRepeated || node.repetition === 'repeated'
    const isOptional = above.isOptional || node.repetition !== 'required'
    if (node.kind === 'leaf') {
      const length = fixedLength(node, labels)
      const fixed = length === undefined ? undefined : { column: path.join('.'), length }
      columns.push({
        path,
        fixed: fixed && {
          ...fixed,
          hasRepetitionLevels: isRepeated,
          hasDefinitionLevels: isOptional,
        },
      })
      return
    }
    for (const child of node.children) visit(child, { path, isRepeated, isOptional })
  }
  for (const child of root.children)
    visit(child, { path: [], isRepeated: false, isOptional: false })
  return columns
}

interface Above {
  readonly path: readonly string[]
  readonly isRepeated: boolean
  readonly isOptional: boolean
}

function nameOf({ name, fieldId }: ParquetNode, labels: Labels): string {
  return labels.get(fieldId ?? -1)?.name ?? name
}

function fixedLength({ fieldId, physicalType }: ParquetLeaf, labels: Labels): number | undefined {
  const type = labels.get(fieldId ?? -1)?.type
  return type?.kind === 'fixed' && physicalType === 'BYTE_ARRAY' ? type.length : undefined
}

/** Depth first, the root first. */
function labelledElements({ root, thrift }: ParquetFooter, labels: Labels): ThriftStruct[] {
  const elements = getStructs(thrift, 2)
  let next = 0
  const labelled: ThriftStruct[] = []
  const visit = (node: ParquetNode): void => {
    const element = elements[next++] as ThriftStruct
    const length = node.kind === 'leaf' ? fixedLength(node, labels) : undefined
    const type: ThriftField[] =
      length === undefined
        ? []
        : [
            { id: 1, type: I32, value: FIXED_LEN_BYTE_ARRAY },
            { id: 2, type: I32, value: length },
          ]
    const name = { id: 4, type: BINARY, value: ENCODER.encode(nameOf(node, labels)) }
    const isUnknown = labels.get(node.fieldId ?? -1)?.type.kind === 'unknown'
    labelled.push(
      isUnknown
        ? withFields(element, [name, NULL_TYPE], CONVERTED_TYPE)
        : withFields(element, [...type, name]),
    )
    if (node.kind === 'group') node.children.forEach(visit)
  }
  visit(root)
  return labelled
}

class Writer {
  readonly #file: FileCopy
  #position = 0

  constructor(file: FileCopy) {
    this.#file = file
  }

  write(bytes: Uint8Array): void {
    this.#file.write(bytes)
    this.#position += bytes.length
  }

  copyRowGroup(
    group: ThriftStruct,
    chunks: readonly ColumnChunk[],
    columns: readonly Column[],
  ): ThriftStruct {
    const offset = this.#position
    const structsOfChunks = getStructs(group, 1)
    const copied = chunks.map((chunk, i) => {
      const metadata = getStruct(structsOfChunks[i] as ThriftStruct, 3)
      return this.#copyChunk(metadata, chunk, columns[i] as Column)
    })
    const sum = (id: number) => copied.reduce((total, each) => total + getCount(each, id), 0)
    const values = copied.map((metadata, i) =>
      withFields(structsOfChunks[i] as ThriftStruct, [
        { id: 2, type: I64, value: 0 },
        { id: 3, type: STRUCT, value: metadata },
      ]),
    )
    return withFields(group, [
      structs(1, values),
      { id: 2, type: I64, value: sum(6) },
      { id: 5, type: I64, value: offset },
      { id: 6, type: I64, value: sum(7) },
    ])
  }

  /** Returns the changed ColumnMetaData. */
  #copyChunk(metadata: ThriftStruct, chunk: ColumnChunk, { path, fixed }: Column): ThriftStruct {
    const start = this.#position
    const { offset, end } = pagesOf(chunk)
    const values = path.map((name) => ENCODER.encode(name))
    const named = withFields(metadata, [
      { id: 3, type: LIST, value: { elementType: BINARY, values } },
    ])
    if (fixed === undefined) {
      this.#copyRange(offset, end)
      return moved(named, chunk, start - offset)
    }
    return this.#fixChunk(named, chunk, fixed)
  }

  #fixChunk(metadata: ThriftStruct, chunk: ColumnChunk, fixed: FixedLeaf): ThriftStruct {
    let [compressed, uncompressed] = [0, 0]
    let dictionaryAt: number | undefined
    let dataAt: number | undefined
    const read = (offset: number, bytes: number) => this.#file.read(offset, bytes)
    for (const page of fixedPages(read, { ...pagesOf(chunk), codec: chunk.codec }, fixed)) {
      if (page.isDictionary) dictionaryAt = this.#position
      else dataAt ??= this.#position
      compressed += page.compressedBytes
      uncompressed += page.uncompressedBytes
      for (const bytes of page.bytes) this.write(bytes)
    }
    return withFields(
      metadata,
      [
        { id: 1, type: I32, value: FIXED_LEN_BYTE_ARRAY },
        { id: 6, type: I64, value: uncompressed },
        { id: 7, type: I64, value: compressed },
        { id: 9, type: I64, value: dataAt ?? this.#position },
        ...(dictionaryAt === undefined ? [] : [{ id: 11, type: I64, value: dictionaryAt }]),
      ],
      SIZE_STATISTICS,
    )
  }

  #copyRange(offset: number, end: number): void {
    for (let at = offset; at < end; at += SLICE_BYTES) {
      this.write(this.#file.read(at, Math.min(SLICE_BYTES, end - at)))
    }
  }
}

function moved(metadata: ThriftStruct, chunk: ColumnChunk, by: number): ThriftStruct {
  const { dataPageOffset, dictionaryPageOffset } = chunk
  const hasDictionary = dictionaryPageOffset !== undefined && dictionaryPageOffset !== 0
  return withFields(metadata, [
    { id: 9, type: I64, value: dataPageOffset + by },
    ...(hasDictionary ? [{ id: 11, type: I64, value: dictionaryPageOffset + by }] : []),
  ])
}

function structs(id: number, values: readonly ThriftStruct[]): ThriftField {
  return { id, type: LIST, value: { elementType: STRUCT, values } }
}
