import { randomUUID } from 'node:crypto'
import type { Catalog } from '../../src/catalog/catalog.ts'
import type { TableState } from '../../src/core/table/table.ts'
import { definitionOf, newTable, type OpenedCatalog, stateOf, viewOf } from './catalog-samples.ts'

function stateAt(location: string, tableUuid: string = randomUUID(), version = 0): TableState {
  const definition = { ...definitionOf(tableUuid), location }
  return stateOf(`t-${tableUuid}`, { definition, version })
}

/** `created`, another outcome, or the code and facts of the refusal. */
async function createAt(
  { tables, locations }: Pick<Catalog, 'locations' | 'tables'>,
  location: string,
  tableUuid: string = randomUUID(),
): Promise<unknown> {
  try {
    const last = await locations.findLastVersion(tableUuid)
    const version = last === undefined ? 0 : last + 1
    return await tables.create(newTable(stateAt(location, tableUuid, version)))
  } catch (error) {
    const { code, facts } = error as { code: string; facts: unknown }
    return { code, facts }
  }
}

function takenBy(tableUuid: string, more: object = {}): unknown {
  return { code: 'location-taken', facts: expect.objectContaining({ takenBy: tableUuid, ...more }) }
}

async function drop({ tables }: Pick<Catalog, 'tables'>, tableUuid: string) {
  const { version = 0 } = (await tables.find({ tableUuid })) ?? {}
  return tables.drop({ tableUuid, expectedVersion: version })
}

export function describeLocations(catalog: () => Catalog): void {
  describe('locations', () => {
    test.each([
      ['the same', 'file:///w/a/t'],
      ['the same with one slash', 'file:/w/a/t'],
      ['the same without a scheme, and with slashes', '/w//a/t/'],
      ['one above', 'file:///w/a'],
      ['one far above', 'file:///w'],
      ['one below', 'file:///w/a/t/data/b'],
    ])('a table is refused at %s', async (_, location) => {
      const tableUuid = randomUUID()
      expect(await createAt(catalog(), 'file:///w/a/t', tableUuid)).toBe('created')
      const refused = takenBy(tableUuid, {
        location,
        takenLocation: 'file:///w/a/t',
        isDropped: false,
      })
      expect(await createAt(catalog(), location)).toEqual(refused)
      expect(await catalog().tables.list({ limit: 9 })).toHaveLength(1)
      expect(await catalog().locations.findOverlapping(location, 9)).toHaveLength(1)
    })

    test('neighbours, and names that begin alike, are free', async () => {
      for (const name of ['t', 't2', 't-', 't0', 't.x', 'T', 't/']) {
        const outcome = name === 't/' ? 'refused' : 'created'
        const made = await createAt(catalog(), `file:///w/a/${name}`)
        expect(made === 'created' ? made : 'refused').toBe(outcome)
      }
      expect(await createAt(catalog(), 's3://w/a/t')).toBe('created')
      expect(await createAt(catalog(), 's3://w/a//t')).toBe('created')
    })

    test('a table that comes back has a version that it never had', async () => {
      const { locations, tables } = catalog()
      const tableUuid = randomUUID()
      const at = (version: number) => newTable(stateAt('/w/lives', tableUuid, version))
      expect(await locations.findLastVersion(tableUuid)).toBeUndefined()
      expect(await tables.create(at(5))).toBe('created')
      expect(await locations.findLastVersion(tableUuid)).toBeUndefined()
      await drop(catalog(), tableUuid)
      expect(await locations.findLastVersion(tableUuid)).toBe(5)
      for (const version of [0, 5]) expect(await tables.create(at(version))).toBe('already-exists')
      expect(await tables.create(at(6))).toBe('created')
      expect(await tables.drop({ tableUuid, expectedVersion: 5 })).toBe('version-mismatch')
      await drop(catalog(), tableUuid)
      expect(await locations.findLastVersion(tableUuid)).toBe(6)
    })

    test('an unregistered table keeps its files until it comes back', async () => {
      const tableUuid = randomUUID()
      await createAt(catalog(), '/w/kept', tableUuid)
      const place = { tableUuid, location: '/w/kept' }
      await catalog().tables.drop({ tableUuid, expectedVersion: 0, isUnregistered: true })
      const found = () => catalog().locations.findOverlapping('/w/kept', 9)
      expect(await found()).toEqual([{ ...place, isDropped: true, keepsFiles: true }])
      await createAt(catalog(), '/w/kept', tableUuid)
      expect(await found()).toEqual([{ ...place, isDropped: false, keepsFiles: false }])
    })

    test('a dropped table keeps its location, comes back to it, or gives it up', async () => {
      const tableUuid = randomUUID()
      const place = { tableUuid, location: 'file:///w/t' }
      await createAt(catalog(), '/w/t', tableUuid)
      expect(await catalog().locations.forget(place)).toBe('table-lives')
      await drop(catalog(), tableUuid)
      expect(await createAt(catalog(), '/w')).toEqual(takenBy(tableUuid, { isDropped: true }))
      expect(await createAt(catalog(), '/w/t', tableUuid)).toBe('created')
      await drop(catalog(), tableUuid)
      expect(await catalog().locations.forget(place)).toBe('forgotten')
      expect(await createAt(catalog(), '/w')).toBe('created')
      expect(await createAt(catalog(), '/w/t', tableUuid)).toMatchObject({ code: 'location-taken' })
    })

    test('a table that moves has both locations, and cannot move onto another', async () => {
      const [moving, other] = [randomUUID(), randomUUID()]
      await createAt(catalog(), '/w/other', other)
      await createAt(catalog(), '/w/from', moving)
      const moveTo = async (location: string, expectedVersion: number) => {
        const state = { ...stateAt(location, moving), version: expectedVersion + 1 }
        const commit = { expectedVersion, state, newSnapshots: [], newLogEntries: [] }
        const tables = [{ ...commit, addedPaths: [] }]
        return (await catalog().tables.commit({ tables, transactions: [] })).outcome
      }
      await expect(moveTo('/w/other/x', 0)).rejects.toMatchObject({ code: 'location-taken' })
      expect((await catalog().tables.find({ tableUuid: moving }))?.definition.location).toBe(
        '/w/from',
      )
      expect(await moveTo('/w/from/deeper', 0)).toBe('committed')
      expect(await moveTo('/w/to', 1)).toBe('committed')
      for (const location of ['/w/from', '/w/from/deeper', '/w/to']) {
        expect(await createAt(catalog(), location)).toEqual(takenBy(moving))
      }
      await drop(catalog(), moving)
      expect(await createAt(catalog(), '/w/from')).toEqual(takenBy(moving, { isDropped: true }))
      for (const location of ['/w/from', '/w/from/deeper']) {
        await catalog().locations.forget({ tableUuid: moving, location })
      }
      expect(await createAt(catalog(), '/w/from')).toBe('created')
      expect(await createAt(catalog(), '/w/to')).toEqual(takenBy(moving))
    })

    test('the folder of a view is no dropped table’s, for as long as the view lives', async () => {
      const folder = 'file:///warehouse/bright'
      const view = viewOf('bright')
      expect(await catalog().views.create({ ...view, folders: [folder] })).toBe('created')
      const { viewUuid: tableUuid } = view
      const found = await catalog().locations.findOverlapping(folder, 9)
      expect(found).toMatchObject([{ tableUuid, isDropped: false, keepsFiles: true }])
    })

    test('paths are told whose they are, the innermost last', async () => {
      const [living, dropped, inside] = [randomUUID(), randomUUID(), randomUUID()]
      await createAt(catalog(), 'file:///w/a', living)
      await catalog().locations.remember({ tableUuid: inside, location: 'file:///w/a/old' })
      await catalog().locations.remember({ tableUuid: inside, location: 'file:///w/a/old' })
      const properties = { 'gc.enabled': 'FALSE' }
      const state = stateAt('s3://b/t', dropped)
      const definition = { ...state.definition, properties }
      await catalog().tables.create(newTable({ ...state, definition }))
      await drop(catalog(), dropped)
      const paths = ['/w/a/1', 'file:/w/a/old/2', 'file:///w/a', 'file:///w/ab/1', 's3://b/t/3']
      const owners = await catalog().locations.findOwners(paths)
      const shown = [...owners].map(([path, found]) => [path, found.map((l) => l.tableUuid)])
      expect(shown).toEqual([
        ['/w/a/1', [living]],
        ['file:/w/a/old/2', [living, inside]],
        ['s3://b/t/3', [dropped]],
      ])
      expect(owners.get('file:/w/a/old/2')?.map((l) => l.isDropped)).toEqual([false, true])
      const keeping = {
        tableUuid: dropped,
        location: 's3://b/t',
        isDropped: true,
        keepsFiles: true,
      }
      expect(owners.get('s3://b/t/3')).toEqual([keeping])
      await catalog().tables.create(newTable({ ...state, version: state.version + 2 }))
      expect(await catalog().locations.findOverlapping('s3://b', 9)).toEqual([
        { ...keeping, isDropped: false, keepsFiles: false },
      ])
      expect(await catalog().locations.findOwners([])).toEqual(new Map())
    })
  })
}

/** Two stores over one database, as two processes have them. */
export function describeLocationRaces(opened: () => OpenedCatalog): void {
  test('of tables that are created at once within each other, none share a file', async () => {
    const { catalog, openAnother } = opened()
    const other = await openAnother?.()
    if (other === undefined) throw new Error('this catalog cannot be shared')
    try {
      for (let round = 0; round < 12; round++) {
        const root = `file:///w/${round}`
        const nested = [root, `${root}/a`, `${root}/a/b`, `${root}/c`, `${root}/a/b/c`, root]
        const outcomes = await Promise.all(
          nested.map((location, i) => createAt(i % 2 === 0 ? catalog : other, location)),
        )
        const made = nested.filter((_, i) => outcomes[i] === 'created')
        expect(made.length).toBeGreaterThan(0)
        for (const location of made) {
          expect(await catalog.locations.findOverlapping(location, 9)).toHaveLength(1)
        }
        const refused = outcomes.filter((outcome) => outcome !== 'created')
        const taken = { code: 'location-taken', facts: expect.anything() }
        expect(refused).toEqual(refused.map(() => taken))
      }
    } finally {
      await other.close()
    }
  })

  test('a table that comes back while its location is given up keeps it', async () => {
    const { catalog, openAnother } = opened()
    const other = await openAnother?.()
    if (other === undefined) throw new Error('this catalog cannot be shared')
    try {
      for (let round = 0; round < 12; round++) {
        const [tableUuid, location] = [randomUUID(), `file:///w/back-${round}`]
        await createAt(catalog, location, tableUuid)
        await drop(catalog, tableUuid)
        const work = [
          () => createAt(catalog, location, tableUuid),
          () => other.locations.forget({ tableUuid, location }),
        ]
        const turns = round % 2 === 0 ? work : work.toReversed()
        await Promise.all(turns.map((turn) => turn()))
        expect(await catalog.locations.findOverlapping(location, 9)).toMatchObject([
          { tableUuid, isDropped: false },
        ])
      }
    } finally {
      await other.close()
    }
  })
}
