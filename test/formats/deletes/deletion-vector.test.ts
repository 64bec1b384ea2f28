import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { CatalogError } from '../../../src/core/errors.ts'
import { readDeletedRows } from '../../../src/formats/deletes/deletion-vector.ts'
import {
  type Bitmap,
  frame,
  positionsOf,
  readPositions,
  writeDeletionVector,
} from './deletion-vector-writer.ts'

const FOLDER = new URL('../files/', import.meta.url)
const CASES = readdirSync(FOLDER).filter((name) => name.endsWith('.dv'))

describe('blobs of other writers', () => {
  test('are there', () => {
    expect(CASES.length).toBeGreaterThan(6)
  })

  /** Beside each: ranges `[first, last, step]` in text, as 64-bit integers are not all numbers. */
  test.each(CASES)('%s holds what is written beside it', (name) => {
    const text = readFileSync(new URL(name.replace('.dv', '.dv.json'), FOLDER), 'utf8')
    const expected: bigint[] = []
    for (const range of JSON.parse(text) as readonly (readonly [string, string, string])[]) {
      const [first, last, step] = range.map(BigInt) as [bigint, bigint, bigint]
      for (let position = first; position <= last; position += step) expected.push(position)
    }
    const found = readPositions(readFileSync(new URL(name, FOLDER)))
    expect(found).toEqual(BigInt64Array.from(expected))
  })
})

const few = fc.uniqueArray(fc.nat(65_535), { minLength: 1, maxLength: 40 })
const lows = fc.oneof(
  { weight: 3, arbitrary: few },
  // Beyond 4,096 values it is a bitset; the whole range, runs or not.
  fc
    .record({ first: fc.nat(60_000), count: fc.integer({ min: 1, max: 65_536 }), step: fc.nat(8) })
    .map(({ first, count, step }) =>
      Array.from({ length: count }, (_, i) => first + i * (step + 1)).filter((low) => low < 65_536),
    ),
)
const bitmap = fc.record({
  key: fc.oneof(fc.nat(3), fc.nat(0x7fff_ffff)),
  withRuns: fc.boolean(),
  containers: fc.uniqueArray(
    fc.record({
      high: fc.oneof(fc.nat(8), fc.nat(65_535)),
      lows: lows.map((values) => values.sort((a, b) => a - b)),
    }),
    { selector: ({ high }) => high, minLength: 1, maxLength: 6 },
  ),
})
const bitmaps = fc
  .uniqueArray(bitmap, { selector: ({ key }) => key, maxLength: 3 })
  .map((some): readonly Bitmap[] =>
    some
      .sort((a, b) => a.key - b.key)
      .map((one) => ({ ...one, containers: one.containers.sort((a, b) => a.high - b.high) })),
  )

test('arrays, bitsets and runs are read as they were written', () => {
  fc.assert(
    fc.property(bitmaps, (some) => {
      const blob = writeDeletionVector(some)
      const expected = BigInt64Array.from(positionsOf(some))
      // Jest compares numbers one by one.
      expect(bytesOf(readPositions(blob)).equals(bytesOf(expected))).toBe(true)
    }),
    { numRuns: 40 },
  )
})

function bytesOf({ buffer, byteLength }: BigInt64Array): Buffer {
  return Buffer.from(buffer, 0, byteLength)
}

/** Reads what was written, and tells how many positions it has. */
function countRead(...some: readonly Bitmap[]): number {
  const found = readPositions(writeDeletionVector(some))
  expect(bytesOf(found).equals(bytesOf(BigInt64Array.from(positionsOf(some))))).toBe(true)
  return found.length
}

describe('at the limits of the format', () => {
  test('a container of 4,096 values is an array, one of 4,097 a bitset', () => {
    for (const count of [4_095, 4_096, 4_097]) {
      const lows = Array.from({ length: count }, (_, i) => 3 * i)
      expect(countRead({ key: 0, withRuns: false, containers: [{ high: 0, lows }] })).toBe(count)
    }
  })

  test('a bitmap with runs has offsets from four containers on', () => {
    for (const count of [3, 4, 5]) {
      const containers = Array.from({ length: count }, (_, high) => ({ high, lows: [1, 2, 9] }))
      expect(countRead({ key: 0, withRuns: true, containers })).toBe(3 * count)
    }
  })

  test('a bitmap has up to 65,536 containers', () => {
    const containers = Array.from({ length: 65_536 }, (_, high) => ({ high, lows: [7] }))
    expect(countRead({ key: 0, withRuns: false, containers })).toBe(65_536)
    const vector = Buffer.from(
      writeDeletionVector([{ key: 0, withRuns: false, containers: [] }]).subarray(8, -4),
    )
    // Behind the count, the key and the cookie.
    vector.writeUInt32LE(65_537, 16)
    expect(refusalOf(frame(vector))).toContain('65537 containers')
  })
})

test('a blob inside of a larger buffer is read', () => {
  const some = [{ key: 5, withRuns: false, containers: [{ high: 1, lows: [2, 3] }] }]
  const blob = writeDeletionVector(some)
  const larger = Buffer.concat([Buffer.alloc(3, 7), blob, Buffer.alloc(5, 7)])
  const found = readPositions(larger.subarray(3, 3 + blob.length))
  expect(found).toEqual(BigInt64Array.from(positionsOf(some)))
})

test('an empty bitmap between others, as Java writes them, adds nothing', () => {
  const one = (key: number) => ({
    ...{ key, withRuns: false, containers: [{ high: 0, lows: [7] }] },
  })
  const some = [one(0), { key: 1, withRuns: false, containers: [] }, one(2)]
  expect(readPositions(writeDeletionVector(some))).toEqual(BigInt64Array.of(7n, (2n << 32n) + 7n))
})

function refusalOf(blob: Uint8Array, options?: { readonly positionsMax?: number }): string {
  try {
    const { length } = readPositions(blob, options)
    return `${length} positions`
  } catch (error) {
    if (error instanceof CatalogError && error.code === 'metadata-corrupt') return error.message
    throw error
  }
}

const WHOLE = writeDeletionVector([
  { key: 0, withRuns: false, containers: [{ high: 0, lows: [1, 2, 3] }] },
])

test.each([
  ['nothing', new Uint8Array(), 'too short'],
  ['another length', Buffer.concat([WHOLE, Buffer.of(0)]), 'length'],
  ['a truncated blob', WHOLE.subarray(0, -1), 'length'],
  ['another magic', WHOLE.map((byte, i) => (i === 4 ? byte + 1 : byte)), 'D1D33964'],
  ['a flipped bit', WHOLE.map((byte, i) => (i === 30 ? byte ^ 1 : byte)), 'checksum'],
  [
    'bytes that are too many',
    frame(Buffer.concat([WHOLE.subarray(8, -4), Buffer.of(1)])),
    'follows',
  ],
  ['more bitmaps than bytes', frame(Buffer.alloc(8, 0xff)), 'too short for 18446744073709551615'],
])('%s is refused, and why is said', (_what, blob, reason) => {
  expect(refusalOf(blob)).toContain(reason)
})

test.each([
  ['a negative position', [{ key: 0x8000_0000, high: 0, lows: [1] }], 'key 2147483648'],
  ['a key that comes twice', [0, 0].map((key) => ({ key, high: 0, lows: [1] })), 'key 0'],
  ['an array out of order', [{ key: 0, high: 0, lows: [2, 1] }], 'array is out of order'],
  ['an array with a value twice', [{ key: 0, high: 0, lows: [1, 1] }], 'array is out of order'],
])('%s is refused', (_what, parts, reason) => {
  const some = parts.map(({ key, high, lows: values }) => ({
    ...{ key, withRuns: false, containers: [{ high, lows: values }] },
  }))
  expect(refusalOf(writeDeletionVector(some))).toContain(reason)
})

test('containers out of order, wrong counts and runs that overlap or overflow are refused', () => {
  const twice = [0, 0].map((high) => ({ high, lows: [1] }))
  const blob = writeDeletionVector([{ key: 0, withRuns: true, containers: twice }])
  expect(refusalOf(blob)).toContain('containers are out of order')
  // One container with runs begins: count 8, key 4, cookie 4, flags 1, key and cardinality 4, runs
  // 2.
  const valid = writeDeletionVector([
    { key: 0, withRuns: true, containers: [{ high: 0, lows: [1, 2, 3, 10] }] },
  ])
  const changed = (at: number, value: number) => {
    const vector = Buffer.from(valid.subarray(8, -4))
    vector.writeUInt16LE(value, at)
    return frame(vector)
  }
  expect(refusalOf(valid)).toBe('4 positions')
  expect(refusalOf(changed(19, 9))).toContain('4 values, not 10')
  expect(refusalOf(changed(27, 3))).toContain('run is out of order')
  expect(refusalOf(changed(29, 65_535))).toContain('run is out of order')
  expect(refusalOf(changed(21, 3))).toContain('ends too early')
  expect(refusalOf(changed(12, 0x1234))).toContain('cookie')
})

/** Some bytes for every position of so many containers. */
function wholeRuns(count: number): Uint8Array {
  const containers = Array.from({ length: count }, (_, high) => ({ high, lows: [0] }))
  const vector = Buffer.from(
    writeDeletionVector([{ key: 0, withRuns: true, containers }]).subarray(8, -4),
  )
  // Each container becomes one run over its whole range.
  const headerAt = 8 + 4 + 4 + Math.ceil(count / 8)
  for (let i = 0; i < containers.length; i++) {
    vector.writeUInt16LE(0xffff, headerAt + 4 * i + 2)
    vector.writeUInt16LE(0xffff, headerAt + 8 * containers.length + 6 * i + 4)
  }
  return frame(vector)
}

test('a few bytes for billions of positions are refused before memory is allocated', () => {
  const before = process.memoryUsage().arrayBuffers
  expect(refusalOf(wholeRuns(4000))).toContain('262144000 positions where at most 200000000')
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000)
})

test('many positions take a bit for each row, with turns for others', async () => {
  const blob = wholeRuns(500)
  let turns = 0
  const bits = await readDeletedRows(blob, 500 * 65_536 + 3, () => {
    turns++
    return undefined
  })
  expect(blob.length).toBeLessThan(10_000)
  expect(bits).toHaveLength((500 * 65_536) / 8 + 1)
  expect(Buffer.from(bits.subarray(0, -1)).equals(Buffer.alloc(bits.length - 1, 0xff))).toBe(true)
  expect(bits.at(-1)).toBe(0)
  expect(turns).toBe(500)
  const refused = readDeletedRows(blob, 1_000, () => undefined)
  await expect(refused).rejects.toThrow('32768000 positions where at most 1000')
})

test('deleted rows are bits; positions beyond the rows are ignored', async () => {
  const lows = [0, 7, 8, 65_535]
  const parts = [
    { high: 0, lows },
    { high: 1, lows: [1] },
  ]
  const blob = writeDeletionVector([
    { key: 0, withRuns: false, containers: parts },
    { key: 7, withRuns: false, containers: [{ high: 0, lows: [1] }] },
  ])
  const bits = await readDeletedRows(blob, 65_536, () => undefined)
  expect(bits).toHaveLength(8_192)
  expect([bits[0], bits[1], bits[2], bits.at(-1)]).toEqual([0x81, 0x80, 0, 1])
  const next = { key: 0, withRuns: false, containers: [{ high: 0, lows: [0, 8, 9] }] }
  const nine = await readDeletedRows(writeDeletionVector([next]), 9, () => undefined)
  expect([...nine]).toEqual([0x80, 0x80])
})

test('more positions than the caller knows of rows are refused', () => {
  expect(refusalOf(WHOLE, { positionsMax: 2 })).toContain('3 positions where at most 2')
  expect(refusalOf(WHOLE, { positionsMax: 3 })).toBe('3 positions')
})

test('whatever the bytes, it ends in positions or a refusal', () => {
  const vectors = bitmaps.map((some) => writeDeletionVector(some).slice(8, -4))
  const damages = fc.array(
    fc.record({ at: fc.nat(), byte: fc.oneof(fc.nat(255), fc.constantFrom(0, 255)) }),
    { minLength: 1, maxLength: 6 },
  )
  fc.assert(
    fc.property(vectors, damages, fc.nat(30), (vector, damage, cut) => {
      // Most of the damage goes to the headers.
      for (const { at, byte } of damage) vector[at % Math.min(vector.length, 200)] = byte
      refusalOf(frame(vector.subarray(0, vector.length - (cut > 15 ? cut - 15 : 0))))
    }),
    { numRuns: 200 },
  )
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void refusalOf(frame(bytes))))
})
