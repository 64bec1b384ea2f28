import {
  type FixedLeaf,
  fixedPage,
  fixedValues,
} from '../../../../src/formats/parquet/finish/fixed-values.ts'

const LEAF: FixedLeaf = {
  column: 'a.b',
  length: 2,
  hasRepetitionLevels: false,
  hasDefinitionLevels: false,
}
const plain = (...values: readonly number[][]) =>
  Uint8Array.from(values.flatMap((value) => [value.length, 0, 0, 0, ...value]))

test('values lose their lengths, also within a larger buffer', () => {
  expect(fixedValues(plain([1, 2], [3, 4]), LEAF)).toEqual(Uint8Array.of(1, 2, 3, 4))
  expect(fixedValues(plain(), LEAF)).toEqual(new Uint8Array())
  expect(fixedValues(plain([9, 9], [1, 2]).subarray(6), LEAF)).toEqual(Uint8Array.of(1, 2))
})

test.each([[[1]], [[1, 2, 3]], [[1, 2], []]])(
  'a value of another length is refused: %j',
  (...values) => {
    expect(() => fixedValues(plain(...(values as number[][])), LEAF)).toThrow(
      expect.objectContaining({ code: 'file-unsupported', facts: { column: 'a.b' } }),
    )
  },
)

test.each([
  [false, false],
  [false, true],
  [true, true],
])('levels stay: repetition %p, definition %p', (hasRepetitionLevels, hasDefinitionLevels) => {
  const levels = [hasRepetitionLevels, hasDefinitionLevels].flatMap((has, i) =>
    has ? [3, 0, 0, 0, 7 + i, 8, 9] : [],
  )
  const page = Uint8Array.from([...levels, ...plain([1, 2], [3, 4])])
  expect(fixedPage(page, { ...LEAF, hasRepetitionLevels, hasDefinitionLevels })).toEqual(
    Uint8Array.from([...levels, 1, 2, 3, 4]),
  )
})
