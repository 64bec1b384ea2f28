import { quoteConstant, quoteName, quoteText } from '../../../src/engine/worker/sql/sql-text.ts'

test.each([
  ['a', `"a"`],
  [`a"b`, `"a""b"`],
  [`"; DROP TABLE t; --`, `"""; DROP TABLE t; --"`],
  [`a'b`, `"a'b"`],
  ['', `""`],
])('the name %j is quoted', (name, sql) => {
  expect(quoteName(name)).toBe(sql)
})

test.each([
  ['a', `'a'`],
  [`it's`, `'it''s'`],
  [`''`, `''''''`],
  [`a"b\\`, `'a"b\\'`],
  ['a\0b', `('a' || chr(0) || 'b')`],
  [`\0'`, `('' || chr(0) || '''')`],
])('the text %j is quoted, NUL included', (text, sql) => {
  expect(quoteText(text)).toBe(sql)
})

test('a constant is quoted, and has no NUL, nor has a name', () => {
  expect(quoteConstant(`/a'b`)).toBe(`'/a''b'`)
  const refused = expect.objectContaining({
    code: 'not-implemented',
    facts: { column: 'a\ufffdb' },
  })
  expect(() => quoteConstant('a\0b')).toThrow(refused as Error)
  expect(() => quoteName('a\0b')).toThrow(refused as Error)
})
