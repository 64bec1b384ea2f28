import fc from 'fast-check'
import {
  formatTableName,
  parseNamespace,
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

  test.each([
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    '1a',
    '-a',
    'a b',
    'a/b',
    'ä',
    'a\u0000',
    'a\n',
    "a'; drop",
    `a${'b'.repeat(128)}`,
    'a.b.c.d.e.f.g.h.i.j',
    'x.'.repeat(1_000_000),
  ])('%.30j is refused', (text) => {
    expect(() => parseTableIdentifier(text)).toThrow(refusal(text))
    expect(() => parseNamespace(text)).toThrow(refusal(text))
  })

  test('eight levels of namespace are the most', () => {
    const levels = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    expect(parseNamespace(levels.join('.'))).toEqual(levels)
    expect(parseTableIdentifier(`${levels.join('.')}.t`)).toEqual({ namespace: levels, name: 't' })
    expect(() => parseNamespace(`${levels.join('.')}.i`)).toThrow('at most 8 levels')
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
