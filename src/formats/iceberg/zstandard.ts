import { runInNewContext } from 'node:vm'
import { Decompress, decompress } from 'fzstd'
import { corrupt } from './corrupt.ts'

const FRAME_MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
const BLOCK_BYTES_MAX = 128 * 1024
const RLE_BLOCK = 1
const COMPRESSED_BLOCK = 2
/** That of level 19; a reader need not support more than 8 MB. */
const WINDOW_BYTES_MAX = 32 * 1024 * 1024

interface Frame {
  readonly end: number
  /** Of what it holds, if the writer said so. */
  readonly sizeBytes: number | undefined
}

/**
 * Inflates Zstandard frames (RFC 8878) to at most `bytesMax`. Sizes are checked before anything is allocated,
 * for fzstd itself trusts the frame header. It does not bound its work either: see `withinTime`.
 */
export function inflateZstandard(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const pieces: Uint8Array[] = []
  let left = bytesMax
  for (let position = 0; position < bytes.length; ) {
    const { end, sizeBytes } = readFrame(view, position)
    if (sizeBytes !== undefined && sizeBytes > left) throw tooLarge(bytesMax)
    const frame = bytes.subarray(position, end)
    const inflated =
      sizeBytes === undefined ? inflateStream(frame, left) : inflateTo(frame, sizeBytes)
    left -= inflated.length
    pieces.push(inflated)
    position = end
  }
  return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces)
}

/**
 * Runs synchronous code and throws when it takes longer. Twenty bytes can make fzstd copy for minutes: it neither
 * stops where the bits of a block end nor where its output is full.
 */
export function withinTime<T>(work: () => T, timeoutMs: number): T {
  return runInNewContext('work()', { work }, { timeout: timeoutMs }) as T
}

function inflateTo(frame: Uint8Array, sizeBytes: number): Uint8Array {
  return sizeBytes === 0 ? new Uint8Array() : decompress(frame, new Uint8Array(sizeBytes))
}

function inflateStream(frame: Uint8Array, bytesMax: number): Uint8Array {
  const pieces: Uint8Array[] = []
  let sizeBytes = 0
  const stream = new Decompress((piece) => {
    sizeBytes += piece.length
    if (sizeBytes > bytesMax) throw tooLarge(bytesMax)
    pieces.push(piece)
  })
  stream.push(frame, true)
  return Buffer.concat(pieces)
}

function tooLarge(bytesMax: number): Error {
  return corrupt(`more than ${bytesMax} bytes after inflation`)
}

function readFrame(view: DataView, start: number): Frame {
  const magic = view.getUint32(start, true)
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
    return { end: checkedEnd(view, start + 8 + view.getUint32(start + 4, true)), sizeBytes: 0 }
  }
  if (magic !== FRAME_MAGIC) throw corrupt('no Zstandard frame')
  const descriptor = view.getUint8(start + 4)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number
  const sizeAt = start + 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes
  const sizeLength = declaredSizeLength(descriptor >>> 6, isSingleSegment)
  const blocks = readBlocks(view, sizeAt + sizeLength)
  const end = checkedEnd(view, blocks.end + (descriptor & 4))
  if (sizeLength === 0) {
    checkWindow(view.getUint8(start + 5))
    return { end, sizeBytes: undefined }
  }
  const sizeBytes = declaredSize(view, sizeAt, sizeLength)
  if (sizeBytes > blocks.sizeBytesMax) throw corrupt('Zstandard frame holds less than it declares')
  return { end, sizeBytes }
}

function checkedEnd(view: DataView, end: number): number {
  if (end > view.byteLength) throw corrupt('Zstandard frame ends too early')
  return end
}

function checkWindow(descriptor: number): void {
  const base = 2 ** (10 + (descriptor >>> 3))
  const windowBytes = base + (base / 8) * (descriptor & 7)
  if (windowBytes > WINDOW_BYTES_MAX) throw corrupt(`Zstandard window of ${windowBytes} bytes`)
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
function readBlocks(view: DataView, start: number): { sizeBytesMax: number; end: number } {
  let end = start
  let sizeBytesMax = 0
  for (let isLast = false; !isLast; ) {
    const header = view.getUint16(end, true) | (view.getUint8(end + 2) << 16)
    isLast = (header & 1) === 1
    const type = (header >>> 1) & 3
    const size = header >>> 3
    sizeBytesMax += type === COMPRESSED_BLOCK ? BLOCK_BYTES_MAX : size
    end += 3 + (type === RLE_BLOCK ? 1 : size)
  }
  return { sizeBytesMax, end }
}
