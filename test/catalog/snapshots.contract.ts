import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import type { Catalog } from '../../src/catalog/catalog.ts'
import type { TableCommit } from '../../src/catalog/table-store.ts'
import type { Snapshot, SnapshotLogEntry } from '../../src/core/table/snapshot.ts'
import type { TableState } from '../../src/core/table/table.ts'
import { appendTo, logOf, newTable, snapshotOf, stateOf } from './catalog-samples.ts'

export function describeSnapshots(catalog: () => Catalog): void {
  describe('snapshots', () => {
    test('ids of 63 bits are exact, and neighbours differ', async () => {
      const ids = [2n ** 63n - 1n, 2n ** 63n - 2n, 2n ** 53n + 1n, 2n ** 53n, 1n]
      const snapshots = ids.map((id, index) =>
        snapshotOf(id, { sequenceNumber: BigInt(index), parentSnapshotId: ids[index - 1] ?? null }),
      )
      const state = stateOf('planets')
      await catalog().tables.create(newTable(state, { snapshots }))
      const { tableUuid } = state.definition
      for (const snapshot of snapshots) {
        expect(await catalog().snapshots.find(tableUuid, snapshot.snapshotId)).toStrictEqual(
          snapshot,
        )
      }
      expect(await catalog().snapshots.list(tableUuid)).toStrictEqual(snapshots)
      expect(await catalog().snapshots.find(tableUuid, 2n ** 53n + 2n)).toBeUndefined()
      expect(await catalog().snapshots.find(randomUUID(), 1n)).toBeUndefined()
    })

    test('snapshots are listed by sequence number, then time', async () => {
      const order = [
        { sequenceNumber: 0n, timestampMs: 7 },
        { sequenceNumber: 0n, timestampMs: 9 },
        { sequenceNumber: 2n, timestampMs: 8 },
        { sequenceNumber: 10n, timestampMs: 1 },
      ]
      const snapshots = order.map((at, index) => snapshotOf(BigInt(100 - index), at))
      const state = stateOf('planets')
      await catalog().tables.create(newTable(state, { snapshots: snapshots.toReversed() }))
      expect(await catalog().snapshots.list(state.definition.tableUuid)).toEqual(snapshots)
    })

    test('a history of several pages is read whole and in order', async () => {
      const count = 1_234
      const snapshots = Array.from({ length: count }, (_, i) =>
        snapshotOf(BigInt(((i * 7_919) % count) + 1), {
          sequenceNumber: BigInt(Math.floor(i / 3)),
          timestampMs: 1_000 + Math.floor(i / 2),
        }),
      )
      const snapshotLog = snapshots.map(({ snapshotId }, i) => ({
        timestampMs: 1_000 + Math.floor(i / 4),
        snapshotId,
      }))
      const state = stateOf('planets')
      await catalog().tables.create(newTable(state, { snapshots, snapshotLog }))
      await catalog().tables.create(newTable(stateOf('moons'), { snapshots: [snapshotOf(9n)] }))
      const { tableUuid } = state.definition
      const read: Snapshot[] = []
      for await (const page of catalog().snapshots.read(tableUuid)) read.push(...page)
      expect(read).toEqual(await catalog().snapshots.list(tableUuid))
      expect(new Set(read.map(({ snapshotId }) => snapshotId)).size).toBe(count)
      const log: SnapshotLogEntry[] = []
      for await (const page of catalog().snapshots.readLog(tableUuid)) log.push(...page)
      expect(log).toMatchObject(snapshotLog)
      expect(log).toHaveLength(count)
      for await (const page of catalog().snapshots.read(randomUUID())) expect(page).toBe('never')
    })

    test('as_at is the last entry of the log at or before the instant', async () => {
      const steps = fc.array(
        fc.record({ afterMs: fc.nat({ max: 3 }), snapshot: fc.nat({ max: 4 }) }),
        { maxLength: 20 },
      )
      await fc.assert(
        fc.asyncProperty(steps, async (changes) => {
          const log = expectedLog(changes)
          const state = stateOf(randomUUID())
          const snapshots = [10n, 11n, 12n, 13n, 14n].map((id) => snapshotOf(id))
          await catalog().tables.create(newTable(state, { snapshots, snapshotLog: log }))
          for (let asAtMs = 99; asAtMs <= 100 + 3 * changes.length; asAtMs++) {
            const scan = log.filter((entry) => entry.timestampMs <= asAtMs).at(-1)
            const found = await catalog().snapshots.findAsAt(state.definition.tableUuid, asAtMs)
            expect(found?.snapshotId).toBe(scan?.snapshotId)
          }
        }),
        { numRuns: 25 },
      )
    })

    test('commits go on with the log where it ends, in the same millisecond, too', async () => {
      let state = stateOf('planets')
      const snapshots = [snapshotOf(1n), snapshotOf(2n)]
      const begin = [
        { timestampMs: 1_001, snapshotId: 1n },
        { timestampMs: 1_001, snapshotId: 2n },
      ]
      await catalog().tables.create(newTable(state, { snapshots, snapshotLog: begin }))
      const { tableUuid } = state.definition
      for (const newLogEntries of [
        [{ timestampMs: 1_001, snapshotId: 1n }],
        [],
        begin.toReversed(),
      ]) {
        const commit = { ...appendTo(state, BigInt(state.version + 50)), newLogEntries }
        await catalog().tables.commit({ tables: [commit], transactions: [] })
        state = commit.state
      }
      const ids = (await logOf(catalog(), tableUuid)).map((entry) => entry.snapshotId)
      expect(ids).toEqual([1n, 2n, 1n, 2n, 1n])
      expect((await catalog().snapshots.findAsAt(tableUuid, 1_001))?.snapshotId).toBe(1n)
      expect(await catalog().snapshots.findAsAt(tableUuid, 1_000)).toBeUndefined()
      expect((await catalog().snapshots.findAsAt(tableUuid, 1e300))?.snapshotId).toBe(1n)
      expect(await catalog().snapshots.findAsAt(tableUuid, -1e300)).toBeUndefined()
    })

    test('the log is paged newest first, each entry with its snapshot', async () => {
      const state = stateOf('planets')
      const snapshots = [snapshotOf(1n), snapshotOf(2n)]
      const log = [10, 20, 30, 40, 50].map((timestampMs, index) => ({
        timestampMs,
        snapshotId: index % 2 === 0 ? 1n : 2n,
      }))
      await catalog().tables.create(newTable(state, { snapshots, snapshotLog: log }))
      const { tableUuid } = state.definition
      const times = async (query: { beforeMs?: number; afterMs?: number; limit: number }) =>
        (await catalog().snapshots.pageLog({ tableUuid, ...query })).map(
          (entry) => entry.timestampMs,
        )
      expect(await times({ limit: 2 })).toEqual([50, 40])
      expect(await times({ limit: 2, beforeMs: 40 })).toEqual([30, 20])
      expect(await times({ limit: 9, beforeMs: 40, afterMs: 10 })).toEqual([30, 20])
      expect(await times({ limit: 9, afterMs: 50 })).toEqual([])
      const [newest] = await catalog().snapshots.pageLog({ tableUuid, limit: 1 })
      expect(newest).toStrictEqual({ timestampMs: 50, snapshotId: 1n, snapshot: snapshots[0] })
      expect(await logOf(catalog(), tableUuid)).toStrictEqual(log)
    })
  })

  describe('removed snapshots', () => {
    /** A table of five snapshots, each logged once, and a sixth entry that is the third again. */
    const createLogged = async () => {
      const ids = [1n, 2n, 3n, 4n, 5n]
      const snapshots = ids.map((id) => snapshotOf(id, { sequenceNumber: id }))
      const snapshotLog = [...ids, 3n].map((snapshotId, index) => ({
        timestampMs: 10 * (index + 1),
        snapshotId,
      }))
      const state = stateOf(randomUUID(), { currentSnapshot: snapshots[2], lastSequenceNumber: 5n })
      const addedPaths = ['file:///a']
      await catalog().tables.create(newTable(state, { snapshots, snapshotLog, addedPaths }))
      return { state, tableUuid: state.definition.tableUuid }
    }
    const removing = (state: TableState, removedSnapshotIds: bigint[]): TableCommit => ({
      expectedVersion: state.version,
      state: { ...state, version: state.version + 1 },
      newSnapshots: [],
      newLogEntries: [],
      addedPaths: [],
      removedSnapshotIds,
    })
    const idsOf = async (tableUuid: string) => ({
      snapshots: (await catalog().snapshots.list(tableUuid)).map((s) => s.snapshotId),
      log: (await logOf(catalog(), tableUuid)).map((entry) => entry.snapshotId),
      page: (await catalog().snapshots.pageLog({ tableUuid, limit: 9 })).map((e) => e.snapshotId),
    })

    test('they are forgotten, with their entries of the log; paths stay known', async () => {
      const { state, tableUuid } = await createLogged()
      const bystander = await createLogged()
      const commit = { tables: [removing(state, [2n, 1n])], transactions: [] }
      expect(await catalog().tables.commit(commit)).toEqual({ outcome: 'committed' })
      const left = { snapshots: [3n, 4n, 5n], log: [3n, 4n, 5n, 3n], page: [3n, 5n, 4n, 3n] }
      expect(await idsOf(tableUuid)).toEqual(left)
      expect(await catalog().snapshots.find(tableUuid, 2n)).toBeUndefined()
      expect(await catalog().snapshots.findAsAt(tableUuid, 29)).toBeUndefined()
      expect((await catalog().snapshots.findAsAt(tableUuid, 30))?.snapshotId).toBe(3n)
      expect(await catalog().tables.find({ tableUuid })).toMatchObject({
        version: 1,
        currentSnapshot: { snapshotId: 3n },
      })
      expect((await catalog().paths.findKnown(tableUuid, ['file:///a'])).size).toBe(1)
      expect((await idsOf(bystander.tableUuid)).log).toHaveLength(6)
    })

    test('entries before a gap go, too: as_at never finds what was not current', async () => {
      const { state, tableUuid } = await createLogged()
      await catalog().tables.commit({ tables: [removing(state, [4n])], transactions: [] })
      const left = { snapshots: [1n, 2n, 3n, 5n], log: [5n, 3n], page: [3n, 5n] }
      expect(await idsOf(tableUuid)).toEqual(left)
      expect(await catalog().snapshots.findAsAt(tableUuid, 49)).toBeUndefined()
    })

    test('one that never was current leaves the log alone, an unknown one everything', async () => {
      const { state, tableUuid } = await createLogged()
      const aside = { ...removing(state, []), newSnapshots: [snapshotOf(9n)] }
      await catalog().tables.commit({ tables: [aside], transactions: [] })
      await catalog().tables.commit({
        tables: [removing(aside.state, [9n, 77n])],
        transactions: [],
      })
      expect((await idsOf(tableUuid)).snapshots).toEqual([1n, 2n, 3n, 4n, 5n])
      expect((await idsOf(tableUuid)).log).toHaveLength(6)
    })

    test('the log goes on after a removal, in the commit of the removal, too', async () => {
      const { state, tableUuid } = await createLogged()
      const both = { ...appendTo(state, 6n), removedSnapshotIds: [5n] }
      await catalog().tables.commit({ tables: [both], transactions: [] })
      await catalog().tables.commit({ tables: [appendTo(both.state, 7n)], transactions: [] })
      expect((await idsOf(tableUuid)).log).toEqual([3n, 6n, 7n])
    })

    test('an id that is removed may be given again at once', async () => {
      const { state, tableUuid } = await createLogged()
      const again = snapshotOf(1n, { sequenceNumber: 6n, operation: 'overwrite' })
      const commit = { ...removing(state, [1n]), newSnapshots: [again] }
      await catalog().tables.commit({ tables: [commit], transactions: [] })
      expect(await catalog().snapshots.find(tableUuid, 1n)).toStrictEqual(again)
    })

    test('the current snapshot cannot be removed; a refused commit removes nothing', async () => {
      const { state, tableUuid } = await createLogged()
      const current = { tables: [removing(state, [3n])], transactions: [] }
      await expect(catalog().tables.commit(current)).rejects.toThrow(/current snapshot 3/)
      const stale = { ...state, version: 4 }
      const late = { tables: [removing(stale, [1n])], transactions: [] }
      expect(await catalog().tables.commit(late)).toMatchObject({ outcome: 'version-mismatch' })
      expect((await idsOf(tableUuid)).snapshots).toHaveLength(5)
    })

    test('thousands are removed in one commit', async () => {
      const state = stateOf('planets')
      const ids = Array.from({ length: 2_500 }, (_, index) => BigInt(index + 1))
      const snapshots = ids.map((id) => snapshotOf(id))
      const snapshotLog = ids.map((snapshotId, timestampMs) => ({ timestampMs, snapshotId }))
      await catalog().tables.create(newTable(state, { snapshots, snapshotLog }))
      await catalog().tables.commit({
        tables: [removing(state, ids.slice(0, -1))],
        transactions: [],
      })
      expect((await idsOf(state.definition.tableUuid)).log).toEqual([2_500n])
    })
  })
}

function expectedLog(
  changes: readonly { readonly afterMs: number; readonly snapshot: number }[],
): SnapshotLogEntry[] {
  let timestampMs = 100
  return changes.map(({ afterMs, snapshot }) => {
    timestampMs += afterMs
    return { timestampMs, snapshotId: BigInt(10 + snapshot) }
  })
}
