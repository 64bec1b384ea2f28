import fc from 'fast-check'
import { GrowingText } from '../../../src/lake/publish/growing-text.ts'

const lengths = fc.oneof(fc.nat({ max: 50 }), fc.nat({ max: 500_000 }))
const texts = fc.array(
  fc.tuple(fc.constantFrom('a', 'é', '€', '😀'), lengths).map(([unit, n]) => unit.repeat(n)),
  { maxLength: 12 },
)

test('it holds what was appended, and what was taken before stays as it was', () => {
  fc.assert(
    fc.property(texts, (appended) => {
      const text = new GrowingText()
      const taken = appended.map((piece) => {
        text.append(piece)
        return text.pieces()
      })
      for (const [index, pieces] of taken.entries()) {
        const whole = appended.slice(0, index + 1).join('')
        expect(Buffer.concat(pieces).toString() === whole).toBe(true)
      }
      expect(text.bytes).toBe(Buffer.byteLength(appended.join('')))
    }),
    { numRuns: 30 },
  )
})

test('a long text does not lie in one piece', () => {
  const text = new GrowingText()
  for (let i = 0; i < 10_000; i++) text.append('x'.repeat(1_000))
  const sizes = text.pieces().map((piece) => piece.length)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(2 * 1024 * 1024)
})
