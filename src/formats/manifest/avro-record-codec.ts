import avsc from 'avsc'
import type { RecordCodec } from '../avro/avro-container.ts'
import { type AvroTypeJson, INT64 } from './manifest-list-schema.ts'

// avsc passes the eight bytes of a custom long; its own longs end at 2^53.
const BIGINT_LONG = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeBigInt64LE(value)
    return bytes
  },
  fromJSON: (value: number | string) => BigInt(value),
  toJSON: (value: bigint) => value,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (left: bigint, right: bigint) => (left === right ? 0 : left < right ? -1 : 1),
})

/**
 * Encodes records of plain objects. A long is a bigint if the schema has an object for it (`INT64`,
 * logical types), else a number. Bytes and fixed are a Buffer. Absent fields are null.
 */
export function compileRecordCodec(schema: AvroTypeJson): RecordCodec<object> {
  // avsc calls its hook with `{"type":"long"}` for a plain long, too: only the mark distinguishes
  // them.
  const marked = JSON.stringify(schema, (_key, type: unknown) =>
    isLongObject(type) ? { ...type, isExact: true } : type,
  )
  return avsc.Type.forSchema(JSON.parse(marked), {
    omitRecordMethods: true,
    wrapUnions: false,
    typeHook: (type) => (isMarked(type) ? BIGINT_LONG : undefined),
  } as Parameters<typeof avsc.Type.forSchema>[1])
}

function isLongObject(type: unknown): type is object {
  return typeof type === 'object' && type !== null && 'type' in type && isLong(type)
}

function isLong(type: { type: unknown }): boolean {
  return type.type === INT64.type && !('field-id' in type)
}

function isMarked(type: unknown): boolean {
  return typeof type === 'object' && type !== null && 'isExact' in type
}
