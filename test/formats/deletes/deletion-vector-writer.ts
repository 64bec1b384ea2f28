import { crc32 } from 'node:zlib'
import { readDeletionVector } from '../../../src/formats/deletes/deletion-vector.ts'

export type ContainerKind = 'array' | 'bitset' | 'runs'

/** Lower halves, ascending, of 32-bit values that share their upper half. */
export interface Container {
  readonly high: number
  readonly lows: readonly number[]
}

export interface Bitmap {
  readonly key: number
  readonly containers: readonly Container[]
  /** Runs, with a header of their own, or arrays and bitsets by how many values there are. */
  readonly withRuns: boolean
}

/** The plainest writer of the Puffin and Roaring specifications that there can be. */
export function writeDeletionVector(bitmaps: readonly Bitmap[]): Uint8Array {
  const parts = [uint64(BigInt(bitmaps.length))]
  for (const bitmap of bitmaps) parts.push(uint32(bitmap.key), writeBitmap(bitmap))
  return frame(Buffer.concat(parts))
}

/** Length, magic, vector, checksum. */
export function frame(vector: Uint8Array): Uint8Array {
  const checked = Buffer.concat([Uint8Array.of(0xd1, 0xd3, 0x39, 0x64), vector])
  return Buffer.concat([bigEndian(checked.length), checked, bigEndian(crc32(checked))])
}

export function positionsOf(bitmaps: readonly Bitmap[]): bigint[] {
  return bitmaps.flatMap(({ key, containers }) =>
    containers.flatMap(({ high, lows }) =>
      lows.map((low) => (BigInt(key) << 32n) + BigInt(high * 65_536 + low)),
    ),
  )
}

/** All positions of a vector. */
export function readPositions(
  blob: Uint8Array,
  options?: { readonly positionsMax?: number },
): BigInt64Array {
  const positions: bigint[] = []
  for (const { start, offsets } of readDeletionVector(blob, options)) {
    for (const offset of offsets) positions.push(BigInt(start) + BigInt(offset))
  }
  return BigInt64Array.from(positions)
}

function writeBitmap({ containers, withRuns }: Bitmap): Buffer {
  const header = containers.flatMap(({ high, lows }) => [uint16(high), uint16(lows.length - 1)])
  const contents = containers.map(({ lows }) => {
    if (withRuns) return runs(lows)
    return lows.length > 4096 ? bitset(lows) : Buffer.concat(lows.map(uint16))
  })
  const cookie = withRuns
    ? [uint32(12347 + (containers.length - 1) * 65_536), flags(containers.length)]
    : [uint32(12346), uint32(containers.length)]
  const hasOffsets = !withRuns || containers.length >= 4
  const offsets: Buffer[] = []
  let at = Buffer.concat([...cookie, ...header]).length + 4 * containers.length
  for (const content of contents) {
    if (hasOffsets) offsets.push(uint32(at))
    at += content.length
  }
  return Buffer.concat([...cookie, ...header, ...offsets, ...contents])
}

function runs(lows: readonly number[]): Buffer {
  const found: [number, number][] = []
  for (const low of lows) {
    const last = found.at(-1)
    if (last !== undefined && last[1] + 1 === low) last[1] = low
    else found.push([low, low])
  }
  const pairs = found.flatMap(([first, end]) => [uint16(first), uint16(end - first)])
  return Buffer.concat([uint16(found.length), ...pairs])
}

function bitset(lows: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8192)
  for (const low of lows) bytes[low >> 3] = (bytes[low >> 3] ?? 0) | (1 << (low & 7))
  return bytes
}

/** All containers are of runs. */
function flags(count: number): Buffer {
  return bitset(Array.from({ length: count }, (_, i) => i)).subarray(0, Math.ceil(count / 8))
}

function uint16(value: number): Buffer {
  return Buffer.of(value & 255, value >> 8)
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
