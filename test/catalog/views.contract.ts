import { randomUUID } from 'node:crypto'
import type { Catalog } from '../../src/catalog/catalog.ts'
import type { ViewState } from '../../src/catalog/view-store.ts'
import { allNamespaces, create, newTable, stateOf, viewOf } from './catalog-samples.ts'

export function describeViews(catalog: () => Catalog): void {
  const createView = async (name: string): Promise<ViewState> => {
    const view = viewOf(name)
    expect(await catalog().views.create(view)).toBe('created')
    return view
  }
  const replace = (view: ViewState, overrides: Partial<ViewState> = {}) => ({
    expectedVersion: view.version,
    state: { ...view, version: view.version + 1, ...overrides },
  })

  describe('views', () => {
    test('a created view is found by name and by UUID, exactly as it was given', async () => {
      const metadata = JSON.stringify({ sql: 'select "é\u0000\ud800"', id: '9007199254740993' })
      const view = viewOf('Bright', { namespace: ['Deep', 'sky'], metadata, version: 3 })
      expect(await catalog().views.create(view)).toBe('created')
      expect(await catalog().views.find({ viewUuid: view.viewUuid })).toStrictEqual(view)
      const byName = { namespace: ['deep', 'SKY'], name: 'bRIGHT' }
      expect(await catalog().views.find(byName)).toStrictEqual(view)
      expect(await catalog().views.find({ namespace: ['deep'], name: 'bright' })).toBeUndefined()
      expect(await catalog().views.find({ viewUuid: randomUUID() })).toBeUndefined()
      expect(await allNamespaces(catalog())).toEqual([['Deep'], ['Deep', 'sky']])
    })

    test('tables and views share their names, and neither is found as the other', async () => {
      const table = await create(catalog(), 'planets')
      const view = await createView('bright')
      expect(await catalog().views.create(viewOf('PLANETS'))).toBe('table-exists')
      expect(await catalog().views.create(viewOf('Bright'))).toBe('view-exists')
      expect(await catalog().tables.create(newTable(stateOf('BRIGHT')))).toBe('view-exists')
      expect(await catalog().tables.find({ namespace: ['sky'], name: 'bright' })).toBeUndefined()
      expect(await catalog().views.find({ namespace: ['sky'], name: 'planets' })).toBeUndefined()
      expect(await catalog().tables.list({ limit: 9 })).toHaveLength(1)
      // The same name elsewhere is another name; a name that was dropped is free for both.
      const elsewhere = viewOf('planets', { namespace: ['sea'] })
      expect(await catalog().views.create(elsewhere)).toBe('created')
      const { tableUuid } = table.definition
      await catalog().tables.drop({ tableUuid, expectedVersion: 0 })
      await catalog().views.drop(view.viewUuid)
      await createView('planets')
      await create(catalog(), 'bright')
    })

    test('a refused creation leaves nothing behind, not even a namespace', async () => {
      const view = await createView('bright')
      const twin = viewOf('other', { viewUuid: view.viewUuid, namespace: ['elsewhere'] })
      expect(await catalog().views.create(twin)).toBe('view-exists')
      const again = viewOf('bright', { viewUuid: view.viewUuid, metadata: '{}' })
      expect(await catalog().views.create(again)).toBe('view-exists')
      expect(await catalog().views.find({ viewUuid: view.viewUuid })).toStrictEqual(view)
      expect(await allNamespaces(catalog())).toEqual([['sky']])
      const free = stateOf('other', { namespace: ['elsewhere'] })
      expect(await catalog().tables.create(newTable(free))).toBe('created')
    })

    test('of tables and views created at once under one name, one is created', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          index % 2 === 0
            ? catalog().views.create(viewOf('bright'))
            : catalog().tables.create(newTable(stateOf('Bright'))),
        ),
      )
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1)
    })

    test('views are listed by name, without case, page by page', async () => {
      for (const name of ['b', 'A', 'c', 'D']) await createView(name)
      await catalog().views.create(viewOf('other', { namespace: ['sky', 'deep'] }))
      await create(catalog(), 'a table')
      const list = async (after?: string) => {
        const page = after === undefined ? {} : { after }
        const listed = await catalog().views.list({ namespace: ['SKY'], limit: 3, ...page })
        return listed.map(({ name }) => name)
      }
      expect(await list()).toEqual(['A', 'b', 'c'])
      expect(await list('C')).toEqual(['D'])
      const [first] = await catalog().views.list({ namespace: ['sky'], limit: 1 })
      expect(first).toStrictEqual({ namespace: ['sky'], name: 'A' })
      expect(await catalog().views.list({ namespace: [], limit: 9 })).toEqual([])
    })

    test('a view is replaced if it has the version, and its time of birth stays', async () => {
      const view = await createView('bright')
      const change = replace(view, { metadata: '{"v":1}', metadataLocation: 'file:///1' })
      expect(await catalog().views.replace(change)).toBe('replaced')
      expect(await catalog().views.find({ viewUuid: view.viewUuid })).toStrictEqual(change.state)
      expect(await catalog().views.replace(change)).toBe('version-mismatch')
      expect(await catalog().views.replace(replace(viewOf('bright')))).toBe('version-mismatch')
      expect(await catalog().views.replace(replace(viewOf('other')))).toBe('version-mismatch')
      expect(await catalog().views.find({ viewUuid: view.viewUuid })).toStrictEqual(change.state)
      const jump = { expectedVersion: 1, state: { ...view, version: 7 } }
      await expect(catalog().views.replace(jump)).rejects.toThrow(/version 7/)
    })

    test('of two replacements of one version, one wins', async () => {
      const view = await createView('bright')
      const changes = ['1', '2'].map((metadata) =>
        catalog().views.replace(replace(view, { metadata })),
      )
      expect((await Promise.all(changes)).sort()).toEqual(['replaced', 'version-mismatch'])
    })

    test('a replacement may rename the view, unless the name is taken', async () => {
      await create(catalog(), 'planets')
      await createView('faint')
      const view = await createView('bright')
      const refused = async (name: string) => {
        const outcome = await catalog().views.replace(replace(view, { name, metadata: 'lost' }))
        expect(await catalog().views.find({ viewUuid: view.viewUuid })).toStrictEqual(view)
        return outcome
      }
      expect(await refused('Planets')).toBe('table-exists')
      expect(await refused('FAINT')).toBe('view-exists')
      const respelled = replace(view, { name: 'BRIGHT' })
      expect(await catalog().views.replace(respelled)).toBe('replaced')
      const moved = replace(respelled.state, { name: 'dim', namespace: ['new', 'place'] })
      expect(await catalog().views.replace(moved)).toBe('replaced')
      expect(await catalog().views.find(moved.state)).toStrictEqual(moved.state)
      const byName = { namespace: moved.state.namespace, name: 'DIM' }
      expect(await catalog().views.find(byName)).toStrictEqual(moved.state)
      expect(await catalog().views.find({ namespace: ['sky'], name: 'bright' })).toBeUndefined()
      expect(await catalog().namespaces.find(['new', 'place'])).toBeDefined()
      await create(catalog(), 'bright')
    })

    test('its folders are no table’s and no other view’s, until it is dropped', async () => {
      const folder = `file:///lake/views/${randomUUID()}`
      const view = viewOf('placed')
      expect(await catalog().views.create({ ...view, folders: [folder] })).toBe('created')
      const around = folder.slice(0, folder.lastIndexOf('/'))
      for (const location of [folder, around, `${folder}/data`]) {
        const state = stateOf(`t_${randomUUID().slice(0, 8)}`)
        const definition = { ...state.definition, location }
        const table = newTable({ ...state, definition })
        const taken = { code: 'location-taken', facts: { takenBy: view.viewUuid } }
        await expect(catalog().tables.create(table)).rejects.toMatchObject(taken)
        const other = { ...viewOf(`v_${randomUUID().slice(0, 8)}`), folders: [location] }
        await expect(catalog().views.create(other)).rejects.toMatchObject(taken)
        expect(await catalog().views.find({ viewUuid: other.viewUuid })).toBeUndefined()
      }
      // Nobody deletes what is there, whatever names it.
      const owners = await catalog().locations.findOwners([`${folder}/metadata/x.json`])
      expect([...owners.values()].flat()).toEqual([
        { tableUuid: view.viewUuid, location: folder, isDropped: false, keepsFiles: true },
      ])
      expect(await catalog().views.drop(view.viewUuid)).toBe('dropped')
      const state = stateOf('placed')
      const definition = { ...state.definition, location: folder }
      expect(await catalog().tables.create(newTable({ ...state, definition }))).toBe('created')
    })

    test('a replacement takes further folders, or is refused whole', async () => {
      const [first, second] = ['a', 'b'].map((name) => `file:///lake/${name}/${randomUUID()}`)
      const view = viewOf('moving')
      await catalog().views.create({ ...view, folders: [first ?? ''] })
      const other = viewOf('other')
      await catalog().views.create({ ...other, folders: [second ?? ''] })
      const state = { ...view, version: view.version + 1 }
      const change = { expectedVersion: view.version, state, folders: [`${second}/below`] }
      const taken = { code: 'location-taken' }
      await expect(catalog().views.replace(change)).rejects.toMatchObject(taken)
      expect(await catalog().views.find({ viewUuid: view.viewUuid })).toEqual(view)
      const elsewhere = { ...change, folders: [`${second}-else`] }
      expect(await catalog().views.replace(elsewhere)).toBe('replaced')
      const owners = await catalog().locations.findOwners([`${first}/x`, `${second}-else/x`])
      expect([...owners.values()].flat().map(({ tableUuid }) => tableUuid)).toEqual([
        view.viewUuid,
        view.viewUuid,
      ])
    })

    test('a dropped view is forgotten', async () => {
      const view = await createView('bright')
      expect(await catalog().views.drop(view.viewUuid)).toBe('dropped')
      expect(await catalog().views.drop(view.viewUuid)).toBe('not-found')
      expect(await catalog().views.find({ viewUuid: view.viewUuid })).toBeUndefined()
      expect(await catalog().views.list({ namespace: ['sky'], limit: 9 })).toEqual([])
      expect(await catalog().views.replace(replace(view))).toBe('version-mismatch')
    })
  })
}
