import { crc32 } from 'node:zlib'
import { corrupt } from '../corrupt.ts'
import { type BitmapContainer, readRoaringBitmap } from './roaring-bitmap.ts'

/** Largest number of positions: listing them takes half a second, in turns. */
const POSITIONS_MAX = 200_000_000
/** Rows of the data file: a bit each takes 125 MB. */
const ROWS_MAX = 1_000_000_000
const MAGIC = 0xd1d33964
/** Size of length, magic and checksum. */
const FRAME_BYTES = 12
/** Size of an empty 32-bit bitmap with its key. */
const BITMAP_BYTES_MIN = 12
const KEY_MAX = 0x7fff_ffff
const CONTAINER_SIZE = 65_536

/** Deleted rows that follow each other within 65,536. */
export interface DeletedRange {
  /** A multiple of 65,536, and therefore exact. */
  readonly start: number
  /** Ascending positions from there; overwritten by the next range. */
  readonly offsets: Uint16Array
}

/**
 * Reads the 0-based positions of deleted rows, ascending, from a blob `deletion-vector-v1` (Puffin
 * spec, "Blob types"), range by range. Throws `metadata-corrupt`, before the first, if the blob is
 * incomplete or has more positions than `positionsMax`: a few bytes can stand for billions.
 */
export function* readDeletionVector(
  blob: Uint8Array,
  { positionsMax = POSITIONS_MAX }: { readonly positionsMax?: number } = {},
): Generator<DeletedRange> {
  const bitmaps = readBitmaps(openFrame(blob))
  let count = 0
  for (const { containers } of bitmaps) {
    for (const { cardinality } of containers) count += cardinality
  }
  const countMax = Math.min(positionsMax, POSITIONS_MAX)
  if (count > countMax) {
    throw corrupt(`deletion vector: ${count} positions where at most ${countMax} can be`)
  }
  const values = new Uint16Array(CONTAINER_SIZE)
  for (const { key, containers } of bitmaps) {
    for (const { highBits, cardinality, listValues } of containers) {
      listValues(values)
      const start = key * 2 ** 32 + highBits * CONTAINER_SIZE
      yield { start, offsets: values.subarray(0, cardinality) }
    }
  }
}

/**
 * The deleted rows of a data file of so many rows, one bit each, the first row the highest bit of
 * the first byte. Positions beyond the rows are ignored. Calls `turn` between slices of some tenths
 * of a millisecond.
 */
export async function readDeletedRows(
  blob: Uint8Array,
  rowCount: number,
  turn: () => Promise<void> | undefined,
): Promise<Uint8Array> {
  if (rowCount > ROWS_MAX) throw corrupt(`deletion vector: of a file of ${rowCount} rows`)
  let bits: Uint8Array | undefined
  for (const { start, offsets } of readDeletionVector(blob, { positionsMax: rowCount })) {
    if (start >= rowCount) break
    // Not before the vector is known to be whole.
    bits ??= new Uint8Array(Math.ceil(rowCount / 8))
    for (const offset of offsets) {
      const row = start + offset
      const at = row >>> 3
      if (row < rowCount) bits[at] = (bits[at] as number) | (0x80 >> (row & 7))
    }
    const waiting = turn()
    if (waiting !== undefined) await waiting
  }
  return bits ?? new Uint8Array()
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
