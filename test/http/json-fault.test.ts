import fc from 'fast-check'
import { findJsonFault, SEARCHED_LENGTH_MAX } from '../../src/http/body/json-fault.ts'

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

test.each([
  ['', 0, 'a value'],
  ['{', 1, 'a quoted key or }'],
  ['[1,]', 3, 'a value'],
  ['{"a":1,}', 7, 'a quoted key'],
  ['{"a" 1}', 5, ':'],
  ['[1 2]', 3, ', or ]'],
  ['{"a":1]', 6, ', or }'],
  ['{} x', 3, 'nothing more'],
  ['[01]', 1, 'a value or ]'],
  ["{'a':1}", 1, 'a quoted key or }'],
  ['"a\nb"', 0, 'a value'],
  ['[tru]', 1, 'a value or ]'],
])('%j breaks at %d, where %s belongs', (text, position, expected) => {
  expect(findJsonFault(text)).toMatchObject({ position, expected })
})

test('lines and columns are counted from one', () => {
  expect(findJsonFault('{\n  "a": x\n}')).toMatchObject({ line: 2, column: 8 })
})

test('a fault is found exactly where JSON.parse refuses', () => {
  const pieces = ['{', '}', '[', ']', ',', ':', '"a"', '"\\u00e9"', '"\\x"', '1', '-0.5e3', '01']
  const words = fc.constantFrom(...pieces, 'true', 'null', 'nul', ' ', '\n', '"', '\\')
  fc.assert(
    fc.property(fc.array(words, { maxLength: 12 }), (parts) => {
      const text = parts.join('')
      expect([text, findJsonFault(text) === undefined]).toEqual([text, isJson(text)])
    }),
    { numRuns: 3_000 },
  )
  fc.assert(
    fc.property(fc.json(), fc.nat(), (text, cut) => {
      expect(findJsonFault(text)).toBeUndefined()
      const part = text.slice(0, cut % (text.length + 1))
      expect(findJsonFault(part) === undefined).toBe(isJson(part))
    }),
  )
})

test('only the beginning of a long text is searched, and its cut is no fault', () => {
  const near = `[${'1,'.repeat(100)}x${',1'.repeat(SEARCHED_LENGTH_MAX)}]`
  expect(findJsonFault(near)).toMatchObject({ position: 201 })
  for (const item of ['1', '"a\\"b"', 'true', '{"key":[1]}', '-12.5e7']) {
    const valid = `[${`${item} , `.repeat(SEARCHED_LENGTH_MAX / item.length)}${item}`
    for (const padding of ['', ' ', '  ', '   ', '    ', '     ', '      ']) {
      expect(findJsonFault(`${padding}${valid}x]`)).toBeUndefined()
    }
  }
})
