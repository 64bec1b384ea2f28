import { runSteps, runStepsInTurns } from '../../core/steps.ts'
import { corrupt } from '../corrupt.ts'
import { BLOCK_BYTES_MAX, BlockInflater, ZstandardOutput } from './zstandard-block.ts'

const FRAME_MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
const RAW_BLOCK = 0
const RLE_BLOCK = 1
const COMPRESSED_BLOCK = 2

/**
 * Inflates Zstandard frames (RFC 8878) to at most `bytesMax`, without dictionaries and without
 * verifying checksums. Written here because Node 20 has none, and because twenty bytes can make
 * fzstd run for minutes: here the work is bounded by the bytes in and out.
 */
export function inflateZstandard(bytes: Uint8Array, bytesMax: number): Uint8Array {
  return runSteps(inflateSteps(bytes, bytesMax))
}

/** Does the same between other work, which `turn` lets go on after each block of up to 128 KiB. */
export async function inflateZstandardInTurns(
  bytes: Uint8Array,
  bytesMax: number,
  turn: () => Promise<void> | undefined,
): Promise<Uint8Array> {
  return runStepsInTurns(inflateSteps(bytes, bytesMax), turn)
}

function* inflateSteps(bytes: Uint8Array, bytesMax: number): Generator<void, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const pieces: Uint8Array[] = []
  let left = bytesMax
  try {
    for (let position = 0; position < bytes.length; ) {
      const frame = yield* frameSteps(view, position, left)
      if (frame.bytes.length > 0) pieces.push(frame.bytes)
      left -= frame.bytes.length
      position = frame.end
    }
  } catch (error) {
    if (error instanceof RangeError) throw corrupt('Zstandard frame ends too early', error)
    throw error
  }
  return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces)
}

interface Frame {
  readonly bytes: Uint8Array
  readonly end: number
}

/** Throws a `RangeError` if the view is too short. */
function* frameSteps(view: DataView, start: number, bytesMax: number): Generator<void, Frame> {
  const magic = view.getUint32(start, true)
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
    yield
    const end = start + 8 + view.getUint32(start + 4, true)
    return { bytes: new Uint8Array(), end: checkedEnd(view, end) }
  }
  if (magic !== FRAME_MAGIC) throw corrupt('not a Zstandard frame')
  const descriptor = view.getUint8(start + 4)
  if ((descriptor & 3) !== 0) throw corrupt('Zstandard frame that needs a dictionary')
  const isSingleSegment = (descriptor & 0x20) !== 0
  const sizeAt = start + 5 + (isSingleSegment ? 0 : 1)
  const sizeLength = declaredSizeLength(descriptor >>> 6, isSingleSegment)
  const declared = sizeLength > 0 ? declaredSize(view, sizeAt, sizeLength) : undefined
  if (declared !== undefined && declared > bytesMax) {
    throw corrupt(`more than ${bytesMax} bytes after inflation`)
  }
  const output = new ZstandardOutput(bytesMax)
  const blocksEnd = yield* blockSteps(view, sizeAt + sizeLength, output)
  const bytes = output.bytes()
  if (declared !== undefined && declared !== bytes.length) {
    throw corrupt('Zstandard frame whose size differs from the declared one')
  }
  const checksumBytes = descriptor & 4
  return { bytes, end: checkedEnd(view, blocksEnd + checksumBytes) }
}

function checkedEnd(view: DataView, end: number): number {
  if (end > view.byteLength) throw corrupt('Zstandard frame ends too early')
  return end
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

/** Returns the end of the blocks. */
function* blockSteps(
  view: DataView,
  start: number,
  output: ZstandardOutput,
): Generator<void, number> {
  const inflater = new BlockInflater(output)
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  let position = start
  for (let isLast = false; !isLast; ) {
    const header = view.getUint16(position, true) | (view.getUint8(position + 2) << 16)
    isLast = (header & 1) === 1
    const type = (header >>> 1) & 3
    const size = header >>> 3
    if (size > BLOCK_BYTES_MAX) throw corrupt('Zstandard block too large')
    position += 3
    const end = checkedEnd(view, position + (type === RLE_BLOCK ? 1 : size))
    const block = bytes.subarray(position, end)
    if (type === RAW_BLOCK) output.append(block)
    else if (type === RLE_BLOCK) output.fill(block[0] as number, size)
    else if (type === COMPRESSED_BLOCK) inflater.inflate(block)
    else throw corrupt('Zstandard block of a reserved type')
    position = end
    yield
  }
  return position
}
