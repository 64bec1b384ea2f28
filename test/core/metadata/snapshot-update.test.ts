import { snapshotIdsMentioned, type TableUpdate } from '../../../src/core/metadata/table-update.ts'
import type { SnapshotRef } from '../../../src/core/table/snapshot.ts'
import { refusalOf } from '../../refusal.ts'
import {
  addSnapshot,
  BORN_MS,
  field,
  schemaOf,
  setRef,
  snapshotOf,
  TableModel,
  tableOf,
} from './metadata-samples.ts'

const STATISTICS = { 'statistics-path': 's3://bucket/a.puffin' }

function refOf(refName: string, ref: Partial<SnapshotRef>): TableUpdate {
  const full: SnapshotRef = { type: 'branch', snapshotId: 1n, ...ref }
  return { action: 'set-snapshot-ref', refName, ref: full }
}

const remove = (...snapshotIds: bigint[]): TableUpdate => ({
  action: 'remove-snapshots',
  snapshotIds,
})

/** Snapshots 1 and 2, one after the other on main. */
function grown(version: 2 | 3 = 2): TableModel {
  const rows = (firstRowId: bigint) => (version === 3 ? { firstRowId, addedRows: 10n } : {})
  return new TableModel(tableOf(version))
    .apply([addSnapshot(1n, 1n, rows(0n)), setRef('main', 1n)])
    .apply([addSnapshot(2n, 2n, { parentSnapshotId: 1n, ...rows(10n) }), setRef('main', 2n)])
}

describe('add-snapshot', () => {
  test('logs the time that its writer gave, if it is new and not of the future', () => {
    const model = new TableModel()
      .apply([addSnapshot(1n, 1n, { timestampMs: BORN_MS + 20 }), setRef('main', 1n)], BORN_MS + 50)
      .apply([addSnapshot(2n, 2n, { timestampMs: BORN_MS + 20_000 }), setRef('main', 2n)])
      .apply([addSnapshot(3n, 3n, { timestampMs: BORN_MS + 900 })], BORN_MS + 60)
      .apply([setRef('main', 3n)], BORN_MS + 990)
    expect(model.log).toEqual([
      { timestampMs: BORN_MS + 20, snapshotId: 1n },
      { timestampMs: BORN_MS + 51, snapshotId: 2n },
      // It was there before it became the current one.
      { timestampMs: BORN_MS + 990, snapshotId: 3n },
    ])
    const ahead = model.apply(
      [addSnapshot(4n, 4n, { timestampMs: BORN_MS + 2_000 }), setRef('main', 4n)],
      BORN_MS + 1_000,
    )
    expect(ahead.log.at(-1)).toEqual({ timestampMs: BORN_MS + 2_000, snapshotId: 4n })
    expect(ahead.state.lastUpdatedMs).toBe(BORN_MS + 2_000)
  })

  test.each([2n ** 62n + 1n, 2n ** 63n - 1n])(
    'with the number %s, after which none come, is refused',
    (number) => {
      const { code, message } = refusalOf(() => new TableModel().apply([addSnapshot(1n, number)]))
      expect(code).toBe('update-invalid')
      expect(message).toContain(
        `Invalid sequence-number: ${number} leaves no room for later commits`,
      )
      const high = new TableModel().apply([addSnapshot(1n, 2n ** 62n)])
      expect(high.state.lastSequenceNumber).toBe(2n ** 62n)
    },
  )

  test('of a time before the last entry is logged with the time of the commit', () => {
    const model = new TableModel().apply(
      [addSnapshot(1n, 1n, { timestampMs: 5 }), setRef('main', 1n)],
      BORN_MS + 50,
    )
    expect(model.snapshots.get(1n)?.timestampMs).toBe(5)
    expect(model.state.currentSnapshot).toBe(model.snapshots.get(1n))
    expect(model.log).toEqual([{ timestampMs: BORN_MS + 50, snapshotId: 1n }])
    expect(model.state).toMatchObject({ lastUpdatedMs: BORN_MS + 50, lastSequenceNumber: 1n })
  })

  test('logs strictly later times even when the clock goes back', () => {
    const { log, state } = grown().apply([setRef('main', 1n)], 12)
    expect(log).toEqual([
      { timestampMs: BORN_MS + 1, snapshotId: 1n },
      { timestampMs: BORN_MS + 2, snapshotId: 2n },
      { timestampMs: BORN_MS + 3, snapshotId: 1n },
    ])
    expect(state.lastUpdatedMs).toBe(BORN_MS + 3)
  })

  test('is of the current schema unless it says another', () => {
    const model = new TableModel().apply([
      { action: 'add-schema', schema: schemaOf(field(1, 'id')) },
      { action: 'set-current-schema', schemaId: -1 },
      addSnapshot(1n, 1n),
      addSnapshot(2n, 2n, { schemaId: 0 }),
    ])
    expect([...model.snapshots.values()].map((s) => s.schemaId)).toEqual([1, 0])
  })

  test('leaves the definition as it was, so that nobody writes it again', () => {
    const before = tableOf()
    expect(
      new TableModel(before).apply([addSnapshot(1n, 1n), setRef('main', 1n)]).state.definition,
    ).toBe(before.definition)
  })

  test.each<[string, TableUpdate, string]>([
    ['a known id', addSnapshot(2n, 3n), 'Snapshot already exists for id: 2'],
    ['a negative id', addSnapshot(-1n, 3n), 'Invalid snapshot id: -1'],
    ['an unknown schema', addSnapshot(3n, 3n, { schemaId: 8 }), 'unknown schema: 8'],
    ['a time before 1970', addSnapshot(3n, 3n, { timestampMs: -1 }), 'Invalid snapshot timestamp'],
    ['a time after 9999', addSnapshot(3n, 3n, { timestampMs: 8e15 }), 'Invalid snapshot timestamp'],
    ['a negative sequence number', addSnapshot(3n, -4n), 'Invalid sequence number: -4'],
  ])('with %s is refused', (_what, update, message) => {
    const { code, message: found } = refusalOf(() => grown().apply([update]))
    expect(code).toBe('update-invalid')
    expect(found).toMatch(message)
  })

  test('with a sequence number that others took is a conflict, to be tried again', () => {
    const stale = addSnapshot(3n, 2n, { parentSnapshotId: 1n })
    expect(refusalOf(() => grown().apply([stale]))).toMatchObject({
      code: 'commit-conflict',
      message:
        'Cannot add snapshot with sequence number 2 older than last sequence number 2' +
        ' (updates[0], add-snapshot)',
      facts: { action: 'add-snapshot', index: 0 },
    })
  })

  test('without a parent replaces the table, even behind its sequence numbers', () => {
    const model = grown().apply([addSnapshot(3n, 1n), setRef('main', 3n)])
    expect(model.state.lastSequenceNumber).toBe(2n)
    expect(model.state.currentSnapshot?.snapshotId).toBe(3n)
  })

  test('has no sequence number in version 1', () => {
    const model = new TableModel(tableOf(1))
    expect(refusalOf(() => model.apply([addSnapshot(1n, 1n)])).message).toMatch(
      'must be 0 in v1: 1',
    )
    model.apply([addSnapshot(1n, 0n), addSnapshot(2n, 0n, { parentSnapshotId: 1n })])
    expect(model.state.lastSequenceNumber).toBe(0n)
  })

  test('in version 3 takes row ids from where the table stands', () => {
    const model = grown(3)
    expect(model.state.definition.nextRowId).toBe(20n)
    const third = (more: object) => addSnapshot(3n, 3n, { parentSnapshotId: 2n, ...more })
    expect(
      model.apply([third({ firstRowId: 25n, addedRows: 2n ** 60n })]).state.definition.nextRowId,
    ).toBe(25n + 2n ** 60n)
    const refusal = (more: object) => refusalOf(() => grown(3).apply([third(more)]))
    expect(refusal({ firstRowId: 19n, addedRows: 1n })).toMatchObject({ code: 'commit-conflict' })
    expect(refusal({ firstRowId: 19n, addedRows: 1n }).message).toMatch('row-id: 19 < 20')
    expect(refusal({ addedRows: 1n }).message).toMatch('first-row-id is null')
    expect(refusal({ firstRowId: 20n }).message).toMatch('added-rows is null')
    expect(refusal({ firstRowId: 20n, addedRows: -1n }).message).toMatch('Invalid added-rows: -1')
    expect(refusal({ firstRowId: 20n, addedRows: 2n ** 63n }).code).toBe('update-invalid')
    const endless = refusal({ firstRowId: 20n, addedRows: 2n ** 62n - 19n })
    expect(endless).toMatchObject({ code: 'update-invalid' })
    expect(endless.message).toContain(
      'first-row-id + added-rows: 4611686018427387905 leaves no room',
    )
    expect(refusal({ firstRowId: 2n ** 63n - 1n, addedRows: 0n }).message).toContain('no room')
  })
})

describe('refs', () => {
  test('a snapshot that is current only between two updates of a commit has no log entry', () => {
    const { log } = new TableModel().apply([
      addSnapshot(1n, 1n),
      setRef('main', 1n),
      addSnapshot(2n, 2n, { parentSnapshotId: 1n }),
      setRef('main', 2n),
    ])
    expect(log.map((entry) => entry.snapshotId)).toEqual([2n])
  })

  test('keep their retention, on main too', () => {
    const main = refOf('main', { snapshotId: 2n, minSnapshotsToKeep: 3, maxRefAgeMs: 9 })
    const model = grown().apply([main, refOf('t', { type: 'tag', maxRefAgeMs: 4 })])
    expect(model.state.definition.mainRetention).toEqual({ minSnapshotsToKeep: 3, maxRefAgeMs: 9 })
    expect(model.state.refs['t']).toEqual({ type: 'tag', snapshotId: 1n, maxRefAgeMs: 4 })
    expect(model.apply([setRef('main', 2n)]).state.definition).not.toHaveProperty('mainRetention')
  })

  test('that are set to what they are change nothing', () => {
    const model = grown().apply([refOf('b', { maxSnapshotAgeMs: 5 })])
    const { state } = model
    expect(model.apply([refOf('b', { maxSnapshotAgeMs: 5 }), setRef('main', 2n)]).state).toBe(state)
  })

  test.each<[string, TableUpdate, string]>([
    ['an unknown snapshot', refOf('b', { snapshotId: 9n }), 'Cannot set b to unknown snapshot: 9'],
    ['main as a tag', refOf('main', { type: 'tag' }), 'Cannot make main a tag'],
    ['no name', refOf('', {}), 'Invalid ref name'],
    [
      'a tag with snapshots to keep',
      refOf('t', { type: 'tag', minSnapshotsToKeep: 1 }),
      'Tags do not',
    ],
    ['a tag with a snapshot age', refOf('t', { type: 'tag', maxSnapshotAgeMs: 1 }), 'Tags do not'],
    ['no snapshot to keep', refOf('b', { minSnapshotsToKeep: 0 }), 'greater than 0'],
    ['no snapshot age', refOf('b', { maxSnapshotAgeMs: 0 }), 'greater than 0 ms'],
    ['no ref age', refOf('b', { maxRefAgeMs: -1 }), 'Max reference age'],
  ])('with %s are refused', (_what, update, message) => {
    expect(refusalOf(() => grown().apply([update])).message).toMatch(message)
  })

  test('are bounded, in number and in length of name', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => setRef(`b${i}`, 1n))
    const model = grown().apply(many)
    expect(refusalOf(() => model.apply([setRef('one-more', 1n)])).message).toMatch('at most 10000')
    expect(() => model.apply([setRef('b7', 2n)])).not.toThrow()
    expect(refusalOf(() => model.apply([setRef('x'.repeat(1_001), 1n)])).message).toMatch(
      'Invalid ref name: more than 1000 characters',
    )
  })

  test('may become of the other kind', () => {
    const model = grown().apply([refOf('r', {}), refOf('r', { type: 'tag' })])
    expect(model.state.refs['r']?.type).toBe('tag')
  })

  test('are removed; without main there is no current snapshot, and the log stays', () => {
    const model = grown().apply([
      refOf('b', {}),
      refOf('main', { snapshotId: 2n, maxRefAgeMs: 4 }),
      { action: 'remove-snapshot-ref', refName: 'b' },
      { action: 'remove-snapshot-ref', refName: 'unheard' },
      { action: 'remove-snapshot-ref', refName: 'main' },
    ])
    expect(model.state).toMatchObject({ refs: {}, currentSnapshot: undefined })
    expect(model.state.definition).not.toHaveProperty('mainRetention')
    expect(model.log).toHaveLength(2)
    expect(model.apply([setRef('main', 2n)]).log.map((e) => e.snapshotId)).toEqual([1n, 2n, 2n])
  })
})

describe('remove-snapshots', () => {
  test('takes refs, statistics and the log before them along, and passes over unknown ids', () => {
    const model = grown().apply([
      refOf('b', {}),
      refOf('kept', { snapshotId: 2n }),
      { action: 'set-statistics', snapshotId: 1n, statistics: STATISTICS },
      { action: 'set-partition-statistics', snapshotId: 1n, statistics: STATISTICS },
      { action: 'set-statistics', snapshotId: 2n, statistics: STATISTICS },
    ])
    model.apply([remove(1n, 77n)])
    expect(Object.keys(model.state.refs)).toEqual(['kept'])
    expect(model.state.definition.statistics).toEqual({ 2: STATISTICS })
    expect(model.state.definition).not.toHaveProperty('partitionStatistics')
    expect(model.log.map((entry) => entry.snapshotId)).toEqual([2n])
    expect([...model.snapshots.keys()]).toEqual([2n])
  })

  test('of the current one leaves the table without', () => {
    const { state, log } = grown().apply([remove(2n)])
    expect(state.currentSnapshot).toBeUndefined()
    expect(log).toEqual([])
    expect(state.lastSequenceNumber).toBe(2n)
  })

  test('of one that the same commit added leaves no trace of it', () => {
    const model = grown().apply([addSnapshot(3n, 3n, { parentSnapshotId: 2n }), remove(3n)])
    expect(model.snapshots.size).toBe(2)
    // But for its sequence number, which was used.
    expect(model.state.lastSequenceNumber).toBe(3n)
    expect(refusalOf(() => model.apply([remove(1n), addSnapshot(1n, 9n)])).message).toMatch(
      'Snapshot already exists for id: 1',
    )
  })
})

test('an append on any branch costs a look-up of what it mentions, and no more', () => {
  const updates = [addSnapshot(5n, 1n), setRef('b', 6n), remove(7n, 8n), setRef('main', 5n)]
  expect([...snapshotIdsMentioned(updates)]).toEqual([5n, 6n, 7n, 8n])
  const statistics: TableUpdate = { action: 'set-statistics', snapshotId: 4n, statistics: {} }
  expect([
    ...snapshotIdsMentioned([statistics, { action: 'remove-schemas', schemaIds: [1] }]),
  ]).toEqual([4n])
  expect(snapshotOf(5n, 1n)).not.toHaveProperty('schemaId')
})

describe('the ends of what is allowed', () => {
  const added = (more: Parameters<typeof addSnapshot>[2], id = 1n) =>
    new TableModel().apply([addSnapshot(id, 1n, more)])

  test('a snapshot may have the id 0, and the last millisecond of the year 9998', () => {
    expect(added({}, 0n).snapshots.has(0n)).toBe(true)
    const last = Date.UTC(9998, 11, 31, 23, 59, 59, 999)
    expect(added({ timestampMs: last }).snapshots.get(1n)?.timestampMs).toBe(last)
    expect(refusalOf(() => added({ timestampMs: last + 1 })).code).toBe('update-invalid')
  })

  test('a snapshot may add no rows', () => {
    const model = new TableModel(tableOf(3))
    model.apply([addSnapshot(1n, 1n, { firstRowId: 0n, addedRows: 0n })])
    expect(model.snapshots.has(1n)).toBe(true)
  })

  test('the name of a ref has a thousand characters, and no age is 0', () => {
    const name = 'r'.repeat(1_000)
    expect(grown().apply([refOf(name, {})]).state.refs[name]?.snapshotId).toBe(1n)
    const refused = (refName: string, ref: Partial<SnapshotRef>) =>
      refusalOf(() => grown().apply([refOf(refName, ref)])).code
    expect(refused(`${name}r`, {})).toBe('update-invalid')
    expect(refused('old', { maxRefAgeMs: 0 })).toBe('update-invalid')
    expect(refused('old', { maxSnapshotAgeMs: 0 })).toBe('update-invalid')
    expect(refused('old', { minSnapshotsToKeep: 0 })).toBe('update-invalid')
  })

  test('a ref that only keeps its snapshots longer is changed', () => {
    const model = grown().apply([refOf('audit', { maxRefAgeMs: 5 })])
    const longer = model.apply([refOf('audit', { maxRefAgeMs: 9 })])
    expect(longer.state.refs['audit']?.maxRefAgeMs).toBe(9)
  })

  test('a table whose current snapshot is removed has none, nor how long main keeps others', () => {
    const kept = grown().apply([refOf('main', { snapshotId: 2n, minSnapshotsToKeep: 3 })])
    const { state } = kept.apply([remove(2n)])
    expect(state.currentSnapshot).toBeUndefined()
    expect(state.definition).not.toHaveProperty('mainRetention')
  })
})
