import { CatalogError } from '../../../core/errors.ts'
import { Turns } from '../../../core/turns.ts'
import { parseFooterInTurns, readFooterBytes } from '../footer/footer.ts'
import { THRIFT, type ThriftStruct, writeThriftStruct } from '../thrift/thrift.ts'
import { findBytes, findStructs } from '../thrift/thrift-fields.ts'
import { ARROW_SCHEMA_KEY } from './arrow-schema.ts'

/** Held back until the end of the file; a longer footer stays as it is. */
const HELD_BYTES = 1024 * 1024
const TRAILER_BYTES = 8
const MAGIC = Buffer.from('PAR1')
/** Fields of FileMetaData. */
const KEY_VALUES = 5
const ENCRYPTION = 8

/**
 * A Parquet file on its way, without the schema of Arrow in its footer: readers that heed it refuse
 * types that the Parquet columns do not have. Whatever is no such file passes unchanged.
 */
export async function* withoutArrowSchema(
  chunks: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  const held: Uint8Array[] = []
  let heldBytes = 0
  let totalBytes = 0
  for await (const chunk of chunks) {
    held.push(chunk)
    heldBytes += chunk.length
    totalBytes += chunk.length
    for (let first = held[0]; first !== undefined; first = held[0]) {
      if (heldBytes - first.length < HELD_BYTES) break
      held.shift()
      heldBytes -= first.length
      yield first
    }
  }
  yield await changedEnd(Buffer.concat(held), totalBytes)
}

async function changedEnd(end: Buffer, sizeBytes: number): Promise<Uint8Array> {
  if (!end.includes(ARROW_SCHEMA_KEY)) return end
  try {
    const turns = new Turns()
    const turn = () => turns.take()
    const tooLong = () => Promise.reject(new CatalogError('file-not-parquet', 'a long footer'))
    const footer = await readFooterBytes({ bytes: end, sizeBytes }, tooLong)
    const thrift = withoutKey((await parseFooterInTurns(footer, { sizeBytes }, turn)).thrift)
    if (thrift === undefined) return end
    const written = writeThriftStruct(thrift)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(written.length)
    const pages = end.subarray(0, end.length - TRAILER_BYTES - footer.length)
    return Buffer.concat([pages, written, length, MAGIC])
  } catch (error) {
    // Whoever inspects it will say what it is.
    if (error instanceof CatalogError) return end
    throw error
  }
}

/** `undefined` where nothing may or need be changed: the footer may be signed. */
function withoutKey({ fields }: ThriftStruct): ThriftStruct | undefined {
  if (fields.some(({ id }) => id === ENCRYPTION)) return undefined
  const all = findStructs({ fields }, KEY_VALUES) ?? []
  const kept = all.filter((each) => keyOf(each) !== ARROW_SCHEMA_KEY)
  if (kept.length === all.length) return undefined
  return {
    fields: fields.flatMap((field) => {
      if (field.id !== KEY_VALUES) return [field]
      const value = { elementType: THRIFT.STRUCT, values: kept }
      return kept.length === 0 ? [] : [{ ...field, value }]
    }),
  }
}

function keyOf(keyValue: ThriftStruct): string {
  return Buffer.from(findBytes(keyValue, 1) ?? []).toString('utf8')
}
