import { randomUUID } from 'node:crypto'
import type { Catalog } from '../../src/catalog/catalog.ts'
import {
  deletionId,
  type FileDeletion,
  FilesDeletedError,
  type NewDeletion,
} from '../../src/catalog/deletion-store.ts'
import type { TableState } from '../../src/core/table/table.ts'
import {
  appendTo,
  create,
  newTable,
  openTransaction,
  stagedFileOf,
  stateOf,
} from './catalog-samples.ts'

const NOW_MS = 1_000_000

export function describeDeletions(catalog: () => Catalog): void {
  const doomed = (path: string, more: Partial<NewDeletion> = {}): NewDeletion => {
    return { path, tableUuid: 't', mark: 'm', reason: 'purge', dueAtMs: NOW_MS, ...more }
  }
  const due = (nowMs = NOW_MS) => catalog().deletions.listDue({ nowMs, limit: 10_000 })
  const pathsDue = async (nowMs = NOW_MS) => (await due(nowMs)).map(({ path }) => path).sort()
  const begin = (deletions: readonly FileDeletion[], examined: readonly string[] = []) =>
    catalog().deletions.beginUnlinking({
      deletions,
      examinedTableUuids: new Set(examined),
      ...{ nowMs: NOW_MS, dueAtMs: NOW_MS + 10 },
    })
  /** Rows of the path in this state. */
  const inState = async (path: string, state: FileDeletion['state']): Promise<FileDeletion> => {
    await catalog().deletions.add([doomed(path)])
    const rows = (await due()).filter((row) => row.path === path)
    if (state === 'doomed') return rows[0] as FileDeletion
    const [row] = await begin(rows)
    if (row === undefined) throw new Error('nothing was marked')
    if (state === 'unlinked') {
      await catalog().deletions.update([row], { state, dueAtMs: NOW_MS + 10 })
    }
    return { ...row, state, dueAtMs: NOW_MS + 10 }
  }
  const commit = (state: TableState, path: string, rewritten: readonly string[] = []) =>
    catalog().tables.commit({
      tables: [appendTo(state, BigInt(state.version + 1), [path])],
      transactions: [],
      rewritten: new Set(rewritten),
    })
  const stage = async (path: string, more: { readonly rewritten?: Set<string> } = {}) => {
    const transaction = openTransaction({ expiresAtMs: NOW_MS + 1 })
    await catalog().transactions.start(transaction)
    const { transactionId } = transaction
    return catalog().transactions.stage({
      ...{ transactionId, tableUuid: 't', currentSnapshotId: null, addedFilesMax: 9 },
      addedFiles: [stagedFileOf(path)],
      ...more,
    })
  }

  describe('file deletions', () => {
    test('they are written with the drop, and only if the table is dropped', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const deletions = Array.from({ length: 2_500 }, (_, i) => doomed(`file:///${i}\u0000`))
      const drop = (expectedVersion: number) =>
        catalog().tables.drop({ tableUuid, expectedVersion, deletions })
      expect(await drop(7)).toBe('version-mismatch')
      expect(await due()).toEqual([])
      expect(await drop(0)).toBe('dropped')
      expect(await due()).toHaveLength(2_500)
      expect(await catalog().deletions.count('t')).toBe(2_500)
      expect(await drop(0)).toBe('not-found')
    })

    test('those are due whose time has come, the longest first', async () => {
      await catalog().deletions.add([
        doomed('file:///late', { dueAtMs: NOW_MS + 1, tableUuid: 'u' }),
        doomed('file:///b', { dueAtMs: NOW_MS }),
        doomed('file:///a', { dueAtMs: NOW_MS - 1, tableUuid: 'u' }),
      ])
      expect((await due()).map(({ path }) => path)).toEqual(['file:///a', 'file:///b'])
      expect(await pathsDue(NOW_MS + 1)).toHaveLength(3)
      const query = { nowMs: NOW_MS + 1, limit: 1, tableUuid: 'u' }
      expect((await catalog().deletions.listDue(query)).map(({ path }) => path)).toEqual([
        'file:///a',
      ])
    })

    test('a file has one row, however it is spelled, of the last drop', async () => {
      const first = await inState('file:///x', 'doomed')
      await catalog().deletions.add([doomed('file:/x', { mark: 'later', dueAtMs: NOW_MS + 5 })])
      const [row] = await due()
      expect(row).toMatchObject({ mark: 'later', state: 'doomed', dueAtMs: NOW_MS })
      await catalog().deletions.add([doomed('file:/x', { mark: 'last', dueAtMs: NOW_MS - 5 })])
      expect(await due(NOW_MS - 5)).toMatchObject([{ mark: 'last' }])
      expect(await begin([first])).toEqual([])
      await catalog().deletions.forget([first])
      expect(await due()).toHaveLength(1)
    })

    test.each(['unlinking', 'unlinked'] as const)(
      'a file that is %s keeps its row, whoever dooms it again or begins once more',
      async (state) => {
        const first = await inState('file:///x', 'doomed')
        const row = await inState('file:///x', state)
        await catalog().deletions.add([doomed('file:/x', { mark: 'later', dueAtMs: 0 })])
        expect(await begin([first])).toEqual([])
        expect(await due(NOW_MS + 10)).toEqual([row])
      },
    )

    test.each(['commit', 'stage', 'create'] as const)(
      'a %s takes away the mark, and is refused from when the file is being deleted',
      async (how) => {
        const name = async (path: string, rewritten: readonly string[] = []) => {
          const text = path.replace('file:///', 'file:/')
          if (how === 'stage') return stage(text, { rewritten: new Set(rewritten) })
          if (how === 'commit') return commit(await create(catalog(), 'planets'), text, rewritten)
          const table = newTable(stateOf(`t${path.length}`), { addedPaths: [text] })
          return catalog().tables.create({ ...table, rewritten: new Set(rewritten) })
        }
        await inState('file:///doomed', 'doomed')
        await name('file:///doomed')
        expect(await due()).toEqual([])
        if (how === 'commit') await dropAll(catalog())
        for (const state of ['unlinking', 'unlinked'] as const) {
          const row = await inState(`file:///${state}`, state)
          const refused = await name(
            row.path,
            state === 'unlinking' ? [deletionId(row)] : [],
          ).catch((error) => error)
          expect(refused).toBeInstanceOf(FilesDeletedError)
          expect(refused.deletions).toEqual([row])
          expect((await due(NOW_MS + 10)).filter(({ path }) => path === row.path)).toEqual([row])
          if (how === 'commit') await dropAll(catalog())
        }
        // Written anew since.
        const [row] = (await due(NOW_MS + 10)).filter(({ state }) => state === 'unlinked')
        await name('file:///unlinked', [deletionId(row as FileDeletion)])
        expect(await pathsDue(NOW_MS + 10)).toEqual(['file:///unlinking'])
      },
    )

    test.each([1, 2_500])(
      'paths named again are taken from deletion, or refused: %d',
      async (many) => {
        const state = await create(catalog(), 'planets')
        const pathsNamedAgain = Array.from({ length: many }, (_, i) => `file:/${i}`)
        const name = (of: TableState, snapshotId: bigint) => {
          const tables = [{ ...appendTo(of, snapshotId), pathsNamedAgain }]
          return catalog().tables.commit({ tables, transactions: [] })
        }
        await inState('file:///0', 'doomed')
        await name(state, 1n)
        expect(await due()).toEqual([])
        const row = await inState('file:///0', 'unlinking')
        const { tableUuid } = state.definition
        const now = (await catalog().tables.find({ tableUuid })) as TableState
        const refused = await name(now, 2n).catch((error) => error)
        expect(refused).toMatchObject({ code: 'file-being-deleted', deletions: [row] })
        expect(await catalog().tables.find({ tableUuid })).toMatchObject({ version: 1 })
      },
    )

    test('a refused commit changes nothing, and one of many files names the file', async () => {
      const row = await inState('file:///1500', 'unlinking')
      const state = await create(catalog(), 'planets')
      const paths = Array.from({ length: 2_500 }, (_, i) => `file:///${i}`)
      const tables = [appendTo(state, 1n, paths)]
      const refused = await catalog()
        .tables.commit({ tables, transactions: [] })
        .catch((error) => error)
      expect(refused.deletions).toEqual([row])
      const key = { tableUuid: state.definition.tableUuid }
      expect(await catalog().tables.find(key)).toMatchObject({ version: 0 })
      expect((await catalog().paths.findKnown(key.tableUuid, paths)).size).toBe(0)
    })

    test('what is staged, or known to a table that nobody examined, is not marked', async () => {
      const state = await create(catalog(), 'planets')
      await commit(state, 'file:///known')
      await stage('file:///staged')
      const paths = ['file:///known', 'file:///staged', 'file:///free']
      await catalog().deletions.add(paths.map((path) => doomed(path)))
      const marked = async (examined: readonly string[]) =>
        (await begin(await due(), examined)).map(({ path }) => path)
      expect(await marked([])).toEqual(['file:///free'])
      expect(await marked([state.definition.tableUuid])).toEqual(['file:///known'])
      expect(await pathsDue()).toEqual(['file:///staged'])
    })

    test('a table that is registered again takes its files back', async () => {
      const state = stateOf('planets')
      const { tableUuid } = state.definition
      await catalog().deletions.add([
        doomed('file:///own', { tableUuid }),
        doomed('file:///other', { tableUuid: 'another' }),
      ])
      await catalog().tables.create(newTable(state))
      expect(await pathsDue()).toEqual(['file:///other'])
      await dropAll(catalog())
      await catalog().deletions.add([doomed('file:///own', { tableUuid })])
      await begin(await due())
      const again = newTable({ ...state, version: state.version + 1 })
      await expect(catalog().tables.create(again)).rejects.toBeInstanceOf(FilesDeletedError)
    })

    test('a purged table is listed from when its files are due until it is settled', async () => {
      const purged = (dueAtMs = NOW_MS, limit = 9) =>
        catalog().deletions.listPurged({ dueAtMs, limit })
      const state = await create(catalog(), 'planets')
      const { location, tableUuid } = state.definition
      const deletions = [NOW_MS - 5, NOW_MS, NOW_MS - 1].map((dueAtMs, i) =>
        doomed(`file:///${i}`, { tableUuid, dueAtMs }),
      )
      // Not dropped: it names its files.
      await catalog().deletions.add(deletions)
      expect(await purged()).toEqual([])
      await catalog().tables.drop({ tableUuid, expectedVersion: 0, deletions })
      expect(await purged(NOW_MS - 1)).toEqual([])
      expect(await purged()).toEqual([{ tableUuid, locations: [location] }])
      await catalog().deletions.add([doomed('file:///x', { tableUuid, mark: 'late', dueAtMs: 0 })])
      expect(await purged(NOW_MS - 1)).toEqual([])
      await catalog().deletions.add([doomed('file:///y', { tableUuid: 'older', dueAtMs: 1 })])
      expect(await purged(NOW_MS, 1)).toEqual([{ tableUuid: 'older', locations: [] }])
      await catalog().deletions.settlePurged('older', undefined)
      await catalog().deletions.settlePurged(tableUuid, NOW_MS + 1)
      expect(await purged()).toEqual([])
      expect(await purged(NOW_MS + 1)).toHaveLength(1)
      const again = newTable({ ...state, version: state.version + 1 })
      expect(await catalog().tables.create(again)).toBe('created')
      await catalog().deletions.settlePurged(tableUuid, NOW_MS)
      expect(await purged()).toEqual([])
    })

    test('generations are counted once each, and what waits for one can be named', async () => {
      const generation = () => catalog().settings.find('generation')
      const begin = (from: number, to: number, waitUntilMs?: number) =>
        catalog().deletions.beginGeneration({ from, to, waitUntilMs })
      const listPurged = (dueAtMs: number) => catalog().deletions.listPurged({ dueAtMs, limit: 9 })
      await inState('file:///unlinking', 'unlinking')
      await inState('file:///unlinked', 'unlinked')
      const upload = { reason: 'upload', dueAtMs: NOW_MS + 200 } as const
      await catalog().deletions.add([doomed('file:///doomed'), doomed('file:///later', upload)])

      expect(await begin(1, 2, NOW_MS + 100)).toBe(false)
      expect(await begin(0, 5)).toBe(true)
      expect(await begin(0, 6, NOW_MS + 100)).toBe(false)
      expect(await begin(4, 6, NOW_MS + 100)).toBe(false)
      expect(await generation()).toBe('5')
      expect(await pathsDue(NOW_MS + 10)).toHaveLength(3)
      expect(await listPurged(NOW_MS)).toHaveLength(1)

      expect(await begin(5, 9, NOW_MS + 100)).toBe(true)
      expect(await generation()).toBe('9')
      expect(await pathsDue(NOW_MS + 99)).toEqual(['file:///unlinked'])
      expect(await listPurged(NOW_MS + 99)).toEqual([])
      expect(await listPurged(NOW_MS + 100)).toHaveLength(1)
      expect(await due(NOW_MS + 200)).toMatchObject([
        { path: 'file:///unlinked', state: 'unlinked', dueAtMs: NOW_MS + 10 },
        ...['doomed', 'unlinking'].map(() => ({ state: 'doomed', dueAtMs: NOW_MS + 100 })),
        { path: 'file:///later', state: 'doomed', dueAtMs: NOW_MS + 200 },
      ])
      expect(await commit(await create(catalog(), 'planets'), 'file:///unlinking')).toEqual({
        outcome: 'committed',
      })
    })

    test('a drop without a purge lists no table', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      await catalog().tables.drop({ tableUuid, expectedVersion: 0 })
      await catalog().deletions.add([doomed('file:///x', { tableUuid, reason: 'upload' })])
      const query = { dueAtMs: NOW_MS * 2, limit: 9 }
      expect(await catalog().deletions.listPurged(query)).toEqual([])
    })

    test('a table that is registered again keeps the rows of files that are deleted', async () => {
      const state = stateOf('planets')
      const { tableUuid } = state.definition
      await catalog().deletions.add([doomed('file:///own', { tableUuid })])
      const [begun] = await begin(await due())
      const deleted = { state: 'unlinked', dueAtMs: NOW_MS } as const
      await catalog().deletions.update([begun as FileDeletion], deleted)
      expect(await catalog().tables.create(newTable(state))).toBe('created')
      expect(await due()).toMatchObject([{ path: 'file:///own', state: 'unlinked' }])
    })

    test('a clone of a snapshot that its source has forgotten is refused', async () => {
      const source = await create(catalog(), 'source')
      const append = appendTo(source, 1n)
      await catalog().tables.commit({ tables: [append], transactions: [] })
      const [snapshot] = append.newSnapshots
      if (snapshot === undefined) throw new Error('no snapshot')
      const copyPathsFromTableUuid = source.definition.tableUuid
      const clone = (name: string, snapshotId: bigint) =>
        catalog().tables.create(
          newTable(stateOf(name), {
            snapshots: [{ ...snapshot, snapshotId }],
            copyPathsFromTableUuid,
          }),
        )
      expect(await clone('a', 1n)).toBe('created')
      await expect(clone('b', 2n)).rejects.toMatchObject({ code: 'snapshot-not-found' })
    })

    test('paths are found staged until their transaction expires', async () => {
      await stage('file:/x')
      const paths = ['/x', 'file:///y', randomUUID()]
      const staged = (nowMs: number) => catalog().paths.findStaged({ paths, nowMs })
      expect(await staged(NOW_MS)).toMatchObject([{ path: '/x', tableUuid: 't' }])
      expect(await staged(NOW_MS + 1)).toEqual([])
    })
  })
}

async function dropAll(catalog: Catalog): Promise<void> {
  for (const { tableUuid } of await catalog.tables.list({ limit: 100 })) {
    const expectedVersion = (await catalog.tables.find({ tableUuid }))?.version ?? 0
    await catalog.tables.drop({ tableUuid, expectedVersion })
  }
}
