import { CatalogError } from '../../../core/errors.ts'

const CONTINUATION = 0xffffffff
const PREFIX_BYTES = 8

/** Bytes of a stream that it takes to know the length of its first message. */
export const ARROW_PREFIX_BYTES = PREFIX_BYTES
/** End of a stream: a continuation mark and a zero length (Arrow, "IPC Streaming Format"). */
export const ARROW_END_BYTES = 8

/** Length of the schema message that an Arrow IPC stream begins with; it has no body. */
export function arrowSchemaBytes(prefix: Uint8Array): number {
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength)
  if (prefix.byteLength < PREFIX_BYTES || view.getUint32(0, true) !== CONTINUATION) {
    throw new CatalogError('file-corrupt', 'not an Arrow IPC stream')
  }
  return PREFIX_BYTES + view.getInt32(4, true)
}
