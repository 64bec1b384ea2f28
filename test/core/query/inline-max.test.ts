import { checkInlineMax, inlineMaxOf } from '../../../src/core/query/inline-max.ts'

const SERVICE = { rows: 10_000, bytes: 8 * 1024 * 1024, files: 16 }
const ROWS = 'moraine.inline.rows-max'
const BYTES = 'moraine.inline.bytes-max'
const FILES = 'moraine.inline.files-max'

test('a table says less than the service, and never more; of several the least counts', () => {
  expect(inlineMaxOf(SERVICE, [{}])).toEqual(SERVICE)
  const more = { [ROWS]: '100000', [BYTES]: '67108864', [FILES]: '1000' }
  expect(inlineMaxOf(SERVICE, [more])).toEqual(SERVICE)
  expect(inlineMaxOf(SERVICE, [{ [ROWS]: '1', [FILES]: '2' }])).toEqual({
    ...{ rows: 1, bytes: SERVICE.bytes, files: 2 },
  })
  expect(inlineMaxOf(SERVICE, [more, {}, { [BYTES]: '3' }])).toEqual({ ...SERVICE, bytes: 3 })
})

test.each([
  ...[ROWS, BYTES, FILES].flatMap((name) =>
    ['', '0', '-1', '1.5', 'x', '1e3'].map((v) => [name, v]),
  ),
  [ROWS, '100001'],
  [BYTES, '67108865'],
  [FILES, '1001'],
])('%s = %s is refused, and means nothing where it is all the same', (name, value) => {
  expect(() => checkInlineMax({ [name]: value })).toThrow(name)
  expect(inlineMaxOf(SERVICE, [{ [name]: value }])).toEqual(SERVICE)
})

test('what is not there is right', () => {
  expect(() => checkInlineMax({ comment: 'x', [ROWS]: '7' })).not.toThrow()
})
