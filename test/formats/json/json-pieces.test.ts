import { jest } from '@jest/globals'
import fc from 'fast-check'
import { parseExactJson } from '../../../src/formats/json/exact-json.ts'
import { JsonPieces, type PieceSize } from '../../../src/formats/json/json-pieces.ts'

/** What begins, ends and separates values, and what looks as if it did. */
const TOKENS = [
  ...['{', '}', '[', ']', ',', ',', ':', ' ', '\n', '"a"', '"b":', '"__proto__":', '"1":', '""'],
  ...['"[', '\\"', '\\', '"', '1', '-', '9007199254740993', 'null', 'true', '"{,}"', '"\\\\"'],
]
const soup = fc.array(fc.constantFrom(...TOKENS), { maxLength: 16 }).map((parts) => parts.join(''))

const sizes: fc.Arbitrary<PieceSize> = fc.record({
  values: fc.integer({ min: 1, max: 5 }),
  characters: fc.integer({ min: 1, max: 20 }),
})

function readAll(text: string, size?: PieceSize): { readonly value: unknown; pieces: number } {
  const json = new JsonPieces(text, size)
  let pieces = 0
  while (json.readPiece()) pieces += 1
  return { value: json.value, pieces }
}

function outcome(read: () => unknown): unknown {
  try {
    const value = read()
    return { value, keys: JSON.stringify(value, (_, each) => String(each)) }
  } catch (error) {
    return { error: (error as Error).constructor }
  }
}

/** Broken documents: one token of a good one left out, doubled, or replaced. */
const broken = fc
  .tuple(fc.json(), fc.nat(), fc.constantFrom('', ...TOKENS))
  .map(([text, at, token]) => {
    const cut = at % (text.length + 1)
    return text.slice(0, cut) + token + text.slice(cut + (at % 2))
  })

test('a text in pieces of any size is what it is at once, or is refused as it is', () => {
  const texts = fc.oneof(soup, broken, fc.json())
  fc.assert(
    fc.property(texts, sizes, (text, size) => {
      const atOnce = outcome(() => parseExactJson(text))
      expect(outcome(() => readAll(text, size).value)).toEqual(atOnce)
    }),
    { numRuns: 5_000 },
  )
})

test('the order of the members is kept, the last of two of one name counts', () => {
  const text = '{"z":[1,2,3],"a":{"b":[4,5]},"z":[6],"2":7,"1":[8]}'
  const { value } = readAll(text, { values: 1, characters: 3 })
  expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(text)))
})

test.each([
  '{"a":1[2]}',
  '{"a":-[2]}',
  '{"a":[1][2]}',
  '{"a":[1]2}',
  '{"a":[1]"b":2}',
  '{[1]}',
  '{1:[1]}',
  '[1[2]]',
  '[[1][2]]',
  '[[1],]',
  '[,[1]]',
  '[[1]]]',
  '[[1]}',
  '[[1]] 2',
  '[[1],,[2]]',
  '[[1]',
  '[["1]]',
  '',
  ' ',
  ']',
])('%s is no JSON, wherever it is cut', (text) => {
  for (let characters = 1; characters <= text.length + 1; characters++) {
    for (const values of [1, 2, 100]) {
      expect(() => readAll(text, { values, characters })).toThrow(SyntaxError)
    }
  }
})

test('no piece is long, however deep the long list is', () => {
  const rows = Array.from({ length: 50_000 }, (_, i) => ({ [`own${i}`]: [i] }))
  const text = JSON.stringify({ a: [{ b: { c: rows } }], d: 1 })
  const parse = jest.spyOn(JSON, 'parse')
  try {
    const { value, pieces } = readAll(text)
    expect(pieces).toBeGreaterThan(50)
    for (const [piece] of parse.mock.calls) expect(piece.length).toBeLessThan(70_000)
    parse.mockRestore()
    expect(value).toEqual(JSON.parse(text))
  } finally {
    parse.mockRestore()
  }
})
