import type { Catalog } from '../../src/catalog/catalog.ts'
import {
  allNamespaces,
  appendTo,
  committed,
  create,
  logOf,
  newTable,
  openTransaction,
  snapshotOf,
  stagedFileOf,
  stateOf,
  viewOf,
} from './catalog-samples.ts'

export function describeCommits(catalog: () => Catalog): void {
  describe('commits', () => {
    test('a commit is all there: state, snapshot, log, paths', async () => {
      const state = await create(catalog(), 'planets')
      const commit = appendTo(state, 2n ** 63n - 1n, ['file:///a'])
      const definition = { ...state.definition, properties: { owner: 'ada' } }
      const refs = { v1: { type: 'tag', snapshotId: 2n ** 63n - 1n } } as const
      const next = { ...commit, state: { ...commit.state, definition, refs } }
      const outcome = await catalog().tables.commit({ tables: [next], transactions: [] })
      expect(outcome).toEqual({ outcome: 'committed' })
      const { tableUuid } = definition
      expect(await catalog().tables.find({ tableUuid })).toStrictEqual(next.state)
      expect(await catalog().snapshots.list(tableUuid)).toStrictEqual(commit.newSnapshots)
      expect(await logOf(catalog(), tableUuid)).toStrictEqual(commit.newLogEntries)
    })

    test('of two commits on one version, one wins and the other changes nothing', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const attempts = await Promise.all(
        [1n, 2n].map(async (snapshotId) => {
          const transaction = openTransaction()
          const { transactionId } = transaction
          await catalog().transactions.start(transaction)
          const addedFiles = [stagedFileOf(`file:///${snapshotId}`)]
          const staging = { transactionId, tableUuid, currentSnapshotId: null, addedFilesMax: 9 }
          await catalog().transactions.stage({ ...staging, addedFiles })
          return { snapshotId, transaction: { ...transaction, revision: 1 }, transactionId }
        }),
      )
      const outcomes = await Promise.all(
        attempts.map(({ snapshotId, transaction }) =>
          catalog().tables.commit({
            tables: [appendTo(state, snapshotId, [`file:///${snapshotId}`])],
            transactions: [{ transaction: committed(transaction, tableUuid), isNew: false }],
          }),
        ),
      )
      expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual([
        'committed',
        'version-mismatch',
      ])
      const lost = outcomes[0]?.outcome === 'committed' ? 1 : 0
      expect(outcomes[lost]).toEqual({ outcome: 'version-mismatch', tableUuid })
      const [loser, winner] = lost === 0 ? attempts : attempts.toReversed()
      const won = winner?.snapshotId ?? 0n
      const known = await catalog().paths.findKnown(tableUuid, ['file:///1', 'file:///2'])
      expect(known).toEqual(new Set([`file:///${won}`]))
      expect((await catalog().snapshots.list(tableUuid)).map((s) => s.snapshotId)).toEqual([won])
      expect((await logOf(catalog(), tableUuid)).map((s) => s.snapshotId)).toEqual([won])
      const loserId = loser?.transactionId ?? ''
      expect(await catalog().transactions.find(loserId)).toStrictEqual(loser?.transaction)
      expect(await catalog().transactions.listStaged(loserId)).toHaveLength(1)
      const winnerId = winner?.transactionId ?? ''
      expect(await catalog().transactions.find(winnerId)).toMatchObject({ state: 'committed' })
      expect(await catalog().transactions.listStaged(winnerId)).toEqual([])
    })

    test('a commit of several tables is all or nothing', async () => {
      const planets = await create(catalog(), 'planets')
      const moons = await create(catalog(), 'moons')
      const stars = await create(catalog(), 'stars')
      const ahead = appendTo(moons, 7n)
      await catalog().tables.commit({ tables: [ahead], transactions: [] })
      const transaction = openTransaction()
      await catalog().transactions.start(transaction)
      const marked = committed(transaction, planets.definition.tableUuid)
      const tables = [
        appendTo(planets, 1n, ['file:///p']),
        appendTo(moons, 2n),
        appendTo(stars, 3n),
      ]
      const outcome = await catalog().tables.commit({
        tables,
        transactions: [{ transaction: marked, isNew: false }],
      })
      expect(outcome).toEqual({
        outcome: 'version-mismatch',
        tableUuid: moons.definition.tableUuid,
      })
      for (const state of [planets, ahead.state, stars]) {
        const { tableUuid } = state.definition
        expect(await catalog().tables.find({ tableUuid })).toStrictEqual(state)
      }
      const again = [tables[0], appendTo(ahead.state, 2n), tables[2]].filter((t) => t !== undefined)
      const retried = { tables: again, transactions: [{ transaction: marked, isNew: false }] }
      expect(await catalog().tables.commit(retried)).toEqual({ outcome: 'committed' })
      for (const { state } of again) {
        const { tableUuid } = state.definition
        expect(await catalog().tables.find({ tableUuid })).toStrictEqual(state)
      }
    })

    test('a committed transaction keeps its results, not its files, and commits once', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const transaction = openTransaction()
      const { transactionId } = transaction
      await catalog().transactions.start(transaction)
      await catalog().transactions.stage({
        transactionId,
        tableUuid,
        currentSnapshotId: null,
        addedFiles: [stagedFileOf('file:///a')],
        removedPaths: ['file:///b'],
        addedFilesMax: 9,
      })
      const marked = committed({ ...transaction, revision: 1 }, tableUuid)
      const transactions = [{ transaction: marked, isNew: false }]
      const first = appendTo(state, 1n)
      const outcome = await catalog().tables.commit({ tables: [first], transactions })
      expect(outcome).toEqual({ outcome: 'committed' })
      expect(await catalog().transactions.find(transactionId)).toStrictEqual(marked)
      expect(await catalog().transactions.listStaged(transactionId)).toEqual([])
      const refused = { outcome: 'transaction-not-open', transactionId }
      const second = appendTo(first.state, 2n, ['file:///c'])
      expect(await catalog().tables.commit({ tables: [second], transactions })).toEqual(refused)
      expect(await catalog().tables.find({ tableUuid })).toStrictEqual(first.state)
      expect(await catalog().paths.findKnown(tableUuid, ['file:///c'])).toEqual(new Set())
      expect(await catalog().transactions.abort(transactionId, 9_000)).toBe('not-open')
      const isNew = [{ transaction: marked, isNew: true }]
      expect(await catalog().tables.commit({ tables: [second], transactions: isNew })).toEqual(
        refused,
      )
    })

    test('what was staged since its revision refuses a commit, and nothing is lost', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const [changed, other] = [openTransaction(), openTransaction()]
      for (const transaction of [changed, other]) await catalog().transactions.start(transaction)
      const { transactionId } = changed
      const staging = { transactionId, tableUuid, currentSnapshotId: null, addedFilesMax: 9 }
      await catalog().transactions.stage({ ...staging, addedFiles: [stagedFileOf('file:///a')] })
      const read = await catalog().transactions.find(transactionId)
      if (read === undefined) throw new Error('no transaction')
      expect(read.revision).toBe(1)
      for (const late of [
        { addedFiles: [stagedFileOf('file:///b')] },
        { removedPaths: ['file:///c'] },
        { truncate: true },
      ]) {
        await catalog().transactions.stage({ ...staging, ...late })
        const transactions = [read, other].map((transaction) => ({
          transaction: committed(transaction, tableUuid),
          isNew: false,
        }))
        const commit = { tables: [appendTo(state, 1n, ['file:///a'])], transactions }
        expect(await catalog().tables.commit(commit)).toEqual({
          outcome: 'transaction-changed',
          transactionId,
        })
      }
      expect(await catalog().tables.find({ tableUuid })).toStrictEqual(state)
      expect(await catalog().paths.findKnown(tableUuid, ['file:///a'])).toEqual(new Set())
      expect(await catalog().transactions.find(other.transactionId)).toStrictEqual(other)
      const again = await catalog().transactions.find(transactionId)
      expect(again).toStrictEqual({ ...read, revision: 4 })
      const [change] = await catalog().transactions.listStaged(transactionId)
      expect(change).toMatchObject({ truncate: true, removedPaths: ['file:///c'] })
      expect(change?.addedFiles).toHaveLength(2)
      const transaction = committed(again ?? read, tableUuid)
      const transactions = [{ transaction, isNew: false }]
      const outcome = await catalog().tables.commit({ tables: [appendTo(state, 1n)], transactions })
      expect(outcome).toEqual({ outcome: 'committed' })
      expect(await catalog().transactions.find(transactionId)).toStrictEqual(transaction)
    })

    test('a staging that was refused changes no revision', async () => {
      const transaction = openTransaction()
      await catalog().transactions.start(transaction)
      const { transactionId } = transaction
      const staging = {
        transactionId,
        tableUuid: 'planets',
        currentSnapshotId: null,
        addedFiles: [stagedFileOf('file:///a')],
        addedFilesMax: 1,
      }
      for (let attempt = 0; attempt < 3; attempt++) await catalog().transactions.stage(staging)
      await catalog().transactions.stage({ ...staging, addedFilesMax: 9 })
      expect((await catalog().transactions.find(transactionId))?.revision).toBe(1)
    })

    test('transactions that are new are inserted as committed, many in one commit', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const fresh = Array.from({ length: 5 }, () => committed(openTransaction(), tableUuid))
      const open = Array.from({ length: 5 }, () => openTransaction())
      for (const transaction of open) await catalog().transactions.start(transaction)
      const transactions = [
        ...fresh.map((transaction) => ({ transaction, isNew: true })),
        ...open.map((t) => ({ transaction: committed(t, tableUuid), isNew: false })),
      ]
      const outcome = await catalog().tables.commit({ tables: [appendTo(state, 1n)], transactions })
      expect(outcome).toEqual({ outcome: 'committed' })
      for (const { transaction } of transactions) {
        expect(await catalog().transactions.find(transaction.transactionId)).toStrictEqual(
          transaction,
        )
      }
    })

    test('an aborted transaction refuses the whole commit, and it is named', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const [good, bad] = [openTransaction(), openTransaction()]
      for (const transaction of [good, bad]) await catalog().transactions.start(transaction)
      await catalog().transactions.abort(bad.transactionId, 1_500)
      const transactions = [good, bad].map((transaction) => ({
        transaction: committed(transaction, tableUuid),
        isNew: false,
      }))
      expect(
        await catalog().tables.commit({ tables: [appendTo(state, 1n)], transactions }),
      ).toEqual({
        outcome: 'transaction-not-open',
        transactionId: bad.transactionId,
      })
      expect(await catalog().transactions.find(good.transactionId)).toStrictEqual(good)
      expect(await catalog().tables.find({ tableUuid })).toStrictEqual(state)
    })

    test('a commit may rename the table, into a namespace that is new', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const moved = { ...appendTo(state, 1n).state, namespace: ['Deep', 'sky'], name: 'Worlds' }
      const rename = { ...appendTo(state, 1n), state: moved }
      const outcome = await catalog().tables.commit({ tables: [rename], transactions: [] })
      expect(outcome).toEqual({ outcome: 'committed' })
      expect(await catalog().tables.find({ tableUuid })).toStrictEqual(moved)
      expect(await catalog().tables.find({ namespace: ['sky'], name: 'planets' })).toBeUndefined()
      const found = await catalog().tables.find({ namespace: ['deep', 'SKY'], name: 'worlds' })
      expect(found).toStrictEqual(moved)
      expect(await allNamespaces(catalog())).toEqual([['Deep'], ['Deep', 'sky'], ['sky']])
    })

    test('a rename that keeps the metadata keeps what was published', async () => {
      const { tables, publications } = catalog()
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const rename = async (name: string) => {
        const before = await tables.find({ tableUuid })
        if (before === undefined) throw new Error('the table is gone')
        const { version } = before
        const commit = {
          ...{ expectedVersion: version, state: { ...before, name, version: version + 1 } },
          ...{ newSnapshots: [], newLogEntries: [], addedPaths: [], keepsMetadata: true },
        }
        expect(await tables.commit({ tables: [commit], transactions: [] })).toEqual({
          outcome: 'committed',
        })
        return tables.find({ tableUuid })
      }
      expect(await rename('worlds')).toMatchObject({ version: 1, publishedVersion: -1 })
      const metadataLocation = 'file:///w/1.metadata.json'
      await publications.record({ tableUuid, version: 1, metadataLocation, publishedAtMs: 5 })
      const kept = { metadataLocation, publishedVersion: 2, version: 2, name: 'planets' }
      expect(await rename('planets')).toMatchObject(kept)
      expect(await publications.list(tableUuid, 9)).toHaveLength(1)
      expect(await publications.listUnpublishedTables(9)).toEqual([])
    })

    test('a name that is taken refuses the rename', async () => {
      await create(catalog(), 'moons')
      const state = await create(catalog(), 'planets')
      const commit = appendTo(state, 1n)
      const rename = { ...commit, state: { ...commit.state, name: 'MOONS' } }
      await expect(
        catalog().tables.commit({ tables: [rename], transactions: [] }),
      ).rejects.toMatchObject({
        code: 'table-already-exists',
      })
      const { tableUuid } = state.definition
      expect(await catalog().tables.find({ tableUuid })).toStrictEqual(state)
    })

    test('a name that a view has refuses the rename, and says that it is a view', async () => {
      await catalog().views.create(viewOf('moons'))
      const state = await create(catalog(), 'planets')
      const commit = appendTo(state, 1n)
      const rename = { ...commit, state: { ...commit.state, name: 'MOONS' } }
      await expect(
        catalog().tables.commit({ tables: [rename], transactions: [] }),
      ).rejects.toMatchObject({
        code: 'table-already-exists',
        facts: { table: 'sky.MOONS', existing: 'view' },
      })
      const { tableUuid } = state.definition
      expect(await catalog().tables.find({ tableUuid })).toStrictEqual(state)
      expect(await catalog().views.create(viewOf('planets'))).toBe('table-exists')
    })

    test('a renamed table leaves its old name free, for tables and views', async () => {
      let state = await create(catalog(), 'planets')
      for (const name of ['PLANETS', 'worlds']) {
        const commit = appendTo(state, BigInt(state.version + 1))
        state = { ...commit.state, name }
        const rename = { ...commit, state }
        expect(await catalog().tables.commit({ tables: [rename], transactions: [] })).toEqual({
          outcome: 'committed',
        })
      }
      expect(await catalog().views.create(viewOf('worlds'))).toBe('table-exists')
      expect(await catalog().views.create(viewOf('planets'))).toBe('created')
    })

    test('a snapshot id that the table has is a bug of the caller: nothing changes', async () => {
      const state = stateOf('planets')
      await catalog().tables.create(newTable(state, { snapshots: [snapshotOf(1n)] }))
      const { tableUuid } = state.definition
      const commit = { tables: [appendTo(state, 1n, ['file:///a'])], transactions: [] }
      // Whatever the engine throws: better-sqlite3's errors are no errors to Jest.
      await expect(catalog().tables.commit(commit)).rejects.toBeDefined()
      expect(await catalog().tables.find({ tableUuid })).toStrictEqual(state)
      expect(await catalog().paths.findKnown(tableUuid, ['file:///a'])).toEqual(new Set())
    })

    test('a definition that another commit changed is not mistaken for the older', async () => {
      const created = await create(catalog(), 'planets')
      const { tableUuid } = created.definition
      const read = await catalog().tables.find({ tableUuid })
      if (read === undefined) throw new Error('no table')
      const owned = { ...read.definition, properties: { owner: 'ada' } }
      const first = appendTo(read, 1n)
      const changed = { ...first.state, definition: owned }
      await catalog().tables.commit({ tables: [{ ...first, state: changed }], transactions: [] })
      expect((await catalog().tables.find({ tableUuid }))?.definition).toStrictEqual(owned)
      // Back to the very object that was read at the beginning.
      const second = appendTo(changed, 2n)
      const restored = { ...second.state, definition: read.definition }
      await catalog().tables.commit({ tables: [{ ...second, state: restored }], transactions: [] })
      expect((await catalog().tables.find({ tableUuid }))?.definition).toStrictEqual(
        created.definition,
      )
    })

    test('a commit of thousands of paths, snapshots and log entries is one commit', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const addedPaths = Array.from({ length: 20_000 }, (_, index) => `file:///${index}`)
      const snapshots = Array.from({ length: 2_500 }, (_, index) =>
        snapshotOf(BigInt(index + 10), { sequenceNumber: BigInt(index) }),
      )
      const newLogEntries = snapshots.map(({ snapshotId }, index) => ({
        timestampMs: index,
        snapshotId,
      }))
      const commit = { ...appendTo(state, 1n), addedPaths, newLogEntries }
      const newSnapshots = [...commit.newSnapshots, ...snapshots]
      const outcome = await catalog().tables.commit({
        tables: [{ ...commit, newSnapshots }],
        transactions: [],
      })
      expect(outcome).toEqual({ outcome: 'committed' })
      expect((await catalog().paths.findKnown(tableUuid, addedPaths)).size).toBe(20_000)
      expect(await catalog().snapshots.list(tableUuid)).toHaveLength(2_501)
      expect(await logOf(catalog(), tableUuid)).toEqual(newLogEntries)
    })
  })
}
