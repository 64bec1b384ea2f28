import type { Catalog } from '../../src/catalog/catalog.ts'
import { type CatalogEvent, EVENT_TYPES, type EventQuery } from '../../src/catalog/event-store.ts'
import { appendTo, create, newTable, openTransaction, stateOf, viewOf } from './catalog-samples.ts'

export function describeEvents(catalog: () => Catalog): void {
  const list = (query: Partial<EventQuery> = {}) =>
    catalog().events.list({ after: 0n, limit: 1_000, ...query })
  const told = async (query: Partial<EventQuery> = {}) =>
    (await list(query)).events.map(({ type, name, version }) => `${type} ${name} ${version}`)
  /**
   * Types of tables' events; in PostgreSQL events of one transaction have no order among subjects.
   */
  const ofTables = { types: EVENT_TYPES.filter((type) => type.startsWith('moraine.table.')) }
  const forget = (beforeMs: number) => catalog().events.forget({ beforeMs, nowMs: Date.now() })
  const only = async (query: Partial<EventQuery> = {}): Promise<CatalogEvent> => {
    const { events } = await list(query)
    if (events.length !== 1 || events[0] === undefined) throw new Error(`${events.length} events`)
    return events[0]
  }

  describe('events', () => {
    test('every change of a table is an event, drops too', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const commit = appendTo(state, 7n)
      await catalog().tables.commit({ tables: [commit], transactions: [] })
      const renamed = { ...commit.state, name: 'Worlds', version: 2 }
      const rename = { expectedVersion: 1, state: renamed, newSnapshots: [] }
      await catalog().tables.commit({
        tables: [{ ...rename, newLogEntries: [], addedPaths: [] }],
        transactions: [],
      })
      await catalog().tables.drop({ tableUuid, expectedVersion: 2 })
      expect(await told(ofTables)).toEqual([
        'moraine.table.created.v1 sky.planets 0',
        'moraine.table.committed.v1 sky.planets 1',
        'moraine.table.renamed.v1 sky.Worlds 2',
        'moraine.table.dropped.v1 sky.Worlds 3',
      ])
      const { events } = await list(ofTables)
      expect(new Set(events.map(({ subject }) => subject))).toEqual(new Set([tableUuid]))
      expect(events[2]?.data).toMatchObject({ before: { namespace: ['sky'], name: 'planets' } })
    })

    test('a commit that many share is one event with all their transactions', async () => {
      const state = await create(catalog(), 'planets')
      const { last } = await catalog().events.findRange()
      const transactions = [1, 2, 3].map(() => ({ transaction: openTransaction(), isNew: true }))
      const snapshotId = 2n ** 63n - 1n
      await catalog().tables.commit({ tables: [appendTo(state, snapshotId)], transactions })
      const event = await only({ after: last })
      expect(event).toMatchObject({
        type: 'moraine.table.committed.v1',
        subject: state.definition.tableUuid,
        version: 1,
        origin: {},
      })
      expect(event.data).toEqual({
        namespace: ['sky'],
        name: 'planets',
        snapshot_id: '9223372036854775807',
        schema_id: 0,
        new_snapshots: [
          {
            snapshot_id: '9223372036854775807',
            parent_snapshot_id: null,
            sequence_number: '1',
            operation: 'append',
          },
        ],
        transaction_ids: transactions.map(({ transaction }) => transaction.transactionId),
      })
    })

    test('who caused a change is kept with its event', async () => {
      const origin = { principal: 'user:ada', requestId: 'r-1', address: '192.0.2.7' }
      await catalog().tables.create(newTable(stateOf('planets')), { events: origin })
      expect((await only(ofTables)).origin).toEqual(origin)
    })

    test('what changes nothing is no event', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const { last } = await catalog().events.findRange()
      expect(await catalog().tables.create(newTable(stateOf('planets')))).toBe('already-exists')
      const stale = { ...appendTo(state, 7n), expectedVersion: 4, state: { ...state, version: 5 } }
      const outcome = await catalog().tables.commit({ tables: [stale], transactions: [] })
      expect(outcome).toEqual({ outcome: 'version-mismatch', tableUuid })
      const drop = { tableUuid, expectedVersion: 9 }
      expect(await catalog().tables.drop(drop)).toBe('version-mismatch')
      expect((await list({ after: last })).events).toEqual([])
    })

    test('a replaced table is the end of one and the beginning of another', async () => {
      const old = await create(catalog(), 'planets')
      const { last } = await catalog().events.findRange()
      const table = newTable(stateOf('planets'))
      const { tableUuid } = old.definition
      await catalog().tables.replace({ tableUuid, expectedVersion: 0, table })
      const { events } = await list({ after: last })
      const byType = new Map(events.map((event) => [event.type, event]))
      expect(byType.size).toBe(2)
      expect(byType.get('moraine.table.dropped.v1')).toMatchObject({
        subject: tableUuid,
        version: 1,
      })
      expect(byType.get('moraine.table.replaced.v1')).toMatchObject({
        subject: table.state.definition.tableUuid,
        version: 0,
        data: { replaced_table_uuid: tableUuid },
      })
    })

    test('views and namespaces have events, parents made on the way too', async () => {
      const { namespaces, views } = catalog()
      const view = viewOf('bright')
      const { viewUuid } = view
      await views.create(view)
      await views.replace({ expectedVersion: 0, state: { ...view, version: 1 } })
      const renamed = { ...view, version: 2, name: 'brighter' }
      await views.replace({ expectedVersion: 1, state: renamed })
      await views.drop(viewUuid)
      await namespaces.create({ levels: ['Deep', 'Sky'], properties: { steward: 'ada' } })
      const change = { levels: ['deep', 'sky'], updates: { a: '1' }, removals: ['steward'] }
      await namespaces.updateProperties(change)
      await namespaces.drop(['deep', 'sky'])
      const of = async (name: string) => (await told()).filter((text) => text.includes(` ${name}`))
      expect(await of('sky.bright')).toEqual([
        'moraine.view.created.v1 sky.bright 0',
        'moraine.view.replaced.v1 sky.bright 1',
        'moraine.view.renamed.v1 sky.brighter 2',
        'moraine.view.dropped.v1 sky.brighter 3',
      ])
      expect(await of('sky 0')).toEqual(['moraine.namespace.created.v1 sky 0'])
      expect(await of('Deep')).toEqual([
        'moraine.namespace.created.v1 Deep 0',
        'moraine.namespace.created.v1 Deep.Sky 0',
        'moraine.namespace.updated.v1 Deep.Sky 0',
        'moraine.namespace.dropped.v1 Deep.Sky 0',
      ])
    })

    test('a reader follows from where it was, by type and by subject', async () => {
      const planets = await create(catalog(), 'Planets')
      const moons = await create(catalog(), 'moons')
      const { tableUuid } = planets.definition
      await catalog().tables.commit({ tables: [appendTo(planets, 7n)], transactions: [] })
      const first = await list({ limit: 2 })
      expect(first.events).toHaveLength(2)
      expect(first.nextAfter).toBe(first.events[1]?.position)
      const rest = await list({ after: first.nextAfter })
      expect(rest.nextAfter).toBe(rest.last)
      const all = [...first.events, ...rest.events]
      expect(all.map(({ position }) => position)).toEqual(
        all.map((_, index) => BigInt(index) + (all[0]?.position ?? 0n)),
      )
      expect(new Set(all.map(({ eventId }) => eventId)).size).toBe(all.length)
      const dropped = await list({ types: ['moraine.table.dropped.v1'] })
      expect(dropped).toMatchObject({ events: [], nextAfter: rest.last })
      const created = ['moraine.table.created.v1 sky.moons 0']
      expect(await told({ subject: moons.definition.tableUuid })).toEqual(created)
      expect(await told({ subject: tableUuid })).toHaveLength(2)
      expect(await told({ subject: 'SKY.planets' })).toHaveLength(2)
      await create(catalog(), 'ÄRA')
      expect(await told({ subject: 'Sky.ÄRA' })).toEqual(['moraine.table.created.v1 sky.ÄRA 0'])
    })

    test('old events are forgotten from the front, and readers learn up to where', async () => {
      await create(catalog(), 'planets')
      const before = await catalog().events.findRange()
      expect(before.forgotten).toBe(0n)
      const { events } = catalog()
      expect(await forget(0)).toBe(0)
      expect(await forget(Date.now() + 60_000)).toBe(Number(before.last))
      expect(await events.findRange()).toEqual({ forgotten: before.last, last: before.last })
      await create(catalog(), 'moons')
      const page = await list({ after: before.last })
      expect(page.events[0]?.position).toBe(before.last + 1n)
      expect(page.forgotten).toBe(before.last)
    })

    test('events that nobody has read are forgotten, too', async () => {
      await create(catalog(), 'planets')
      expect(await forget(Date.now() + 60_000)).toBeGreaterThan(0)
      expect(await forget(Date.now() + 60_000)).toBe(0)
    })

    test('what is asked for outside the catalog is an event, with who asked', async () => {
      const { events } = catalog()
      const { last } = await events.findRange()
      const asked = {
        type: 'moraine.export.asked.v1' as const,
        ...{ subject: 'export:agency', name: 'agency' },
        data: { task: 'agency', asked_for: 'run' },
      }
      const origin = { principal: 'user:ada', requestId: 'r-1', address: '192.0.2.7' }
      await events.raise(asked, origin)
      await events.raise(asked, {})
      const raised = (await list({ after: last })).events
      expect(raised).toMatchObject([
        { ...asked, version: 0, origin },
        { ...asked, version: 0, origin: {} },
      ])
    })

    test('of one state there is one event, and another when it begins again', async () => {
      const { events } = catalog()
      const { last } = await events.findRange()
      const data = { task: 'agency', due_at: '2026-01-01T00:00:00.000Z' }
      const raise = (sinceMs: number, onceName = 'overdue agency', nowMs = sinceMs) =>
        events.raiseOnce({
          ...{ type: 'moraine.export.overdue.v1', subject: 'export:agency', name: 'agency' },
          ...{ data, onceName, sinceMs, nowMs },
        })
      const at5 = await Promise.all([raise(5_000), raise(5_000), raise(5_000), raise(5_000)])
      expect(at5.filter((isRaised) => isRaised)).toHaveLength(1)
      expect(await only({ after: last })).toMatchObject({
        ...{ type: 'moraine.export.overdue.v1', subject: 'export:agency', name: 'agency' },
        ...{ version: 0, origin: {}, data },
      })
      expect(await raise(5_000)).toBe(false)
      expect(await raise(4_999)).toBe(false)
      expect(await raise(5_001)).toBe(true)
      expect(await raise(4_000, 'overdue another')).toBe(true)
      // By a clock that was ahead; and of what is dated so, however often it is looked at.
      expect(await raise(3_600_000)).toBe(true)
      expect([await raise(5_002), await raise(5_002)]).toEqual([true, false])
      const dated = () => raise(3_600_000, 'overdue agency', 5_003)
      expect([await dated(), await dated()]).toEqual([true, false])
      expect((await list({ after: last, subject: 'export:agency' })).events).toHaveLength(6)
    })

    test('a cursor is where its consumer left it, whoever consumed before', async () => {
      const { events } = catalog()
      expect(await events.findCursor('sweep')).toBeUndefined()
      const save = (position: bigint, fencingToken: bigint) =>
        events.saveCursor({ name: 'sweep', position, fencingToken })
      expect(await save(5n, 7n)).toBe('saved')
      expect(await save(6n, 7n)).toBe('saved')
      expect(await save(9n, 8n)).toBe('saved')
      expect(await save(7n, 7n)).toBe('fenced')
      expect(await events.findCursor('sweep')).toBe(9n)
    })
  })
}
