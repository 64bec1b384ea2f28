import type { FilterNode } from '../../../../src/core/filter/parse/expression.ts'
import { parseFilter } from '../../../../src/core/filter/parse/filter-parser.ts'
import { refusalOf } from '../../../refusal.ts'

/** The tree as a fully parenthesised text, so that a case is one line. */
function shape(node: FilterNode): string {
  switch (node.kind) {
    case 'and':
    case 'or':
      return `(${node.operands.map(shape).join(` ${node.kind} `)})`
    case 'not':
      return `not ${shape(node.operand)}`
    case 'comparison':
      return `${path(node)} ${node.operator} ${node.literal.kind}:${node.literal.text}`
    case 'in':
      return `${path(node)} in [${node.literals.map((l) => `${l.kind}:${l.text}`).join(' ')}]`
    case 'is-null':
      return `${path(node)} is null`
    default:
      return `${path(node)} like ${node.pattern.text}`
  }
}

function path({ column }: { column: { path: readonly string[] } }): string {
  return column.path.map((name) => `<${name}>`).join('.')
}

test.each([
  ['id=4242', '<id> = number:4242'],
  ['4242 = id', '<id> = number:4242'],
  ['4242 < id', '<id> > number:4242'],
  ['4242 >= id', '<id> <= number:4242'],
  ['id == 1 and id <> 2', '(<id> = number:1 and <id> != number:2)'],
  ['id > -1.50e3', '<id> > number:-1.50e3'],
  ['id >= +.5', '<id> >= number:+.5'],
  ['id = 9223372036854775807', '<id> = number:9223372036854775807'],
  ['a = 1 OR b = 2 AND c = 3', '(<a> = number:1 or (<b> = number:2 and <c> = number:3))'],
  ['a = 1 OR b = 2, c = 3', '((<a> = number:1 or <b> = number:2) and <c> = number:3)'],
  ['(a = 1, b = 2) or c = 3', '((<a> = number:1 and <b> = number:2) or <c> = number:3)'],
  ['NOT a = 1 AND b = 2', '(not <a> = number:1 and <b> = number:2)'],
  ['not (a = 1 or b = 2)', 'not (<a> = number:1 or <b> = number:2)'],
  ['not not a = 1', 'not not <a> = number:1'],
  ['a IN (1, 2 ,3)', '<a> in [number:1 number:2 number:3]'],
  ["a not in ('x', NULL)", 'not <a> in [string:x null:NULL]'],
  ['a between 1 and 2 and b = 3', '((<a> >= number:1 and <a> <= number:2) and <b> = number:3)'],
  ['a NOT BETWEEN 1 AND 2', 'not (<a> >= number:1 and <a> <= number:2)'],
  ['a is null, b is not null', '(<a> is null and not <b> is null)'],
  ["name LIKE 'a\\_b%'", '<name> like a\\_b%'],
  ["name not like '%x'", 'not <name> like %x'],
  ["name = 'O''Brien'", "<name> = string:O'Brien"],
  ["name = ''", '<name> = string:'],
  ['"select ""x""" = 1', '<select "x"> = number:1'],
  ['`a ``b` = 1', '<a `b> = number:1'],
  ['birth_place.town = 1', '<birth_place>.<town> = number:1'],
  ['"birth place"."to.wn" = 1', '<birth place>.<to.wn> = number:1'],
  ['my-col = 1', '<my-col> = number:1'],
  ['größe = 1', '<größe> = number:1'],
  ['flag = TRUE and other = false', '(<flag> = boolean:true and <other> = boolean:false)'],
  ["day >= DATE '2001-03-01'", '<day> >= string:2001-03-01'],
  ["TIMESTAMP '2001-03-01 00:00:00' < ts", '<ts> > string:2001-03-01 00:00:00'],
  ["date = '2001-03-01'", '<date> = string:2001-03-01'],
  ["hash = X'00fF'", '<hash> = bytes:00fF'],
  ['a\n\t=\r\n1', '<a> = number:1'],
])('%j reads as %s', (text, expected) => {
  expect(shape(parseFilter(text).root)).toBe(expected)
})

test.each([
  ['', 0, 'a column'],
  ['   ', 3, 'a column'],
  ['id', 2, 'an operator'],
  ['id =', 4, 'a literal'],
  ['id = = 4', 5, 'a literal'],
  ['id = 4 5', 7, 'AND, OR'],
  ['id = 4)', 6, 'AND, OR'],
  ['(id = 4', 7, 'closing )'],
  ['id = 4 AND', 10, 'a column'],
  ['id = 4,', 7, 'a column'],
  ['id IN 4', 6, '('],
  ['id IN ()', 7, 'a literal'],
  ['id IN (1 2)', 9, 'a comma'],
  ['id NOT = 4', 7, 'IN, BETWEEN or LIKE'],
  ['id BETWEEN 1 OR 2', 13, 'AND'],
  ['id IS 4', 6, 'NULL or NOT NULL'],
  ['id IS NOT 4', 10, 'NULL'],
  ['id LIKE 4', 8, 'pattern'],
  ['id = other', 5, 'a literal'],
  ['id = "x"', 5, 'single quotes'],
  ['4 IN (4)', 2, 'a comparison'],
  ['4 = 4', 4, 'a column'],
  ['and = 4', 0, 'a column'],
  ['a. = 4', 3, 'member'],
  ["name = 'abc", 7, 'closing'],
  ['"name = 4', 0, 'closing'],
  ['id = 4x', 6, 'a space'],
  ['id ; 4', 3, 'a column'],
  ['id = 😀', 5, 'a column'],
  ["s = '😀' id", 8, 'AND, OR'],
])('%j is refused at character %d', (text, position, expected) => {
  const { code, facts } = refusalOf(() => parseFilter(text))
  expect(code).toBe('filter-invalid')
  expect(facts['position']).toBe(position)
  expect(facts['expected']).toContain(expected)
})

test('the excerpt draws a caret under the character', () => {
  const { facts, message } = refusalOf(() => parseFilter("name = 'é'\nAND id = = 4"))
  expect(facts['near']).toBe("name = 'é' AND id = = 4\n                    ^")
  expect(message).toBe('unexpected = at character 20')
})

test('half a surrogate pair is no text', () => {
  expect(refusalOf(() => parseFilter("s = '\ud83d'")).facts['position']).toBe(5)
})

describe('limits', () => {
  const ones = (count: number) => Array.from({ length: count }, () => 'a = 1')

  test('64 nested parentheses are read, 65 are not', () => {
    const nested = (depth: number) => `${'('.repeat(depth)}a = 1${')'.repeat(depth)}`
    expect(shape(parseFilter(nested(64)).root)).toBe('<a> = number:1')
    expect(refusalOf(() => parseFilter(nested(65))).facts['expected']).toBe('a flatter filter')
    expect(refusalOf(() => parseFilter(`${'NOT '.repeat(65)}a = 1`)).facts['expected']).toBe(
      'a flatter filter',
    )
  })

  test('1,000 predicates are read, 1,001 are not', () => {
    expect(parseFilter(ones(1000).join(' OR ')).root).toMatchObject({ kind: 'or' })
    expect(refusalOf(() => parseFilter(ones(1001).join(' OR '))).facts['expected']).toBe(
      'fewer predicates',
    )
  })

  test('1,000 literals are read, 1,001 are not', () => {
    const list = (count: number) => `a IN (${Array.from({ length: count }, (_, i) => i).join(',')})`
    expect(parseFilter(list(1000)).root).toMatchObject({ kind: 'in' })
    expect(refusalOf(() => parseFilter(list(1001))).facts['expected']).toBe('fewer literals')
  })

  test('16,384 characters are read, one more is not', () => {
    expect(parseFilter('a = 1'.padEnd(16_384)).root).toMatchObject({ kind: 'comparison' })
    expect(refusalOf(() => parseFilter('a = 1'.padEnd(16_385))).facts['position']).toBe(16_384)
  })
})
