import fc from 'fast-check'
import { parseExactJson, stringifyExactJson } from '../../../src/formats/json/exact-json.ts'
import { cpuMsOf } from '../../cpu-time.ts'

/** Pieces that tempt a scanner: digits beside quotes, escapes, signs, points and exponents. */
const PIECES = [
  '"',
  '\\',
  '\\"',
  '\\\\',
  '\\u0022',
  '12345678901234567890',
  '9007199254740993',
  '-9223372036854775808',
  '00000000000000001',
  '1',
  '.',
  '-',
  '+',
  'e',
  'E',
  ' ',
  '\n',
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  '"a":',
  '"__proto__":',
  'null',
  'true',
  '\u007f',
  'é',
  '😀',
]

const soup = fc.array(fc.constantFrom(...PIECES), { maxLength: 14 }).map((parts) => parts.join(''))

/** As `JSON.parse` returns it, rounding included. */
function rounded(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(rounded)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, rounded(member)]))
}

function tryParse(parse: (text: string) => unknown, text: string): unknown {
  try {
    return { value: parse(text) }
  } catch (error) {
    return { error: (error as Error).constructor, message: (error as Error).message }
  }
}

describe('parseExactJson', () => {
  test('agrees with JSON.parse on any text, down to the message, but for rounding', () => {
    fc.assert(
      fc.property(soup, (text) => {
        const exact = tryParse((t) => rounded(parseExactJson(t)), text)
        expect(exact).toEqual(tryParse((t) => JSON.parse(t), text))
      }),
      { numRuns: 5000 },
    )
  })

  test('agrees with JSON.parse on any document', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(rounded(parseExactJson(text))).toEqual(JSON.parse(text))
      }),
      { numRuns: 500 },
    )
  })

  test('has every integer exactly, as a number while it is safe', () => {
    const integers = fc.array(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }))
    fc.assert(
      fc.property(integers, fc.string(), (written, key) => {
        const text = `{${JSON.stringify(key)}: [${written.join(' ,\n')}]}`
        const { [key]: read } = parseExactJson(text) as Record<string, (number | bigint)[]>
        expect(read?.map(BigInt)).toEqual(written)
        const isSafe = written.map((value) => Number.isSafeInteger(Number(value)))
        expect(read?.map((value) => typeof value === 'number')).toEqual(isSafe)
      }),
      { numRuns: 500 },
    )
  })

  test('leaves floats, strings and keys alone', () => {
    const text = '{"12345678901234567890":"98765432109876543210","f":1.2345678901234567890123e5}'
    expect(parseExactJson(text)).toEqual(JSON.parse(text))
    expect(parseExactJson('12345678901234567890e1')).toBe(Number('12345678901234567890e1'))
    expect(parseExactJson('[12345678901234567890]')).toEqual([12345678901234567890n])
    expect(parseExactJson('-9007199254740993')).toBe(-9007199254740993n)
    expect(parseExactJson('9007199254740991')).toBe(9007199254740991)
  })

  test('keeps invalid JSON invalid', () => {
    const invalid = [
      '{12345678901234567890:1}',
      '{12345678901234567890 \n:1}',
      '[01234567890123456789]',
      '[-01234567890123456789]',
      '[--1234567890123456789]',
      '[+1234567890123456789]',
      '[.1234567890123456789]',
      '[1234567890123456789.]',
      '[1234567890123456789a]',
      '1234567890123456789 1234567890123456789',
      '"1234567890123456789',
    ]
    for (const text of invalid) expect(() => parseExactJson(text)).toThrow(SyntaxError)
  })

  test('never shows in a message what it put into the text', () => {
    const message = (text: string) => {
      try {
        return String(parseExactJson(text))
      } catch (error) {
        return (error as Error).message
      }
    }
    for (const text of ['[12345678901234567890', '{"a":12345678901234567890 x}']) {
      expect(message(text)).not.toContain('\u007f')
    }
  })

  test('makes __proto__ a property like any other', () => {
    const text =
      '{"__proto__":{"polluted":12345678901234567890},"a":{"__proto__":9007199254740993}}'
    const value = parseExactJson(text) as { a: object }
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.getPrototypeOf(value.a)).toBe(Object.prototype)
    expect(Object.keys(value)).toEqual(['__proto__', 'a'])
    expect(Object.getOwnPropertyDescriptor(value.a, '__proto__')?.value).toBe(9007199254740993n)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  test('refuses text that is too large or too deep', () => {
    expect(() => parseExactJson('"éé"', { bytesMax: 5 })).toThrow('more than 5 bytes')
    expect(parseExactJson('"éé"', { bytesMax: 6 })).toBe('éé')
    expect(() => parseExactJson('[[[1]]]', { depthMax: 2 })).toThrow('too many levels')
    expect(parseExactJson('[[[1]]]', { depthMax: 3 })).toEqual([[[1]]])
    const deep = 1_000_000
    expect(() => parseExactJson('['.repeat(deep) + ']'.repeat(deep))).toThrow('too many levels')
  })

  test('takes time in proportion to the text, whatever it is', () => {
    const textsOf = (length: number) => [
      `[${'1'.repeat(length)}.5]`,
      `[${'1'.repeat(length)}]`,
      `"${'\\\\'.repeat(length / 2)}"`,
      '"\\"'.repeat(length / 3),
      `[${Array(length / 20)
        .fill('1234567890123456789')
        .join(',')}]`,
      `1234567890123456789${' '.repeat(length)}`,
    ]
    const cpuMs = (length: number) => {
      const texts = textsOf(length)
      return cpuMsOf(() => texts.map((text) => tryParse(parseExactJson, text)))
    }
    cpuMs(40_000)
    // Sixteen times the text: 256 times the time if it went by the square. Some milliseconds are
    // for what is not the text.
    expect(cpuMs(1_600_000)).toBeLessThan(3 * 16 * (cpuMs(100_000) + 5))
  })
})

describe('stringifyExactJson', () => {
  test('writes bigints as bare integers, and is read back the same', () => {
    const leaf = fc.oneof(
      fc.bigInt().filter((value) => !Number.isSafeInteger(Number(value))),
      fc.string({ unit: fc.constantFrom('"', '\\', '1', '\u007f', 'n', '\n') }),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
    )
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('node')),
        fc.dictionary(fc.string(), tie('node'), { noNullPrototype: true }),
      ),
    })).node
    fc.assert(
      fc.property(tree, fc.constantFrom(undefined, 2), (value, indent) => {
        expect(parseExactJson(stringifyExactJson(value, indent))).toEqual(value)
      }),
      { numRuns: 500 },
    )
  })

  test('is JSON.stringify where there is no bigint', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(stringifyExactJson(value, 2)).toBe(JSON.stringify(value, null, 2))
      }),
    )
    expect(stringifyExactJson({ a: 2n ** 63n, b: '2' })).toBe('{"a":9223372036854775808,"b":"2"}')
    expect(() => stringifyExactJson(undefined)).toThrow(TypeError)
  })
})
