import { readFileSync, writeFileSync } from 'node:fs'
import { withFields, withoutFields } from '../../../src/formats/parquet/stitch/thrift-edit.ts'
import {
  readThriftStruct,
  THRIFT,
  type ThriftStruct,
  type ThriftValue,
  writeThriftStruct,
} from '../../../src/formats/parquet/thrift/thrift.ts'
import {
  getByteStrings,
  getStruct,
  getStructs,
} from '../../../src/formats/parquet/thrift/thrift-fields.ts'

const TRAILER_BYTES = 8
/** Fields of SchemaElement, and of the union LogicalType. */
const CONVERTED_TYPE = 6
const LOGICAL_TYPE = 10
const NULL_TYPE = 11
/** Fields of FileMetaData, RowGroup and ColumnChunk. */
const SCHEMA = 2
const ROW_GROUPS = 4
const COLUMNS = 1
const META_DATA = 3
const PATH_IN_SCHEMA = 3
const STATISTICS = 12

/** Changes the footer of a file, and leaves its pages. */
export function editFooter(path: string, edit: (footer: ThriftStruct) => ThriftStruct): void {
  const bytes = readFileSync(path)
  const footerEnd = bytes.length - TRAILER_BYTES
  const footerStart = footerEnd - bytes.readUInt32LE(footerEnd)
  const thrift = readThriftStruct(bytes.subarray(footerStart, footerEnd)).struct
  const footer = writeThriftStruct(edit(thrift))
  const trailer = Buffer.from('\0\0\0\0PAR1', 'latin1')
  trailer.writeUInt32LE(footer.length)
  writeFileSync(path, Buffer.concat([bytes.subarray(0, footerStart), footer, trailer]))
}

/** Changes the schema elements of a file; the first is the root. */
export function editElements(
  path: string,
  edit: (element: ThriftStruct, index: number) => ThriftStruct,
): void {
  editFooter(path, (footer) => withStructs(footer, SCHEMA, edit))
}

/** Changes what the footer says of each column in each row group (ColumnMetaData). */
export function editColumns(
  path: string,
  edit: (column: ThriftStruct, index: number) => ThriftStruct,
): void {
  editFooter(path, (footer) =>
    withStructs(footer, ROW_GROUPS, (group) =>
      withStructs(group, COLUMNS, (chunk, i) => {
        const value = edit(getStruct(chunk, META_DATA), i)
        return withFields(chunk, [{ id: META_DATA, type: THRIFT.STRUCT, value }])
      }),
    ),
  )
}

/**
 * The first column's statistics in the deprecated fields, as old writers compared values: of each
 * row group in turn.
 */
export function oldBounds(path: string, bounds: readonly (readonly [Buffer, Buffer])[]): void {
  let group = 0
  editColumns(path, (column, index) => {
    if (index > 0) return column
    const [min, max] = bounds[group++ % bounds.length] as readonly [Buffer, Buffer]
    const value = {
      fields: [
        { id: 1, type: THRIFT.BINARY, value: max },
        { id: 2, type: THRIFT.BINARY, value: min },
        { id: 3, type: THRIFT.I64, value: 0 },
      ],
    }
    return withFields(column, [{ id: STATISTICS, type: THRIFT.STRUCT, value }])
  })
}

/** A column of numbers becomes one of the converted type, such as TIME_MICROS. */
export function annotate(path: string, name: string, convertedType: number): void {
  editElements(path, (element) => {
    const isNamed = element.fields.some(({ value }) => isText(value, name))
    if (!isNamed) return element
    const plain = withoutFields(element, new Set([CONVERTED_TYPE, LOGICAL_TYPE]))
    return withFields(plain, [{ id: CONVERTED_TYPE, type: THRIFT.I32, value: convertedType }])
  })
}

/** Columns of these names have the type NULL, as pandas writes columns without any value. */
export function asNulls(path: string, names: readonly string[]): void {
  const none: ThriftStruct = { fields: [] }
  const type = { fields: [{ id: NULL_TYPE, type: THRIFT.STRUCT, value: none }] }
  editElements(path, (element) => {
    if (!element.fields.some(({ value }) => names.some((name) => isText(value, name)))) {
      return element
    }
    const plain = withoutFields(element, new Set([CONVERTED_TYPE, LOGICAL_TYPE]))
    return withFields(plain, [{ id: LOGICAL_TYPE, type: THRIFT.STRUCT, value: type }])
  })
}

/** The same pages below another name. */
export function rename(path: string, from: string, to: string): void {
  const renamed = (value: ThriftValue) =>
    isText(value, from) ? new TextEncoder().encode(to) : value
  const renamedFields = ({ fields }: ThriftStruct): ThriftStruct => ({
    fields: fields.map((field) => ({ ...field, value: renamed(field.value) })),
  })
  editElements(path, renamedFields)
  editColumns(path, (column) => {
    const values = getByteStrings(column, PATH_IN_SCHEMA)
    const value = { elementType: THRIFT.BINARY, values: values.map(renamed) }
    return withFields(column, [{ id: PATH_IN_SCHEMA, type: THRIFT.LIST, value }])
  })
}

function isText(value: ThriftValue, text: string): boolean {
  return value instanceof Uint8Array && Buffer.from(value).toString() === text
}

function withStructs(
  struct: ThriftStruct,
  id: number,
  edit: (each: ThriftStruct, index: number) => ThriftStruct,
): ThriftStruct {
  const values = getStructs(struct, id).map(edit)
  const value = { elementType: THRIFT.STRUCT, values }
  return withFields(struct, [{ id, type: THRIFT.LIST, value }])
}
