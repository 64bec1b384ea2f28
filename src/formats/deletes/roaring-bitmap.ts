import { corrupt } from '../corrupt.ts'

/** Up to 65,536 values of 32 bits that share their upper 16. */
export interface BitmapContainer {
  readonly highBits: number
  /** Counted, and therefore exact. */
  readonly cardinality: number
  /** Writes the lower 16 bits of all values, ascending, to the start of `target`. */
  readonly listValues: (target: Uint16Array) => void
}

export interface RoaringBitmap {
  readonly containers: readonly BitmapContainer[]
  /** Offset of the first byte after it. */
  readonly end: number
}

const COOKIE_WITHOUT_RUNS = 12_346
const COOKIE_WITH_RUNS = 12_347
const CONTAINERS_MAX = 65_536
const BITSET_BYTES = 8_192
/** A container with more values is a bitset. */
const ARRAY_VALUES_MAX = 4_096
/** A bitmap with runs has offsets only from this number of containers on. */
const OFFSETS_CONTAINERS_MIN = 4

interface Header {
  readonly containerCount: number
  /** Offset of one bit for each container; `undefined` if no container has runs. */
  readonly runFlagsAt: number | undefined
  /** Offset of the keys and cardinalities. */
  readonly at: number
}

/**
 * Reads a 32-bit Roaring bitmap in the portable format (RoaringFormatSpec, "General layout").
 * Containers follow each other, so their offsets are skipped, as by the libraries that write them.
 */
export function readRoaringBitmap(view: DataView, start: number): RoaringBitmap {
  const header = readHeader(view, start)
  const { containerCount, runFlagsAt } = header
  const hasOffsets = runFlagsAt === undefined || containerCount >= OFFSETS_CONTAINERS_MIN
  let end = header.at + containerCount * (hasOffsets ? 8 : 4)
  requireBytes(view, header.at, end - header.at)
  const containers: BitmapContainer[] = []
  for (let i = 0; i < containerCount; i++) {
    const highBits = view.getUint16(header.at + 4 * i, true)
    if (highBits <= (containers.at(-1)?.highBits ?? -1)) {
      throw corrupt('roaring bitmap: its containers are out of order')
    }
    const cardinality = view.getUint16(header.at + 4 * i + 2, true) + 1
    const isRuns = runFlagsAt !== undefined && isSet(view, runFlagsAt, i)
    const read = isRuns ? readRuns : cardinality > ARRAY_VALUES_MAX ? readBitset : readArray
    const { listValues, bytes } = read(view, end, cardinality)
    containers.push({ highBits, cardinality, listValues })
    end += bytes
  }
  return { containers, end }
}

function readHeader(view: DataView, start: number): Header {
  requireBytes(view, start, 8)
  const cookie = view.getUint32(start, true)
  if (cookie === COOKIE_WITHOUT_RUNS) {
    const containerCount = view.getUint32(start + 4, true)
    if (containerCount > CONTAINERS_MAX) {
      throw corrupt(`roaring bitmap: ${containerCount} containers`)
    }
    return { containerCount, runFlagsAt: undefined, at: start + 8 }
  }
  if ((cookie & 0xffff) !== COOKIE_WITH_RUNS) throw corrupt(`roaring bitmap: cookie ${cookie}`)
  const containerCount = (cookie >>> 16) + 1
  const flagBytes = Math.ceil(containerCount / 8)
  requireBytes(view, start + 4, flagBytes)
  return { containerCount, runFlagsAt: start + 4, at: start + 4 + flagBytes }
}

interface Content {
  readonly listValues: BitmapContainer['listValues']
  readonly bytes: number
}

function readArray(view: DataView, at: number, cardinality: number): Content {
  const bytes = 2 * cardinality
  requireBytes(view, at, bytes)
  let previous = -1
  for (let i = 0; i < cardinality; i++) {
    const value = view.getUint16(at + 2 * i, true)
    if (value <= previous) throw corrupt('roaring bitmap: an array is out of order')
    previous = value
  }
  const listValues = (target: Uint16Array): void => {
    for (let i = 0; i < cardinality; i++) target[i] = view.getUint16(at + 2 * i, true)
  }
  return { listValues, bytes }
}

function readBitset(view: DataView, at: number, cardinality: number): Content {
  requireBytes(view, at, BITSET_BYTES)
  let count = 0
  for (let i = 0; i < BITSET_BYTES; i += 4) count += bitCount(view.getUint32(at + i, true))
  requireCardinality(count, cardinality)
  const listValues = (target: Uint16Array): void => {
    let next = 0
    for (let i = 0; i < BITSET_BYTES; i += 4) {
      for (let word = view.getUint32(at + i, true); word !== 0; word &= word - 1) {
        target[next++] = 8 * i + 31 - Math.clz32(word & -word)
      }
    }
  }
  return { listValues, bytes: BITSET_BYTES }
}

/** Reads pairs of a first value and the number of values that follow it. */
function readRuns(view: DataView, at: number, cardinality: number): Content {
  requireBytes(view, at, 2)
  const runCount = view.getUint16(at, true)
  const bytes = 2 + 4 * runCount
  requireBytes(view, at, bytes)
  let count = 0
  let previous = -1
  for (let i = 0; i < runCount; i++) {
    const first = view.getUint16(at + 2 + 4 * i, true)
    const last = first + view.getUint16(at + 4 + 4 * i, true)
    if (first <= previous || last > 0xffff) throw corrupt('roaring bitmap: a run is out of order')
    count += last - first + 1
    previous = last
  }
  requireCardinality(count, cardinality)
  const listValues = (target: Uint16Array): void => {
    let next = 0
    for (let i = 0; i < runCount; i++) {
      const first = view.getUint16(at + 2 + 4 * i, true)
      const last = first + view.getUint16(at + 4 + 4 * i, true)
      for (let value = first; value <= last; value++) target[next++] = value
    }
  }
  return { listValues, bytes }
}

function isSet(view: DataView, flagsAt: number, index: number): boolean {
  return ((view.getUint8(flagsAt + (index >> 3)) >> (index & 7)) & 1) === 1
}

function bitCount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555)
  const nibbles = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333)
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}

function requireCardinality(actual: number, expected: number): void {
  if (actual === expected) return
  throw corrupt(`roaring bitmap: a container of ${actual} values, not ${expected}`)
}

function requireBytes(view: DataView, at: number, bytes: number): void {
  if (at + bytes <= view.byteLength) return
  throw corrupt('roaring bitmap: it ends too early')
}
