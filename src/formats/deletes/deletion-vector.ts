import { crc32 } from 'node:zlib'
import { corrupt } from '../corrupt.ts'
import { type BitmapContainer, readRoaringBitmap } from './roaring-bitmap.ts'

/** Largest number of positions, which take 1.6 GB. */
const POSITIONS_MAX = 200_000_000
const MAGIC = 0xd1d33964
/** Size of length, magic and checksum. */
const FRAME_BYTES = 12
/** Size of an empty 32-bit bitmap with its key. */
const BITMAP_BYTES_MIN = 12
const KEY_MAX = 0x7fff_ffff
const CONTAINER_SIZE = 65_536

/** Index of the low half of a 64-bit integer on this machine. */
const LOW_WORD = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 0 : 1

/**
 * Reads the 0-based positions of deleted rows, ascending, from a blob `deletion-vector-v1` (Puffin
 * spec, "Blob types"). Throws `metadata-corrupt` if the blob is incomplete or has more positions
 * than `positionsMax`, which the record count of the data file may lower: a few bytes can stand for
 * billions of positions.
 */
export function readDeletionVector(
  blob: Uint8Array,
  { positionsMax = POSITIONS_MAX }: { readonly positionsMax?: number } = {},
): BigInt64Array {
  const bitmaps = readBitmaps(openFrame(blob))
  let count = 0
  for (const { containers } of bitmaps) {
    for (const { cardinality } of containers) count += cardinality
  }
  const countMax = Math.min(positionsMax, POSITIONS_MAX)
  if (count > countMax) {
    throw corrupt(`deletion vector: ${count} positions where at most ${countMax} can be`)
  }
  return listPositions(bitmaps, count)
}

/** Checks length, magic and checksum, and returns the vector. */
function openFrame(blob: Uint8Array): DataView {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength)
  if (blob.length < FRAME_BYTES + 8) throw corrupt('deletion vector: too short')
  const checked = blob.subarray(4, blob.length - 4)
  if (view.getUint32(0) !== checked.length) {
    throw corrupt(`deletion vector: ${blob.length} bytes, which is not its stated length`)
  }
  if (view.getUint32(4) !== MAGIC) throw corrupt('deletion vector: it does not start with D1D33964')
  if (view.getUint32(blob.length - 4) !== crc32(checked)) {
    throw corrupt('deletion vector: the checksum is wrong')
  }
  return new DataView(blob.buffer, blob.byteOffset + 8, blob.length - FRAME_BYTES)
}

interface KeyedBitmap {
  /** Upper half of all its positions. */
  readonly key: number
  readonly containers: readonly BitmapContainer[]
}

function readBitmaps(vector: DataView): readonly KeyedBitmap[] {
  const count = vector.getBigUint64(0, true)
  let at = 8
  if (count > BigInt(Math.floor((vector.byteLength - at) / BITMAP_BYTES_MIN))) {
    throw corrupt(`deletion vector: it is too short for ${count} bitmaps`)
  }
  const bitmaps: KeyedBitmap[] = []
  for (let i = 0; i < Number(count); i++) {
    if (at + 4 > vector.byteLength) throw corrupt('deletion vector: it ends before a bitmap')
    const key = vector.getUint32(at, true)
    if (key > KEY_MAX || key <= (bitmaps.at(-1)?.key ?? -1)) {
      throw corrupt(`deletion vector: key ${key} is out of order`)
    }
    const { containers, end } = readRoaringBitmap(vector, at + 4)
    bitmaps.push({ key, containers })
    at = end
  }
  if (at !== vector.byteLength) throw corrupt('deletion vector: something follows the last bitmap')
  return bitmaps
}

function listPositions(bitmaps: readonly KeyedBitmap[], count: number): BigInt64Array {
  const positions = new BigInt64Array(count)
  const words = new Uint32Array(positions.buffer)
  const values = new Uint16Array(CONTAINER_SIZE)
  let next = 0
  for (const { key, containers } of bitmaps) {
    for (const { highBits, cardinality, listValues } of containers) {
      listValues(values)
      for (let i = 0; i < cardinality; i++) {
        words[2 * next + LOW_WORD] = highBits * CONTAINER_SIZE + (values[i] as number)
        words[2 * next + 1 - LOW_WORD] = key
        next++
      }
    }
  }
  return positions
}
