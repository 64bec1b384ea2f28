import { randomUUID } from 'node:crypto'
import type { CatalogStore } from '../../src/catalog/catalog-store.ts'
import type { ViewState } from '../../src/catalog/view-store.ts'
import { create, newTable, stateOf, viewOf } from './catalog-samples.ts'

export function describeViews(store: () => CatalogStore): void {
  const createView = async (name: string): Promise<ViewState> => {
    const view = viewOf(name)
    expect(await store().createView(view)).toBe('created')
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
      expect(await store().createView(view)).toBe('created')
      expect(await store().findView({ viewUuid: view.viewUuid })).toStrictEqual(view)
      const byName = { namespace: ['deep', 'SKY'], name: 'bRIGHT' }
      expect(await store().findView(byName)).toStrictEqual(view)
      expect(await store().findView({ namespace: ['deep'], name: 'bright' })).toBeUndefined()
      expect(await store().findView({ viewUuid: randomUUID() })).toBeUndefined()
      expect(await store().listNamespaces()).toEqual([['Deep'], ['Deep', 'sky']])
    })

    test('tables and views share their names, and neither is found as the other', async () => {
      const table = await create(store(), 'planets')
      const view = await createView('bright')
      expect(await store().createView(viewOf('PLANETS'))).toBe('table-exists')
      expect(await store().createView(viewOf('Bright'))).toBe('view-exists')
      expect(await store().createTable(newTable(stateOf('BRIGHT')))).toBe('view-exists')
      expect(await store().findTable({ namespace: ['sky'], name: 'bright' })).toBeUndefined()
      expect(await store().findView({ namespace: ['sky'], name: 'planets' })).toBeUndefined()
      expect(await store().listTables({ limit: 9 })).toHaveLength(1)
      // The same name elsewhere is another name; a name that was dropped is free for both.
      const elsewhere = viewOf('planets', { namespace: ['sea'] })
      expect(await store().createView(elsewhere)).toBe('created')
      await store().dropTable(table.definition.tableUuid)
      await store().dropView(view.viewUuid)
      await createView('planets')
      await create(store(), 'bright')
    })

    test('a refused creation leaves nothing behind, not even a namespace', async () => {
      const view = await createView('bright')
      const twin = viewOf('other', { viewUuid: view.viewUuid, namespace: ['elsewhere'] })
      expect(await store().createView(twin)).toBe('view-exists')
      const again = viewOf('bright', { viewUuid: view.viewUuid, metadata: '{}' })
      expect(await store().createView(again)).toBe('view-exists')
      expect(await store().findView({ viewUuid: view.viewUuid })).toStrictEqual(view)
      expect(await store().listNamespaces()).toEqual([['sky']])
      const free = stateOf('other', { namespace: ['elsewhere'] })
      expect(await store().createTable(newTable(free))).toBe('created')
    })

    test('of tables and views created at once under one name, one is created', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          index % 2 === 0
            ? store().createView(viewOf('bright'))
            : store().createTable(newTable(stateOf('Bright'))),
        ),
      )
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1)
    })

    test('views are listed by name, without case, page by page', async () => {
      for (const name of ['b', 'A', 'c', 'D']) await createView(name)
      await store().createView(viewOf('other', { namespace: ['sky', 'deep'] }))
      await create(store(), 'a table')
      const list = async (after?: string) => {
        const page = after === undefined ? {} : { after }
        const listed = await store().listViews({ namespace: ['SKY'], limit: 3, ...page })
        return listed.map(({ name }) => name)
      }
      expect(await list()).toEqual(['A', 'b', 'c'])
      expect(await list('C')).toEqual(['D'])
      const [first] = await store().listViews({ namespace: ['sky'], limit: 1 })
      expect(first).toStrictEqual({ namespace: ['sky'], name: 'A' })
      expect(await store().listViews({ namespace: [], limit: 9 })).toEqual([])
    })

    test('a view is replaced if it has the version, and its time of birth stays', async () => {
      const view = await createView('bright')
      const change = replace(view, { metadata: '{"v":1}', metadataLocation: 'file:///1' })
      expect(await store().replaceView(change)).toBe('replaced')
      expect(await store().findView({ viewUuid: view.viewUuid })).toStrictEqual(change.state)
      expect(await store().replaceView(change)).toBe('version-mismatch')
      expect(await store().replaceView(replace(viewOf('bright')))).toBe('version-mismatch')
      expect(await store().replaceView(replace(viewOf('other')))).toBe('version-mismatch')
      expect(await store().findView({ viewUuid: view.viewUuid })).toStrictEqual(change.state)
      const jump = { expectedVersion: 1, state: { ...view, version: 7 } }
      await expect(store().replaceView(jump)).rejects.toThrow(/version 7/)
    })

    test('of two replacements of one version, one wins', async () => {
      const view = await createView('bright')
      const changes = ['1', '2'].map((metadata) => store().replaceView(replace(view, { metadata })))
      expect((await Promise.all(changes)).sort()).toEqual(['replaced', 'version-mismatch'])
    })

    test('a replacement may rename the view, unless the name is taken', async () => {
      await create(store(), 'planets')
      await createView('faint')
      const view = await createView('bright')
      const refused = async (name: string) => {
        const outcome = await store().replaceView(replace(view, { name, metadata: 'lost' }))
        expect(await store().findView({ viewUuid: view.viewUuid })).toStrictEqual(view)
        return outcome
      }
      expect(await refused('Planets')).toBe('table-exists')
      expect(await refused('FAINT')).toBe('view-exists')
      const respelled = replace(view, { name: 'BRIGHT' })
      expect(await store().replaceView(respelled)).toBe('replaced')
      const moved = replace(respelled.state, { name: 'dim', namespace: ['new', 'place'] })
      expect(await store().replaceView(moved)).toBe('replaced')
      expect(await store().findView(moved.state)).toStrictEqual(moved.state)
      const byName = { namespace: moved.state.namespace, name: 'DIM' }
      expect(await store().findView(byName)).toStrictEqual(moved.state)
      expect(await store().findView({ namespace: ['sky'], name: 'bright' })).toBeUndefined()
      expect(await store().findNamespace(['new', 'place'])).toBeDefined()
      await create(store(), 'bright')
    })

    test('a dropped view is forgotten', async () => {
      const view = await createView('bright')
      expect(await store().dropView(view.viewUuid)).toBe('dropped')
      expect(await store().dropView(view.viewUuid)).toBe('not-found')
      expect(await store().findView({ viewUuid: view.viewUuid })).toBeUndefined()
      expect(await store().listViews({ namespace: ['sky'], limit: 9 })).toEqual([])
      expect(await store().replaceView(replace(view))).toBe('version-mismatch')
    })
  })
}
