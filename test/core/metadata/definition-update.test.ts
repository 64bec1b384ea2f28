import { applyTableUpdates } from '../../../src/core/metadata/apply-table-updates.ts'
import type { TableUpdate } from '../../../src/core/metadata/table-update.ts'
import { cpuMsSince } from '../../cpu-time.ts'
import { refusalOf } from '../../refusal.ts'
import {
  addSnapshot,
  BORN_MS,
  refusalFor,
  setRef,
  TableModel,
  tableOf,
  UUID,
} from './metadata-samples.ts'

const set = (updates: Record<string, string>): TableUpdate => ({
  action: 'set-properties',
  updates,
})
const upgrade = (formatVersion: number): TableUpdate => ({
  action: 'upgrade-format-version',
  formatVersion,
})

describe('the format version', () => {
  test('goes up, one or two at a time, and never down', () => {
    const model = new TableModel(tableOf(1))
    expect(model.apply([upgrade(2)]).state.definition.formatVersion).toBe(2)
    expect(model.apply([upgrade(2)]).state.definition.formatVersion).toBe(2)
    expect(model.apply([upgrade(3)]).state.definition.formatVersion).toBe(3)
    expect(new TableModel(tableOf(1)).apply([upgrade(3)]).state.definition.formatVersion).toBe(3)
    expect(refusalFor([upgrade(2)], 3)).toMatch('Cannot downgrade v3 table to v2')
    expect(refusalFor([upgrade(4)])).toMatch('Unsupported format version: v4')
    expect(refusalFor([upgrade(0)])).toMatch('Unsupported format version: v0')
  })

  test('may be said as a property, which is not stored', () => {
    const { definition } = new TableModel().apply([set({ 'format-version': '3', a: 'b' })]).state
    expect(definition.formatVersion).toBe(3)
    expect(definition.properties).not.toHaveProperty('format-version')
    expect(refusalFor([set({ 'format-version': 'two' })])).toMatch('Invalid format version: two')
  })

  test('is 2 in truth when a table of version 1 has a sequence number', () => {
    const table = { ...tableOf(1), lastSequenceNumber: 4n }
    const { state } = new TableModel(table).apply([addSnapshot(1n, 5n), setRef('main', 1n)])
    expect(state.definition.formatVersion).toBe(2)
    expect(state.lastSequenceNumber).toBe(5n)
  })
})

describe('properties', () => {
  test('are set and removed, whatever they are called', () => {
    const updates = JSON.parse('{"a": "1", "__proto__": "x", "constructor": "y"}')
    const model = new TableModel().apply([set(updates)])
    expect(Object.entries(model.state.definition.properties)).toEqual(
      expect.arrayContaining([
        ['a', '1'],
        ['__proto__', 'x'],
        ['constructor', 'y'],
      ]),
    )
    const removals = ['a', '__proto__', 'never']
    model.apply([{ action: 'remove-properties', removals }])
    expect(Object.keys(model.state.definition.properties)).toEqual(
      expect.not.arrayContaining(['a', '__proto__']),
    )
  })

  test('that are reserved are not stored', () => {
    const { state } = new TableModel().apply([set({ uuid: 'x', 'current-schema': '{}' })])
    expect(state).toEqual(tableOf())
  })

  test("of Moraine's own stay readable for /v1", () => {
    expect(refusalFor([set({ 'moraine.metadata': 'no json' })])).toMatch('moraine.metadata')
    expect(refusalFor([set({ 'moraine.metadata': 'null' })])).toMatch('moraine.metadata')
    expect(refusalFor([set({ 'moraine.column-aliases': '{"1": "a"}' })])).toMatch('lists of names')
    expect(refusalFor([set({ 'moraine.column-aliases': 'null' })])).toMatch("Moraine's own")
    expect(refusalFor([set({ 'moraine.disposition': 'x' })])).toMatch('snapshot or continuous')
    const fine = set({
      'moraine.metadata': '{"a": 1}',
      'moraine.column-aliases': '{"1": ["b"]}',
      'moraine.disposition': 'continuous',
    })
    expect(() => new TableModel().apply([fine])).not.toThrow()
  })

  test('are bounded', () => {
    const many = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`k${i}`, '']))
    expect(refusalFor([set(many)])).toMatch('at most 10000 properties')
  })
})

describe('the location and uuid', () => {
  test('the location is kept verbatim, except for slashes at the end', () => {
    const at = (location: string) =>
      new TableModel().apply([{ action: 'set-location', location }]).state.definition.location
    expect(at('file:/a/b c/%20//')).toBe('file:/a/b c/%20')
    expect(at('s3://')).toBe('s3://')
    expect(refusalFor([{ action: 'set-location', location: '//' }])).toMatch('it is empty')
  })

  test('a uuid is assigned again only if it is the same', () => {
    const { state } = new TableModel().apply([{ action: 'assign-uuid', uuid: UUID.toUpperCase() }])
    expect(state.definition.tableUuid).toBe(UUID)
    const uuid = 'aaaaaaaa-03fe-4693-9a96-a0705ddf69c1'
    expect(refusalFor([{ action: 'assign-uuid', uuid }])).toMatch('Cannot reassign uuid')
  })
})

describe('statistics and keys', () => {
  const json = { 'snapshot-id': 2n ** 60n, 'statistics-path': 'p' }

  test('statistics are kept as they are, one of a kind for each snapshot', () => {
    const id = 2n ** 60n
    const model = new TableModel().apply([
      addSnapshot(id, 1n),
      { action: 'set-statistics', snapshotId: id, statistics: { ...json, old: true } },
      { action: 'set-statistics', snapshotId: id, statistics: json },
      { action: 'set-partition-statistics', snapshotId: id, statistics: json },
    ])
    const { definition } = model.state
    expect(definition.statistics).toEqual({ [String(id)]: json })
    expect(definition.partitionStatistics).toEqual({ [String(id)]: json })
    const after = model.apply([
      { action: 'remove-statistics', snapshotId: id },
      { action: 'remove-partition-statistics', snapshotId: id },
      { action: 'remove-statistics', snapshotId: 4n },
    ]).state.definition
    expect(after).toEqual(tableOf().definition)
  })

  test.each(['set-statistics', 'set-partition-statistics'] as const)(
    '%s is refused for a snapshot that there is not',
    (action) => {
      expect(refusalFor([{ action, snapshotId: 5n, statistics: json }])).toMatch(
        'Cannot set statistics of unknown snapshot: 5',
      )
    },
  )

  test('an encryption key is added once, and removed', () => {
    const add = (encryptionKey: object): TableUpdate => ({
      action: 'add-encryption-key',
      keyId: 'k',
      encryptionKey: { ...encryptionKey },
    })
    expect(refusalFor([add({})], 2)).toMatch('not supported until v3')
    expect(refusalFor([add({ a: 1 }), add({ a: 2 })], 3)).toMatch('Cannot change encryption key: k')
    const model = new TableModel(tableOf(3)).apply([add({ a: 2n ** 60n }), add({ a: 2n ** 60n })])
    expect(model.state.definition.encryptionKeys).toEqual({ k: { a: 2n ** 60n } })
    model.apply([{ action: 'remove-encryption-key', keyId: 'k' }])
    expect(model.state.definition).not.toHaveProperty('encryptionKeys')
  })
})

describe('a batch of updates', () => {
  test('that changes nothing returns the very state it was given', () => {
    const base = tableOf()
    const nothing: TableUpdate[] = [
      set({}),
      upgrade(2),
      { action: 'set-location', location: 's3://bucket/planets/' },
      { action: 'add-sort-order', sortOrder: { fields: [] } },
      { action: 'remove-snapshots', snapshotIds: [4n] },
      { action: 'remove-snapshot-ref', refName: 'main' },
    ]
    const change = applyTableUpdates(base, nothing, { nowMs: BORN_MS + 5 })
    expect(change.state).toBe(base)
    expect(change).toMatchObject({ newSnapshots: [], removedSnapshotIds: [], newLogEntries: [] })
  })

  test('takes a new time, and leaves the version to the commit', () => {
    const { state } = new TableModel().apply([set({ a: 'b' })], 3)
    expect(state).toMatchObject({ lastUpdatedMs: BORN_MS + 1, version: 7 })
  })

  test('is refused as a whole, and says where', () => {
    const model = new TableModel()
    const { state } = model
    const error = refusalOf(() => model.apply([set({ a: 'b' }), setRef('b', 4n)]))
    expect(error.facts).toEqual({ action: 'set-snapshot-ref', index: 1 })
    expect(model.state).toBe(state)
  })

  test('of 5,000 is applied in well under a second of processor time', () => {
    const spec = (i: number): TableUpdate => ({
      action: 'add-spec',
      spec: { fields: [{ name: `p${i}`, sourceId: 1, transform: { kind: 'truncate', width: i } }] },
    })
    const kinds: readonly ((i: number) => TableUpdate)[] = [
      (i) => set({ [`k${i}`]: 'v' }),
      (i) => addSnapshot(BigInt(i), BigInt(i)),
      (i) => setRef(`b${i}`, 1n),
      spec,
      (i) => ({ action: 'set-statistics', snapshotId: 1n, statistics: { i } }),
    ]
    const updates = Array.from({ length: 5_000 }, (_, i) =>
      (kinds[i === 0 ? 1 : i % kinds.length] ?? spec)(i + 1),
    )
    const before = process.cpuUsage()
    const { state } = new TableModel().apply(updates)
    expect(cpuMsSince(before)).toBeLessThan(1_000)
    expect(state.definition.partitionSpecs).toHaveLength(1_001)
  })
})
