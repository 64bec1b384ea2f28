import {
  aroundMember,
  membersText,
  moreMembers,
  objectOf,
  withMembers,
} from '../../../src/formats/json/json-text.ts'

test('members stand without braces, and after a comma where others come before', () => {
  expect(membersText({ a: 1, b: [2] })).toBe('"a":1,"b":[2]')
  expect(membersText({ a: undefined })).toBe('')
  expect(moreMembers({ a: 9223372036854775807n })).toBe(',"a":9223372036854775807')
  expect(moreMembers({})).toBe('')
})

test('an object is made of texts of members, empty ones left out', () => {
  expect(objectOf(['', '"a":1', '', '"b":[2]'])).toBe('{"a":1,"b":[2]}')
  expect(objectOf([])).toBe('{}')
})

test('an object, or the end of one, gets more members', () => {
  expect(withMembers('{"a":1}', { b: { c: 2 } })).toBe('{"a":1,"b":{"c":2}}')
  expect(withMembers(']}', { b: 1 })).toBe('],"b":1}')
  expect(withMembers('{"a":1}', {})).toBe('{"a":1}')
})

test.each([
  [{}, {}, '{"m":0}'],
  [{ a: 1 }, {}, '{"a":1,"m":0}'],
  [{}, { b: 2 }, '{"m":0,"b":2}'],
  [{ a: 1, x: undefined }, { b: 2 }, '{"a":1,"m":0,"b":2}'],
])('the text around a member: %j before and %j after', (before, after, expected) => {
  const { head, end } = aroundMember('m', { before, after })
  expect(`${head}0${end}`).toBe(expected)
})
