const MAGIC = 0xfd2fb528
/** One segment, and the content's size in 8 bytes (RFC 8878, "Frame_Header_Descriptor"). */
const DESCRIPTOR = 0b1110_0000
const HEADER_BYTES = 13
const BLOCK_HEADER_BYTES = 3
const BLOCK_BYTES_MAX = 128 * 1024

/**
 * A Zstandard frame that stores the bytes uncompressed, for texts too short to gain from it, on a
 * Node without Zstandard. A file may be several frames.
 */
export function storedZstandardFrame(bytes: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / BLOCK_BYTES_MAX))
  const frame = new Uint8Array(HEADER_BYTES + blocks * BLOCK_HEADER_BYTES + bytes.length)
  const view = new DataView(frame.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint8(4, DESCRIPTOR)
  view.setBigUint64(5, BigInt(bytes.length), true)
  let position = HEADER_BYTES
  for (let block = 0; block < blocks; block++) {
    const content = bytes.subarray(block * BLOCK_BYTES_MAX, (block + 1) * BLOCK_BYTES_MAX)
    const header = (content.length << 3) | Number(block === blocks - 1)
    view.setUint16(position, header & 0xffff, true)
    view.setUint8(position + 2, header >> 16)
    frame.set(content, position + BLOCK_HEADER_BYTES)
    position += BLOCK_HEADER_BYTES + content.length
  }
  return frame
}
