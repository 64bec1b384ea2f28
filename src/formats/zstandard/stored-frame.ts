/** Size of a block, and of the window that a decoder needs (RFC 8878, "Blocks"). */
const BLOCK_BYTES = 128 * 1024
/** Magic number, a content size of four bytes, and a window of 128 KiB. */
const HEADER = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x38)
const SIZE_BYTES = 4
const BLOCK_HEADER_BYTES = 3

/** A Zstandard frame of raw blocks: the bytes as they are, less than 4 GiB. */
export function storedZstandard(bytes: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / BLOCK_BYTES))
  const headersBytes = HEADER.length + SIZE_BYTES + blocks * BLOCK_HEADER_BYTES
  const frame = new Uint8Array(headersBytes + bytes.length)
  const view = new DataView(frame.buffer)
  frame.set(HEADER)
  view.setUint32(HEADER.length, bytes.length, true)
  let at = HEADER.length + SIZE_BYTES
  for (let i = 0; i < blocks; i++) {
    const block = bytes.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES)
    // The last block has the lowest bit; the type above it is 0.
    const header = (block.length << 3) | Number(i === blocks - 1)
    view.setUint16(at, header & 0xffff, true)
    view.setUint8(at + 2, header >>> 16)
    frame.set(block, at + BLOCK_HEADER_BYTES)
    at += BLOCK_HEADER_BYTES + block.length
  }
  return frame
}
