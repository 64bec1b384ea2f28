import fc from 'fast-check'
import { PART_BYTES_MIN, planJoin } from '../../../src/objects/s3/s3-join-plan.ts'

const MIB = 1024 * 1024
const part = (key: number, offset: number, lengthBytes: number) => {
  return { bucket: 'bucket', key: String(key), offset, lengthBytes }
}

test('of a short and a long part, 5 MiB are sent and the others copied', () => {
  expect(planJoin([part(0, 0, 30), part(1, 7, 100 * MIB)])).toEqual([
    { kind: 'send', parts: [part(0, 0, 30), part(1, 7, 5 * MIB - 30)] },
    { kind: 'copy', part: part(1, 7 + 5 * MIB - 30, 95 * MIB + 30) },
  ])
})

test('what is short altogether, or has too many parts, is not joined', () => {
  expect(planJoin([part(0, 0, 3 * MIB), part(1, 0, 3 * MIB)])).toBeUndefined()
  expect(planJoin(Array.from({ length: 10_001 }, (_, i) => part(i, 0, 6 * MIB)))).toBeUndefined()
})

test('every byte is there once and in order, and no part but the last is too short', () => {
  const lengths = fc.oneof(
    fc.integer({ min: 1, max: 9 }),
    fc.integer({ min: 1, max: 12 * MIB }),
    fc.integer({ min: 1, max: 400 * MIB }),
  )
  fc.assert(
    fc.property(fc.array(lengths, { minLength: 1, maxLength: 20 }), (all) => {
      const parts = all.map((length, i) => part(i, i, length))
      const planned = planJoin(parts)
      if (planned === undefined) return
      const pieces = planned.map((each) => (each.kind === 'copy' ? [each.part] : each.parts))
      const sizes = pieces.map((some) => some.reduce((sum, p) => sum + p.lengthBytes, 0))
      expect(sizes.slice(0, -1).every((bytes) => bytes >= PART_BYTES_MIN)).toBe(true)
      expect(Math.max(...sizes)).toBeLessThanOrEqual(128 * MIB)
      const joined: ReturnType<typeof part>[] = []
      for (const piece of pieces.flat()) {
        const last = joined.at(-1)
        if (last?.key === piece.key && last.offset + last.lengthBytes === piece.offset) {
          joined.splice(-1, 1, { ...last, lengthBytes: last.lengthBytes + piece.lengthBytes })
        } else {
          joined.push(piece)
        }
      }
      expect(joined).toEqual(parts)
    }),
  )
})
