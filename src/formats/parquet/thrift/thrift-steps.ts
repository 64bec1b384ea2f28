import {
  FIELDS_MAX,
  THRIFT,
  THRIFT_LIMITS,
  ThriftError,
  type ThriftField,
  type ThriftLimits,
  type ThriftList,
  type ThriftMap,
  ThriftReader,
  type ThriftStruct,
  type ThriftValue,
  ThriftWriter,
} from './thrift.ts'

/** Scalars of a list that are read without a pause: some tenths of a millisecond. */
const SCALARS_AT_ONCE = 4_096

/**
 * As `readThriftStruct`, with a pause at each nested struct and list, so that others can have a
 * turn. Takes half as long again.
 */
export function* readThriftInSteps(
  bytes: Uint8Array,
  limits: ThriftLimits = THRIFT_LIMITS,
): Generator<void, ThriftStruct> {
  return yield* structSteps(new ThriftReader(bytes, limits), 0)
}

/** As `writeThriftStruct`, with a pause after each struct. */
export function* writeThriftInSteps(struct: ThriftStruct): Generator<void, Uint8Array> {
  const writer = new ThriftWriter()
  yield* writeSteps(writer, struct)
  return writer.written()
}

function* writeSteps(writer: ThriftWriter, { fields }: ThriftStruct): Generator<void, void> {
  let last = 0
  for (const field of fields) {
    writer.head(field, last)
    last = field.id
    if (typeof field.value !== 'boolean') yield* valueSteps(writer, field.type, field.value)
  }
  writer.end()
  yield
}

function* valueSteps(
  writer: ThriftWriter,
  type: number,
  value: ThriftValue,
): Generator<void, void> {
  if (typeof value === 'object' && 'fields' in value) {
    yield* writeSteps(writer, value)
  } else if (typeof value === 'object' && 'values' in value && 'elementType' in value) {
    writer.listHead(value)
    for (const [i, each] of value.values.entries()) {
      yield* valueSteps(writer, value.elementType, each)
      if (i % SCALARS_AT_ONCE === 0) yield
    }
  } else {
    writer.value(type, value)
  }
}

function* structSteps(reader: ThriftReader, depth: number): Generator<void, ThriftStruct> {
  reader.enter(depth)
  const fields: ThriftField[] = []
  for (let header = reader.header(0); header !== 0; header = reader.header(header >> 4)) {
    const type = header & 15
    const value = isNested(type)
      ? yield* nestedSteps(reader, type, depth)
      : reader.fieldValue(type, depth)
    fields.push({ id: header >> 4, type, value })
    if (fields.length > FIELDS_MAX) throw new ThriftError('too many fields in a struct')
  }
  yield
  return { fields }
}

function* listSteps(reader: ThriftReader, depth: number): Generator<void, ThriftList> {
  reader.enter(depth)
  const { elementType, count } = reader.listHead()
  const values: ThriftValue[] = []
  for (let i = 0; i < count; i++) {
    values.push(
      isNested(elementType)
        ? yield* nestedSteps(reader, elementType, depth)
        : reader.value(elementType, depth),
    )
    if (i % SCALARS_AT_ONCE === 0) yield
  }
  return { elementType, values }
}

function* mapSteps(reader: ThriftReader, depth: number): Generator<void, ThriftMap> {
  reader.enter(depth)
  const { keyType, valueType, count } = reader.mapHead()
  const entries: [ThriftValue, ThriftValue][] = []
  const read = function* (type: number) {
    return isNested(type) ? yield* nestedSteps(reader, type, depth) : reader.value(type, depth)
  }
  for (let i = 0; i < count; i++) {
    entries.push([yield* read(keyType), yield* read(valueType)])
    yield
  }
  return { keyType, valueType, entries }
}

function isNested(type: number): boolean {
  return type >= THRIFT.LIST && type <= THRIFT.STRUCT
}

function nestedSteps(
  reader: ThriftReader,
  type: number,
  depth: number,
): Generator<void, ThriftValue> {
  if (type === THRIFT.STRUCT) return structSteps(reader, depth + 1)
  return type === THRIFT.MAP ? mapSteps(reader, depth + 1) : listSteps(reader, depth + 1)
}
