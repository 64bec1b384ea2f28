import fc from 'fast-check'
import {
  formatIdentifier,
  formatTableName,
  newNameOf,
  parseNamespace,
  parseNewNamespace,
  parseNewTableName,
  parseTableIdentifier,
} from '../../../src/core/table/table-name.ts'

const UUID = '9c12d441-03fe-4693-9a96-a0705ddf69c1'

function refusal(name: string): Error {
  return expect.objectContaining({
    code: 'name-invalid',
    facts: { name: name.slice(0, 100), rule: expect.any(String) },
  })
}

describe('parseTableIdentifier', () => {
  test.each([
    ['planets', { namespace: ['default'], name: 'planets' }],
    ['sky.planets', { namespace: ['sky'], name: 'planets' }],
    ['a.b.c.Planets_2-x', { namespace: ['a', 'b', 'c'], name: 'Planets_2-x' }],
    ['_', { namespace: ['default'], name: '_' }],
    [UUID, { tableUuid: UUID }],
    [UUID.toUpperCase(), { tableUuid: UUID }],
    ['abcdefab-03fe-4693-9a96-a0705ddf69c1', { tableUuid: 'abcdefab-03fe-4693-9a96-a0705ddf69c1' }],
  ])('%s', (text, identifier) => {
    expect(parseTableIdentifier(text)).toEqual(identifier)
  })

  const unusable = [
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    'a\u0000',
    'a\n',
    'a\ud800',
    'x.'.repeat(1_000_000),
  ]
  test.each(unusable)('%.30j is refused', (text) => {
    expect(() => parseTableIdentifier(text)).toThrow(refusal(text))
    expect(() => parseNamespace(text)).toThrow(refusal(text))
    expect(() => parseNewNamespace(text)).toThrow(refusal(text))
    expect(() => parseNewTableName({ name: text })).toThrow(refusal(text))
  })

  test.each(['1a', '-a', 'a b', 'a/b', 'Mixed Case é', "a'; drop", `a${'b'.repeat(128)}`])(
    '%.30j is found where Iceberg’s clients made it, but not made',
    (text) => {
      expect(parseTableIdentifier(text)).toEqual({ namespace: ['default'], name: text })
      expect(parseTableIdentifier(`${text}.t`)).toEqual({ namespace: [text], name: 't' })
      expect(parseNamespace(text)).toEqual([text])
      expect(() => parseNewNamespace(text)).toThrow(refusal(text))
      expect(() => parseNewTableName({ name: text })).toThrow(refusal(text))
      expect(parseNewTableName({ namespace: text, name: 't' })).toEqual({
        namespace: [text],
        name: 't',
      })
    },
  )

  test('eight levels are the most of a new namespace', () => {
    const levels = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    expect(parseNewNamespace(levels.join('.'))).toEqual(levels)
    expect(parseNewTableName({ name: `${levels.join('.')}.t` })).toEqual({
      namespace: levels,
      name: 't',
    })
    expect(() => parseNewNamespace(`${levels.join('.')}.i`)).toThrow('at most 8 levels')
    expect(() => parseNewTableName({ name: `${levels.join('.')}.i.t` })).toThrow('at most 8 levels')
    expect(parseNamespace(`${levels.join('.')}.i`)).toHaveLength(9)
  })

  test('every name is found again from its dotted form', () => {
    const parts = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_-]{0,127}$/)
    const names = fc.record({
      namespace: fc.array(parts, { minLength: 1, maxLength: 8 }),
      name: parts,
    })
    fc.assert(
      fc.property(names, ({ namespace, name }) => {
        const text = formatTableName(namespace, name)
        expect(parseTableIdentifier(text)).toEqual({ namespace, name })
      }),
    )
  })
})

describe('formatIdentifier', () => {
  test.each([
    [['sky'], 'planets', 'sky.planets'],
    [['Mixed Case é'], 'a/b', 'Mixed Case é.a/b'],
    // Dots of a name, and a name like an id, would be misread.
    [['sky'], 'near.planets', UUID],
    [['v1.2'], 'planets', UUID],
    [['sky'], '00000000-03fe-4693-9a96-a0705ddf69c1', UUID],
  ])('%j %s', (namespace, name, identifier) => {
    expect(formatIdentifier({ namespace, name }, UUID)).toBe(identifier)
  })
})

describe('parseNewTableName', () => {
  test('the namespace comes apart, or before the name, or is the default', () => {
    const planets = { namespace: ['sky', 'near'], name: 'planets' }
    expect(parseNewTableName({ namespace: 'sky.near', name: 'planets' })).toEqual(planets)
    expect(parseNewTableName({ name: 'sky.near.planets' })).toEqual(planets)
    expect(parseNewTableName({ name: 'planets' })).toEqual({
      namespace: ['default'],
      name: 'planets',
    })
  })

  test('a name with dots beside a namespace is refused', () => {
    expect(() => parseNewTableName({ namespace: 'sky', name: 'near.planets' })).toThrow(
      refusal('near.planets'),
    )
    expect(() => parseNewTableName({ namespace: 'sky.', name: 'planets' })).toThrow(refusal('sky.'))
  })

  test('a name that would be taken for a UUID is refused', () => {
    const name = 'abcdefab-03fe-4693-9a96-a0705ddf69c1'
    expect(() => parseNewTableName({ name })).toThrow(refusal(name))
    expect(() => parseNewTableName({ namespace: 'sky', name })).toThrow(refusal(name))
  })
})

test('a new name stays in the namespace unless it names another', () => {
  expect(newNameOf(['sky'], { name: 'moons' })).toEqual({ namespace: ['sky'], name: 'moons' })
  expect(newNameOf(['sky'], { name: 'sea.fish' })).toEqual({ namespace: ['sea'], name: 'fish' })
  const named = { namespace: 'sea.deep', name: 'fish' }
  expect(newNameOf(['sky'], named)).toEqual({ namespace: ['sea', 'deep'], name: 'fish' })
})
