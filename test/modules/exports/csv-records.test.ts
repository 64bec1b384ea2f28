import fc from 'fast-check'
import { CsvRecords } from '../../../src/modules/exports/archive.ts'

/** Line ends and quotes, bytes that differ from them in one bit, and the bytes of other texts. */
const byte = fc.constantFrom(0x22, 0x0a, 0x0d, 0x2c, 0x61, 0x00, 0x8a, 0xa2, 0x0b, 0x23, 0xff)

test('records are counted alike however the bytes are cut and wherever they lie', () => {
  const pieces = fc.array(
    fc.record({ bytes: fc.array(byte, { maxLength: 40 }), before: fc.nat({ max: 7 }) }),
    { maxLength: 8 },
  )
  fc.assert(
    fc.property(pieces, (cut) => {
      const records = new CsvRecords()
      for (const { bytes, before } of cut) {
        const memory = new Uint8Array([...new Array<number>(before).fill(0x0a), ...bytes])
        records.add(memory.subarray(before))
      }
      const text = Buffer.from(cut.flatMap(({ bytes }) => bytes)).toString('latin1')
      const outside = text.split('"').filter((_, i) => i % 2 === 0)
      expect(records.count).toBe(outside.join('').split('\n').length - 1)
    }),
    { numRuns: 2_000 },
  )
})
