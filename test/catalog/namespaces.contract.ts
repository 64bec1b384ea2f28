import fc from 'fast-check'
import type { Catalog } from '../../src/catalog/catalog.ts'
import { allNamespaces, create, newTable, stateOf, viewOf } from './catalog-samples.ts'

export function describeNamespaces(catalog: () => Catalog): void {
  const make = (...levels: string[]) => catalog().namespaces.create({ levels, properties: {} })
  const childrenOf = (...parent: string[]) =>
    catalog().namespaces.listChildren({ parent, limit: 100 })

  describe('namespaces', () => {
    test('what was allowed on a namespace is done to no other of its name', async () => {
      await make('sky')
      const [place] = [await catalog().grants.findPlace({ kind: 'namespace', levels: ['sky'] })]
      const asked = (namespaceUuid: string) => ({
        namespaces: [{ levels: ['SKY'], namespaceUuid }],
      })
      const { namespaces } = catalog()
      const change = { levels: ['sky'], updates: { a: 'b' }, removals: [] }
      const below = { levels: ['sky', 'low'], properties: {} }
      const changes = (uuid: string) => [
        () => namespaces.updateProperties(change, asked(uuid)),
        () => namespaces.create(below, asked(uuid)),
        () => namespaces.drop(['sky', 'low'], asked(uuid)),
        () => namespaces.drop(['sky'], asked(uuid)),
      ]
      for (const act of changes('another')) {
        await expect(act()).rejects.toMatchObject({ code: 'namespace-not-found' })
      }
      expect(await namespaces.find(['sky'])).toEqual({ levels: ['sky'], properties: {} })
      const done = []
      for (const act of changes(place?.uuid ?? '')) done.push(await act())
      expect(done.slice(1)).toEqual(['created', 'dropped', 'dropped'])
    })

    test('drops of one namespace at once are one drop, and do not stop each other', async () => {
      for (let round = 0; round < 5; round++) {
        await make('sky')
        const place = await catalog().grants.findPlace({ kind: 'namespace', levels: ['sky'] })
        const asked = { namespaces: [{ levels: ['SKY'], namespaceUuid: place?.uuid ?? '' }] }
        const drops = ['a', 'b', 'c'].map(() => catalog().namespaces.drop(['sky'], asked))
        const outcomes = await Promise.all(drops)
        expect(outcomes.sort()).toEqual(['dropped', 'not-found', 'not-found'])
      }
    })

    test('a namespace is found with its properties, exactly as they were given', async () => {
      const properties = { owner: 'ada', ['__proto__']: 'data', $bigint: '1', n: 'a\u0000b\ud800c' }
      const levels = ['Deep sky', 'M 31']
      expect(await catalog().namespaces.create({ levels, properties })).toBe('created')
      expect(await catalog().namespaces.find(levels)).toStrictEqual({ levels, properties })
      const found = await catalog().namespaces.find(['deep SKY', 'm 31'])
      expect(found?.levels).toEqual(levels)
      const parent = { levels: ['Deep sky'], properties: {} }
      expect(await catalog().namespaces.find(['deep sky'])).toStrictEqual(parent)
      expect(await catalog().namespaces.find(['m 31'])).toBeUndefined()
      expect(await catalog().namespaces.find([])).toBeUndefined()
    })

    test('one that is there is left as it is, however it came to be', async () => {
      await create(catalog(), 'planets')
      await catalog().namespaces.create({ levels: ['a', 'b'], properties: { owner: 'ada' } })
      const twins = [['SKY'], ['A'], ['a', 'B'], []]
      for (const levels of twins) {
        const properties = { owner: 'bob' }
        expect(await catalog().namespaces.create({ levels, properties })).toBe('already-exists')
      }
      expect((await catalog().namespaces.find(['a', 'b']))?.properties).toEqual({ owner: 'ada' })
      expect(await catalog().namespaces.find(['sky'])).toEqual({ levels: ['sky'], properties: {} })
      await catalog().tables.create(newTable(stateOf('t', { namespace: ['a', 'b'] })))
      expect((await catalog().namespaces.find(['a', 'b']))?.properties).toEqual({ owner: 'ada' })
    })

    test('of many creations at once, one is created', async () => {
      const outcomes = await Promise.all(Array.from({ length: 6 }, () => make('a', 'b', 'c')))
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1)
    })

    test('children are those directly below, by name, whatever their names hold', async () => {
      const piece = fc.constantFrom('a', 'A', 'b', ' ', '%', '!', '\u0020x', '\u{10ffff}', 'é', '.')
      const names = fc.string({ unit: piece, minLength: 1, maxLength: 3 })
      const trees = fc.array(fc.array(names, { minLength: 1, maxLength: 3 }), { maxLength: 12 })
      await fc.assert(
        fc.asyncProperty(trees, async (tree) => {
          for (const levels of tree) await make(...levels)
          const all = await allNamespaces(catalog())
          for (const parent of [[], ...all]) {
            const below = all.filter((levels) => isDirectlyBelow(parent, levels))
            expect(await childrenOf(...parent)).toEqual(below)
          }
          for (const levels of all.toReversed()) {
            expect(await catalog().namespaces.drop(levels)).toBe('dropped')
          }
        }),
        { numRuns: 15 },
      )
    })

    test('children are listed page by page', async () => {
      for (const name of ['d', 'B', 'a', 'C', 'e']) await make('top', name, 'below')
      const seen: (readonly string[])[] = []
      for (;;) {
        const after = seen.at(-1)?.map((level) => level.toUpperCase())
        const query = { parent: ['TOP'], limit: 2, ...(after === undefined ? {} : { after }) }
        const page = await catalog().namespaces.listChildren(query)
        if (page.length === 0) break
        expect(page.length).toBeLessThanOrEqual(2)
        seen.push(...page)
      }
      expect(seen.map((levels) => levels[1])).toEqual(['a', 'B', 'C', 'd', 'e'])
      expect(await childrenOf('nowhere')).toEqual([])
    })

    test('properties are updated, then removed, and both sides are returned', async () => {
      const before = { owner: 'ada', team: 'stars', ['__proto__']: 'data' }
      await catalog().namespaces.create({ levels: ['sky'], properties: before })
      const updates = { team: 'moons', new: '1', both: '2' }
      const change = { levels: ['SKY'], updates, removals: ['owner', 'both', 'absent'] }
      const after = { team: 'moons', ['__proto__']: 'data', new: '1' }
      expect(await catalog().namespaces.updateProperties(change)).toStrictEqual({ before, after })
      expect((await catalog().namespaces.find(['sky']))?.properties).toStrictEqual(after)
      const nowhere = { levels: ['nowhere'], updates, removals: [] }
      expect(await catalog().namespaces.updateProperties(nowhere)).toBe('not-found')
    })

    test('of many updates at once, none is lost', async () => {
      await make('sky')
      const keys = Array.from({ length: 8 }, (_, index) => `key-${index}`)
      await Promise.all(
        keys.map((key) =>
          catalog().namespaces.updateProperties({
            levels: ['sky'],
            updates: { [key]: key },
            removals: [],
          }),
        ),
      )
      const found = await catalog().namespaces.find(['sky'])
      expect(Object.keys(found?.properties ?? {}).sort()).toEqual(keys)
    })

    test('one that holds a table, a view or a namespace is not dropped', async () => {
      const table = await create(catalog(), 'planets')
      const view = viewOf('v', { namespace: ['views'] })
      await catalog().views.create(view)
      await make('outer', 'inner')
      for (const name of ['sky', 'Views', 'OUTER']) {
        expect(await catalog().namespaces.drop([name])).toBe('not-empty')
        expect(await catalog().namespaces.find([name])).toBeDefined()
      }
      const { tableUuid } = table.definition
      await catalog().tables.drop({ tableUuid, expectedVersion: 0 })
      await catalog().views.drop(view.viewUuid)
      expect(await catalog().namespaces.drop(['outer', 'INNER'])).toBe('dropped')
      for (const name of ['sky', 'Views', 'OUTER']) {
        expect(await catalog().namespaces.drop([name])).toBe('dropped')
        expect(await catalog().namespaces.drop([name])).toBe('not-found')
      }
      expect(await allNamespaces(catalog())).toEqual([])
      expect(await catalog().namespaces.drop([])).toBe('not-found')
    })

    test('one dropped while something is put into it is there with it, or neither is', async () => {
      for (let round = 0; round < 10; round++) {
        const levels = ['a', `b${round}`]
        await make(...levels)
        const [dropped, created] = await Promise.all([
          catalog().namespaces.drop(levels),
          catalog().tables.create(newTable(stateOf('t', { namespace: levels }))),
          make(...levels, 'below'),
        ])
        expect(created).toBe('created')
        expect(['dropped', 'not-empty']).toContain(dropped)
        expect(await catalog().namespaces.find(levels)).toBeDefined()
        expect(await childrenOf(...levels)).toHaveLength(1)
        expect(await catalog().namespaces.drop(levels)).toBe('not-empty')
      }
    })
  })
}

function isDirectlyBelow(parent: readonly string[], levels: readonly string[]): boolean {
  if (levels.length !== parent.length + 1) return false
  return parent.every((level, depth) => level.toLowerCase() === levels[depth]?.toLowerCase())
}
