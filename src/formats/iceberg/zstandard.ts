import { decompress } from 'fzstd'
import { corrupt } from './corrupt.ts'

const FRAME_MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
const BLOCK_BYTES_MAX = 128 * 1024
const RLE_BLOCK = 1
const COMPRESSED_BLOCK = 2

interface Frame {
  readonly end: number
  /** Of what it holds: exact when the writer said so, else at least enough. */
  readonly sizeBytes: number
  readonly isExact: boolean
}

/**
 * Inflates Zstandard frames (RFC 8878) to at most `bytesMax`. A frame of undeclared size ends in zeros
 * beyond what it holds. Sizes are added up from the block headers before anything is allocated:
 * fzstd itself trusts the frame header.
 */
export function inflateZstandard(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const pieces: Uint8Array[] = []
  let left = bytesMax
  let position = 0
  while (position < bytes.length) {
    const frame = readFrame(view, position)
    if (frame.sizeBytes > left) throw corrupt(`more than ${bytesMax} bytes after inflation`)
    if (!frame.isExact && frame.end < bytes.length) {
      throw corrupt('Zstandard frames of undeclared size in a row')
    }
    left -= frame.sizeBytes
    if (frame.sizeBytes > 0) {
      pieces.push(decompress(bytes.subarray(position, frame.end), new Uint8Array(frame.sizeBytes)))
    }
    position = frame.end
  }
  return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces)
}

function readFrame(view: DataView, start: number): Frame {
  const magic = view.getUint32(start, true)
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
    const end = start + 8 + view.getUint32(start + 4, true)
    if (end > view.byteLength) throw corrupt('Zstandard frame ends too early')
    return { end, sizeBytes: 0, isExact: true }
  }
  if (magic !== FRAME_MAGIC) throw corrupt('no Zstandard frame')
  const descriptor = view.getUint8(start + 4)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number
  const sizeAt = start + 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes
  const sizeLength = declaredSizeLength(descriptor >>> 6, isSingleSegment)
  const blocks = readBlocks(view, sizeAt + sizeLength)
  const end = blocks.end + (descriptor & 4)
  if (end > view.byteLength) throw corrupt('Zstandard frame ends too early')
  if (sizeLength === 0) return { end, sizeBytes: blocks.sizeBytes, isExact: false }
  const declared = declaredSize(view, sizeAt, sizeLength)
  if (declared > blocks.sizeBytes) throw corrupt('Zstandard frame holds less than it declares')
  return { end, sizeBytes: declared, isExact: true }
}

function declaredSizeLength(flag: number, isSingleSegment: boolean): number {
  if (flag === 0) return isSingleSegment ? 1 : 0
  return 2 ** flag
}

function declaredSize(view: DataView, at: number, length: number): number {
  if (length === 1) return view.getUint8(at)
  if (length === 2) return view.getUint16(at, true) + 256
  if (length === 4) return view.getUint32(at, true)
  return Number(view.getBigUint64(at, true))
}

/** The most that the blocks can hold, and where they end. */
function readBlocks(view: DataView, start: number): { sizeBytes: number; end: number } {
  let end = start
  let sizeBytes = 0
  for (let isLast = false; !isLast; ) {
    const header = view.getUint16(end, true) | (view.getUint8(end + 2) << 16)
    isLast = (header & 1) === 1
    const type = (header >>> 1) & 3
    const size = header >>> 3
    sizeBytes += type === COMPRESSED_BLOCK ? BLOCK_BYTES_MAX : size
    end += 3 + (type === RLE_BLOCK ? 1 : size)
  }
  return { sizeBytes, end }
}
