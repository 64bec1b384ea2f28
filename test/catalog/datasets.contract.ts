import { randomUUID } from 'node:crypto'
import type { Catalog } from '../../src/catalog/catalog.ts'
import type { NewDataset } from '../../src/catalog/dataset-store.ts'
import type { NewTable } from '../../src/catalog/table-store.ts'
import type { TableState } from '../../src/core/table/table.ts'
import { appendTo, create, definitionOf, newTable, snapshotOf, stateOf } from './catalog-samples.ts'

const CARD = { title: 'Planets', description: null, creators: [], license: null, keywords: ['a'] }
const FACTS = { rows: 3, files: 1, bytes: 9, snapshotAtMs: 2_000, schemaId: 0, columns: [] }
const HIDDEN = { namespace: ['moraine$datasets'], name: 'planets_v1' }

export function describeDatasets(catalog: () => Catalog): void {
  const datasets = () => catalog().datasets

  /** A table with one snapshot, of id 7. */
  async function sourceOf(name: string): Promise<TableState> {
    const state = await create(catalog(), name)
    const commit = appendTo(state, 7n, [`file:///warehouse/${name}.parquet`])
    await catalog().tables.commit({ tables: [commit], transactions: [] })
    return commit.state
  }

  function cloneOf(source: TableState, tableUuid: string): NewTable {
    const snapshot = snapshotOf(7n, { timestampMs: source.lastUpdatedMs })
    const state = stateOf('any', { definition: definitionOf(tableUuid), currentSnapshot: snapshot })
    return newTable(state, {
      snapshots: [snapshot],
      copyPathsFromTableUuid: source.definition.tableUuid,
    })
  }

  function wish(source: TableState, overrides: Partial<NewDataset> = {}): NewDataset {
    const tableUuid = randomUUID()
    return {
      ...{ tableUuid, name: 'planets', identity: 'i1', snapshotId: 7n, card: CARD, facts: FACTS },
      ...{ sourceUuid: source.definition.tableUuid, sourceName: 'sky.planets' },
      ...{ query: undefined, createdAtMs: 1_000, expiresAtMs: 5_000 },
      table: cloneOf(source, tableUuid),
      ...overrides,
    }
  }

  describe('datasets', () => {
    test('formats are to be made until it is ready, and none is added then', async () => {
      const source = await sourceOf('planets')
      const facts = { ...FACTS, preparing: ['csv'] }
      const { dataset } = await datasets().create(wish(source, { facts, table: undefined }))
      const { tableUuid } = dataset
      const preparing = async (change: object) =>
        (await datasets().prepare({ tableUuid, ...change }))?.facts.preparing
      expect(await preparing({ add: ['arrow', 'csv'] })).toEqual(['csv', 'arrow'])
      await datasets().finish({ tableUuid, table: cloneOf(source, tableUuid), facts: FACTS })
      expect(await datasets().find({ tableUuid })).toMatchObject({
        state: 'ready',
        facts: { ...FACTS, preparing: ['csv', 'arrow'] },
      })
      expect(await preparing({ remove: ['csv'], add: ['xml'] })).toEqual(['arrow', 'xml'])
      expect(await preparing({ remove: ['xml', 'arrow', 'json'] })).toBeUndefined()
      expect(await preparing({ add: ['csv'] })).toBeUndefined()
      expect(await datasets().find({ tableUuid })).toMatchObject({ facts: FACTS })
      expect(await datasets().prepare({ tableUuid: randomUUID() })).toBeUndefined()
    })

    test('one that is made has a hidden table, which no list shows', async () => {
      const source = await sourceOf('planets')
      const { outcome, dataset } = await datasets().create(wish(source))
      expect(outcome).toBe('created')
      expect(dataset).toMatchObject({ version: 1, state: 'ready', card: CARD, facts: FACTS })
      expect(dataset.securable).toBe(source.definition.tableUuid)
      expect(await datasets().find({ name: 'Planets', nowMs: 0 })).toEqual(dataset)
      expect(await datasets().find({ tableUuid: dataset.tableUuid })).toEqual(dataset)
      expect(await catalog().tables.find(HIDDEN)).toMatchObject({
        ...HIDDEN,
        currentSnapshot: { snapshotId: 7n },
      })
      const shown = await catalog().tables.list({ limit: 10 })
      expect(shown.map(({ name }) => name)).toEqual(['planets'])
      const within = { namespace: HIDDEN.namespace, limit: 10 }
      expect(await catalog().tables.list(within)).toEqual([])
      const all = await catalog().tables.list({ limit: 10, withDatasets: true })
      expect(all.map(({ name }) => name).sort()).toEqual(['planets', 'planets_v1'])
      const namespaces = await catalog().namespaces.listChildren({ parent: [], limit: 10 })
      expect(namespaces).toEqual([['sky']])
    })

    test('asked twice it is one, and lives as long as the longer of the two', async () => {
      const source = await sourceOf('planets')
      const asked = await Promise.all(
        [5_000, 9_000, 7_000].map((expiresAtMs) =>
          datasets().create(wish(source, { expiresAtMs })),
        ),
      )
      expect(asked.map(({ outcome }) => outcome).sort()).toEqual(['created', 'exists', 'exists'])
      expect(new Set(asked.map(({ dataset }) => dataset.tableUuid)).size).toBe(1)
      expect(await datasets().listVersions('planets', 10)).toMatchObject([{ expiresAtMs: 9_000 }])
    })

    test('the same name with other rows is the next version', async () => {
      const source = await sourceOf('planets')
      const versions = await Promise.all(
        ['i1', 'i2', 'i3'].map((identity) => datasets().create(wish(source, { identity }))),
      )
      expect(versions.map(({ dataset }) => dataset.version).sort()).toEqual([1, 2, 3])
      const listed = await datasets().list({ limit: 2, nowMs: 0 })
      expect(listed.map(({ version }) => version)).toEqual([1, 2])
      const [, after] = listed
      const rest = await datasets().list({ limit: 2, nowMs: 0, ...(after && { after }) })
      expect(rest.map(({ version }) => version)).toEqual([3])
      expect(await datasets().find({ name: 'planets', nowMs: 0 })).toMatchObject({ version: 3 })
      expect(await datasets().find({ name: 'planets', version: 2 })).toMatchObject({ version: 2 })
    })

    test('one that is to follow a version is refused if another one came before it', async () => {
      const source = await sourceOf('planets')
      const follow = (identity: string, follows: number) =>
        datasets().create(wish(source, { identity, follows }))
      const asked = await Promise.all(['i1', 'i2', 'i3'].map((identity) => follow(identity, 0)))
      expect(asked.map(({ outcome }) => outcome).sort()).toEqual([
        ...['created', 'overtaken', 'overtaken'],
      ])
      const [made] = await datasets().listVersions('planets', 9)
      expect(asked.map(({ dataset }) => dataset.tableUuid)).toEqual(
        asked.map(() => made?.tableUuid),
      )
      const { identity = '' } = made ?? {}
      expect(await follow(identity, 0)).toMatchObject({ outcome: 'exists' })
      expect(await follow('i4', 1)).toMatchObject({ dataset: { version: 2 } })
    })

    test('texts of a card are corrected, all others stay, and an event tells of it', async () => {
      const source = await sourceOf('planets')
      const { tableUuid } = (await datasets().create(wish(source))).dataset
      const before = await datasets().find({ tableUuid })
      const card = { title: null, license: 'CC0-1.0' }
      const changed = await datasets().describe({ tableUuid, card })
      expect(changed).toEqual({ ...before, card: { ...CARD, ...card } })
      expect(await datasets().find({ tableUuid })).toEqual(changed)
      const { events } = await catalog().events.list({
        ...{ after: 0n, types: ['moraine.dataset.changed.v1'], limit: 9 },
      })
      expect(events).toMatchObject([{ subject: tableUuid, data: { before: CARD } }])
    })

    test('one of several sources is seen by who sees all of them', async () => {
      const source = await sourceOf('planets')
      const other = await sourceOf('moons')
      const { tableUuid: first } = source.definition
      const { tableUuid: second } = other.definition
      const made = await datasets().create(wish(source, { otherSources: [second, first] }))
      expect(made.dataset).toMatchObject({ securable: first, otherSecurables: [second] })
      const { tableUuid } = made.dataset
      expect(await datasets().find({ tableUuid })).toMatchObject({ otherSecurables: [second] })
      // One that is made of it is read by the same tables.
      const again = wish(source, { name: 'again', sourceUuid: tableUuid })
      expect((await datasets().create(again)).dataset).toMatchObject({
        ...{ securable: first, otherSecurables: [second] },
      })
      const { grants, tables } = catalog()
      const grant = (securable: string, name: string, isRevoked = false) => {
        const these = [{ principal: 'key:ada', privilege: 'select' } as const]
        const changed = isRevoked ? { grant: [], revoke: these } : { grant: these, revoke: [] }
        return grants.change({ securable, name, ...changed, nowMs: 1 })
      }
      const readBy = { principals: ['key:ada'], everywhere: 'none' } as const
      const seen = async () =>
        (await datasets().list({ limit: 9, nowMs: 0, readBy })).map(({ name }) => name)
      await grant(first, 'sky.planets')
      expect(await seen()).toEqual([])
      await grant(second, 'sky.moons')
      expect(await seen()).toEqual(['again', 'planets'])
      // Who could read the other one when it was dropped reads it still.
      await tables.drop({ tableUuid: second, expectedVersion: other.version })
      expect(await seen()).toEqual(['again', 'planets'])
      await grant(first, 'sky.planets', true)
      expect(await seen()).toEqual([])
    })

    test('the list of who reads has nothing described only, or withheld by a policy', async () => {
      const source = await sourceOf('planets')
      const { tableUuid } = source.definition
      await datasets().create(wish(source))
      const { grants, policies } = catalog()
      const change = { securable: tableUuid, name: 'sky.planets', revoke: [], nowMs: 1 }
      const give = (principal: string, privilege: 'describe' | 'select' | 'own') =>
        grants.change({ ...change, grant: [{ principal, privilege }] })
      await give('key:ada', 'select')
      await give('key:bob', 'describe')
      await give('key:cid', 'own')
      type Everywhere = 'none' | 'kept' | 'all'
      const seen = async (principals: readonly string[], everywhere: Everywhere = 'none') =>
        (await datasets().list({ limit: 9, nowMs: 0, readBy: { principals, everywhere } })).length
      const all = async () => [
        ...[await seen(['key:ada']), await seen(['key:bob']), await seen(['key:cid'])],
        ...[await seen(['key:dan'], 'kept'), await seen(['key:dan', 'role:x'], 'all')],
        await seen([]),
      ]
      expect(await all()).toEqual([1, 0, 1, 1, 1, 0])
      const policy = { rowFilter: 'id > 1', except: ['key:cid', 'role:x'] }
      await policies.change({ tableUuid, name: 'sky.planets', policy })
      expect(await all()).toEqual([0, 0, 1, 0, 1, 0])
      await policies.change({ tableUuid, name: 'sky.planets', policy: { ...policy, except: [] } })
      expect(await all()).toEqual([0, 0, 0, 0, 0, 0])
    })

    test('who could read a dropped table is known as long as datasets of it live', async () => {
      const source = await sourceOf('planets')
      const { tableUuid: uuid } = source.definition
      const { tableUuid } = (await datasets().create(wish(source))).dataset
      const { grants, tables } = catalog()
      const place = await grants.findPlace({ kind: 'namespace', levels: ['sky'] })
      const grant = (securable: string, principal: string, privilege: 'select' | 'create') =>
        grants.change({
          ...{ securable, name: 'sky', grant: [{ principal, privilege }], revoke: [], nowMs: 1 },
        })
      await grant(place?.uuid ?? '', 'key:ada', 'select')
      await grant(place?.uuid ?? '', 'key:eve', 'create')
      await grant(uuid, 'key:bob', 'select')
      await tables.drop({ tableUuid: uuid, expectedVersion: source.version })
      const kept = () => grants.listOn([`dropped:${uuid}`])
      const readers = async () => (await kept()).map(({ principal }) => principal).sort()
      expect(await readers()).toEqual(['key:ada', 'key:bob'])
      const seen = (principal: string) =>
        datasets().list({
          ...{ limit: 9, nowMs: 1, readBy: { principals: [principal], everywhere: 'none' } },
        })
      expect(await seen('key:ada')).toHaveLength(1)
      expect(await seen('key:eve')).toHaveLength(0)
      const forget = () => grants.forgetOrphans({ nowMs: 9_000, beforeMs: 9_001 })
      await forget()
      expect(await readers()).toEqual(['key:ada', 'key:bob'])
      await datasets().end({ tableUuid, nowMs: 9_000 })
      await forget()
      await forget()
      expect(await readers()).toEqual([])
    })

    test('one that has expired is told apart, ended, and made again', async () => {
      const source = await sourceOf('planets')
      const { dataset } = await datasets().create(wish(source))
      const late = { createdAtMs: 6_000, expiresAtMs: 9_000 }
      expect(await datasets().create(wish(source, late))).toMatchObject({ outcome: 'expired' })
      expect(await datasets().list({ limit: 2, nowMs: 6_000 })).toEqual([])
      const { tableUuid } = dataset
      expect(await datasets().listDue({ beforeMs: 5_000, limit: 9 })).toEqual([])
      expect(await datasets().listDue({ beforeMs: 5_001, limit: 9 })).toMatchObject([{ tableUuid }])
      const ending = { tableUuid, nowMs: 6_000 }
      expect(await datasets().end({ ...ending, ifExpiredBy: 4_999 })).toBe('not-living')
      expect(await datasets().end({ ...ending, ifExpiredBy: 6_000 })).toBe('changed')
      expect(await datasets().end(ending)).toBe('not-living')
      expect(await catalog().tables.find(HIDDEN)).toBeUndefined()
      expect(await datasets().find({ name: 'planets', version: 1 })).toMatchObject({
        ...{ state: 'expired', endedAtMs: 6_000, card: CARD },
      })
      const again = await datasets().create(wish(source, late))
      expect(again).toMatchObject({ outcome: 'created', dataset: { version: 2 } })
    })

    test('one that is published lives for ever, under privileges of its own', async () => {
      const source = await sourceOf('planets')
      const { dataset } = await datasets().create(wish(source))
      const { tableUuid } = dataset
      const events = { principal: 'key:ada' }
      expect(await datasets().publish({ tableUuid, nowMs: 3_000 }, { events })).toBe('changed')
      expect(await datasets().publish({ tableUuid, nowMs: 4_000 }, { events })).toBe('not-living')
      expect(await datasets().find({ tableUuid })).toMatchObject({
        ...{ publishedAtMs: 3_000, expiresAtMs: undefined, securable: tableUuid },
      })
      const own = { securable: tableUuid, principal: 'key:ada', privilege: 'own' }
      expect(await catalog().grants.listAll()).toMatchObject([own])
    })

    test('nobody owns the hidden table before', async () => {
      const source = await sourceOf('planets')
      await datasets().create(wish(source), { events: { principal: 'key:ada' } })
      expect(await catalog().grants.listAll()).toEqual([])
    })

    test('one that is queued becomes ready once, or fails and may be asked for again', async () => {
      const source = await sourceOf('planets')
      const queue = () => datasets().create(wish(source, { table: undefined }))
      const first = (await queue()).dataset
      expect(first).toMatchObject({ state: 'queued' })
      const problem = { code: 'engine-failed', detail: 'no memory' }
      const { tableUuid } = first
      expect(await datasets().finish({ tableUuid, problem, nowMs: 2_000 })).toBe('finished')
      expect(await datasets().find({ tableUuid })).toMatchObject({ state: 'failed', problem })
      const second = (await queue()).dataset
      expect(second.version).toBe(2)
      const table = cloneOf(source, second.tableUuid)
      const finish = { tableUuid: second.tableUuid, table, facts: { ...FACTS, rows: 2 } }
      expect(await datasets().finish(finish)).toBe('finished')
      expect(await datasets().finish(finish)).toBe('not-queued')
      const ready = await datasets().find({ tableUuid: second.tableUuid })
      expect(ready).toMatchObject({ state: 'ready', facts: { rows: 2 } })
      const hidden = { ...HIDDEN, name: 'planets_v2' }
      expect(await catalog().tables.find(hidden)).toMatchObject(hidden)
    })

    test('without its source there is no dataset', async () => {
      const source = await sourceOf('planets')
      const { tableUuid } = source.definition
      await catalog().tables.drop({ tableUuid, expectedVersion: source.version })
      await expect(datasets().create(wish(source))).rejects.toMatchObject({
        code: 'table-not-found',
      })
      expect(await datasets().listVersions('planets', 9)).toEqual([])
    })

    test('of a name the newest that was published is found, and what has an identity', async () => {
      const source = await sourceOf('planets')
      const uuids: string[] = []
      for (const identity of ['i1', 'i2', 'i3', 'i4']) {
        uuids.push((await datasets().create(wish(source, { identity }))).dataset.tableUuid)
      }
      const published = async () =>
        (await datasets().find({ name: 'Planets', isPublished: true }))?.version
      expect(await published()).toBeUndefined()
      for (const tableUuid of uuids.slice(1, 3)) await datasets().publish({ tableUuid, nowMs: 2 })
      expect(await published()).toBe(3)
      await datasets().end({ tableUuid: uuids[2] ?? '', nowMs: 3 })
      expect(await published()).toBe(2)
      const withIdentity = async (identity: string) =>
        (await datasets().find({ name: 'Planets', identity }))?.version
      expect(await withIdentity('i2')).toBe(2)
      expect(await withIdentity('i3')).toBeUndefined()
      expect(await datasets().find({ name: 'moons', identity: 'i2' })).toBeUndefined()
      await datasets().end({ tableUuid: uuids[1] ?? '', nowMs: 4 })
      expect(await published()).toBe(3)
    })

    test('nobody else makes, changes, renames or drops what is there', async () => {
      const source = await sourceOf('planets')
      const { dataset } = await datasets().create(wish(source))
      const hidden = await catalog().tables.find(HIDDEN)
      if (hidden === undefined) throw new Error('there is no hidden table')
      const { tableUuid } = dataset
      const refused = { code: 'dataset-immutable' }
      const { tables, namespaces, views } = catalog()
      const commit = (state: TableState) => {
        const change = { ...appendTo(state, 8n), keepsMetadata: true }
        return tables.commit({ tables: [change], transactions: [] })
      }
      const moved = { ...hidden, namespace: ['sky'], name: 'mine' }
      const into = { ...source, namespace: ['Moraine$Datasets', 'deeper'] }
      const table = newTable(stateOf('mine', { namespace: ['MORAINE$datasets'] }))
      const view = {
        ...{ namespace: HIDDEN.namespace, name: 'v', viewUuid: randomUUID(), version: 0 },
        ...{ metadata: '{}', metadataLocation: 'file:///v', createdAtMs: 1, lastUpdatedMs: 1 },
      }
      const levels = HIDDEN.namespace
      const change = { levels, updates: { a: 'b' }, removals: [] }
      const replacement = { tableUuid, expectedVersion: 0, table: newTable(stateOf('mine')) }
      for (const attempt of [
        () => commit(hidden),
        () => commit(moved),
        () => commit(into),
        () => tables.create(table),
        () => tables.replace(replacement),
        () => tables.drop({ tableUuid, expectedVersion: 0 }),
        () => views.create(view),
        () => namespaces.create({ levels: [...levels, 'below'], properties: {} }),
        () => namespaces.updateProperties(change),
        () => namespaces.drop(levels),
      ]) {
        await expect(attempt()).rejects.toMatchObject(refused)
      }
      expect(await catalog().tables.find(HIDDEN)).toEqual(hidden)
    })
  })
}
