import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import type { Catalog } from '../../src/catalog/catalog.ts'
import type { OpenTransactionsQuery, Staging } from '../../src/catalog/transaction-store.ts'
import type { Transaction } from '../../src/core/table/transaction.ts'
import { dataFiles } from './arbitraries.ts'
import { openTransaction, stagedFileOf } from './catalog-samples.ts'

export function describeTransactions(catalog: () => Catalog): void {
  const start = async (overrides: Partial<Transaction> = {}): Promise<string> => {
    const transaction = openTransaction(overrides)
    await catalog().transactions.start(transaction)
    return transaction.transactionId
  }
  const stage = (transactionId: string, staging: Partial<Staging> = {}) =>
    catalog().transactions.stage({
      transactionId,
      tableUuid: 'planets',
      currentSnapshotId: null,
      addedFilesMax: 10_000,
      ...staging,
    })

  describe('transactions', () => {
    test('a transaction is found as it was started, strange letters included', async () => {
      const transaction = openTransaction({
        author: null,
        message: 'a\u0000b\ud800c',
        isolation: 'overwrite',
      })
      await catalog().transactions.start(transaction)
      expect(await catalog().transactions.find(transaction.transactionId)).toStrictEqual(
        transaction,
      )
      expect(await catalog().transactions.find(randomUUID())).toBeUndefined()
      await expect(catalog().transactions.start(transaction)).rejects.toBeDefined()
    })

    test('open transactions are listed newest first, expired ones apart', async () => {
      const lives = { expiresAtMs: 9_000 }
      const ids: string[] = []
      for (const createdAtMs of [100, 100, 200, 300])
        ids.push(await start({ createdAtMs, ...lives }))
      const late = await start({ createdAtMs: 250, expiresAtMs: 5_000 })
      const aborted = await start({ createdAtMs: 260, ...lives })
      await catalog().transactions.abort(aborted, 270)
      const page = { atMs: 5_000, limit: 1_000 }
      const mine = async (query: Partial<OpenTransactionsQuery>) => {
        const found = await catalog().transactions.listOpen({ is: 'open', ...page, ...query })
        const own = new Set([...ids, late, aborted])
        return found.map((each) => each.transactionId).filter((id) => own.has(id))
      }
      const [first = '', second = ''] = ids.slice(0, 2).sort().reverse()
      expect(await mine({})).toEqual([ids[3], ids[2], first, second])
      expect(await mine({ is: 'expired' })).toEqual([late])
      const before = { createdAtMs: 100, transactionId: first }
      expect(await mine({ before })).toEqual([second])
      expect(await catalog().transactions.listOpen({ is: 'open', ...page, limit: 2 })).toHaveLength(
        2,
      )
    })

    test('staged changes are listed by first touch, files in the order of staging', async () => {
      const id = await start()
      const names = ['c', 'a', 'b', 'z', 'y'].map((name) => `file:///${name}`)
      await stage(id, { tableUuid: 'second', addedFiles: [stagedFileOf('file:///x')] })
      await stage(id, { addedFiles: names.slice(0, 3).map(stagedFileOf), currentSnapshotId: 9n })
      await stage(id, { addedFiles: names.slice(3).map(stagedFileOf), currentSnapshotId: 10n })
      await stage(id, { removedPaths: ['file:///r2', 'file:///r1'], truncate: true })
      await stage(id, { removedPaths: ['file:///r1'], truncate: false })
      expect(await catalog().transactions.listStaged(id)).toStrictEqual([
        {
          tableUuid: 'second',
          baseSnapshotId: null,
          truncate: false,
          removedPaths: [],
          addedFiles: [stagedFileOf('file:///x')],
        },
        {
          tableUuid: 'planets',
          baseSnapshotId: 9n,
          truncate: true,
          removedPaths: ['file:///r1', 'file:///r2'],
          addedFiles: names.map(stagedFileOf),
        },
      ])
      expect(await catalog().transactions.listStaged(await start())).toEqual([])
    })

    test('the first touch fixes the base, whatever it stages', async () => {
      const id = await start()
      await stage(id, { currentSnapshotId: 2n ** 63n - 1n })
      await stage(id, { currentSnapshotId: 5n, truncate: true })
      const [change] = await catalog().transactions.listStaged(id)
      expect(change).toMatchObject({ baseSnapshotId: 2n ** 63n - 1n, truncate: true })
    })

    test('a file that is staged already is named, and nothing is staged', async () => {
      const id = await start()
      await stage(id, { addedFiles: [stagedFileOf('file:///a')] })
      const files = ['file:///b', 'file:///a'].map(stagedFileOf)
      const duplicate = { outcome: 'duplicate', path: 'file:///a' }
      expect(await stage(id, { addedFiles: files, truncate: true })).toEqual(duplicate)
      const twice = ['file:///c', 'file:///a2', 'file:///a2'].map(stagedFileOf)
      expect(await stage(id, { addedFiles: twice })).toEqual({ ...duplicate, path: 'file:///a2' })
      const [change] = await catalog().transactions.listStaged(id)
      expect(change).toMatchObject({ truncate: false, addedFiles: [stagedFileOf('file:///a')] })
      // Another table, another transaction and a removal are no duplicates.
      const again = [stagedFileOf('file:///a')]
      const staged = { outcome: 'staged' }
      expect(await stage(id, { addedFiles: again, tableUuid: 'moons' })).toEqual(staged)
      expect(await stage(await start(), { addedFiles: again })).toEqual(staged)
      expect(await stage(id, { removedPaths: ['file:///a'] })).toEqual(staged)
    })

    test('of many stagings of one file at once, one is staged', async () => {
      const id = await start()
      const files = [stagedFileOf('file:///a')]
      const outcomes = await Promise.all(
        Array.from({ length: 8 }, () => stage(id, { addedFiles: files })),
      )
      expect(outcomes.filter(({ outcome }) => outcome === 'staged')).toHaveLength(1)
      expect(outcomes.filter(({ outcome }) => outcome === 'duplicate')).toHaveLength(7)
    })

    test('a transaction takes no more files than it may, over all its tables', async () => {
      const id = await start()
      const two = ['file:///a', 'file:///b'].map(stagedFileOf)
      const limited = { addedFilesMax: 3 }
      await stage(id, { addedFiles: two, ...limited })
      const other = { tableUuid: 'moons', ...limited }
      expect(await stage(id, { addedFiles: two, ...other })).toEqual({ outcome: 'too-many-files' })
      const one = [stagedFileOf('file:///c')]
      expect(await stage(id, { addedFiles: one, ...other })).toEqual({ outcome: 'staged' })
      expect(await stage(id, { addedFiles: one, ...limited })).toEqual({
        outcome: 'too-many-files',
      })
      expect(await stage(id, { truncate: true, ...limited })).toEqual({ outcome: 'staged' })
      expect(await catalog().transactions.listStaged(id)).toHaveLength(2)
    })

    test('thousands of files are staged at once, and their order is kept', async () => {
      const id = await start()
      const files = Array.from({ length: 3_000 }, (_, index) => stagedFileOf(`file:///${index}`))
      expect(await stage(id, { addedFiles: files })).toEqual({ outcome: 'staged' })
      const removedPaths = files.map((file) => file.dataFile.path).sort()
      await stage(id, { removedPaths })
      const [change] = await catalog().transactions.listStaged(id)
      expect(change?.addedFiles).toEqual(files)
      expect(change?.removedPaths).toEqual(removedPaths)
    })

    test('what is staged to long lists is listed whole, or not yet', async () => {
      const id = await start()
      const paths = (from: number) => Array.from({ length: 1_000 }, (_, i) => `f:/${from + i}`)
      const stageAll = async (tableUuid: string, from: number) => {
        const addedFiles = paths(from).map((path) => stagedFileOf(path))
        const staging = { tableUuid, addedFiles, removedPaths: paths(from + 50_000) }
        expect(await stage(id, staging)).toEqual({ outcome: 'staged' })
      }
      await stageAll('moons', 0)
      await stageAll('planets', 1_000)
      let isDone = false
      const staging = (async () => {
        for (let from = 2_000; from < 6_000; from += 1_000) await stageAll('moons', from)
        isDone = true
      })()
      do {
        const lengths = (await catalog().transactions.listStaged(id)).map((change) => [
          change.addedFiles.length % 1_000,
          change.addedFiles.length - change.removedPaths.length,
        ])
        expect(lengths).toEqual([
          [0, 0],
          [0, 0],
        ])
      } while (!isDone)
      await staging
      const [moons, planets] = await catalog().transactions.listStaged(id)
      const listed = moons?.addedFiles.map(({ dataFile }) => dataFile.path)
      expect(listed).toEqual([0, 2_000, 3_000, 4_000, 5_000].flatMap(paths))
      expect(planets?.addedFiles.map(({ dataFile }) => dataFile.path)).toEqual(paths(1_000))
      expect(planets?.removedPaths).toEqual(paths(51_000))
    })

    test('every field of a data file survives staging', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(dataFiles, { minLength: 1, maxLength: 3 }), async (some) => {
          const id = await start()
          const addedFiles = some.map((dataFile, index) => ({
            dataFile: { ...dataFile, path: `${dataFile.path}${index}` },
            ...(index > 0 && { readAs: { columns: `${index}`, spec: 'of a spec' } }),
            hasFieldIds: index === 0,
            ...(index > 0 && { isUploaded: index > 1 }),
          }))
          expect(await stage(id, { addedFiles })).toEqual({ outcome: 'staged' })
          const [change] = await catalog().transactions.listStaged(id)
          expect(change?.addedFiles).toStrictEqual(addedFiles)
        }),
        { numRuns: 40 },
      )
    })

    test('an aborted transaction forgets what was staged, and takes no more', async () => {
      const id = await start()
      await stage(id, { addedFiles: [stagedFileOf('file:///a')], removedPaths: ['file:///b'] })
      expect(await catalog().transactions.abort(id, 1_500)).toBe('aborted')
      expect(await catalog().transactions.find(id)).toMatchObject({
        state: 'aborted',
        endedAtMs: 1_500,
      })
      expect(await catalog().transactions.listStaged(id)).toEqual([])
      expect(await stage(id)).toEqual({ outcome: 'not-open' })
      expect(await catalog().transactions.abort(id, 1_600)).toBe('not-open')
      expect(await catalog().transactions.abort(randomUUID(), 1_600)).toBe('not-found')
      expect(await stage(randomUUID())).toEqual({ outcome: 'not-open' })
      expect(await catalog().transactions.find(id)).toMatchObject({ endedAtMs: 1_500 })
    })

    test('an abort of another revision than it expects changes nothing', async () => {
      const id = await start()
      await stage(id, { addedFiles: [stagedFileOf('file:///a')] })
      const { revision } = (await catalog().transactions.find(id)) ?? {}
      await stage(id, { addedFiles: [stagedFileOf('file:///b')] })
      const expected = { revision: revision ?? -1 }
      expect(await catalog().transactions.abort(id, 1_500, expected)).toBe('revision-mismatch')
      expect(await catalog().transactions.find(id)).toMatchObject({ state: 'open' })
      const next = { revision: (revision ?? -1) + 1 }
      expect(await catalog().transactions.abort(id, 1_500, next)).toBe('aborted')
      expect(await catalog().transactions.abort(id, 1_600, next)).toBe('not-open')
    })

    test('transactions that ended or expired before an instant are forgotten', async () => {
      const ended = await start({ expiresAtMs: 9_000 })
      const expired = await start({ expiresAtMs: 1_999 })
      const kept = [await start({ expiresAtMs: 2_000 }), await start({ expiresAtMs: 1_000 })]
      await stage(expired, { addedFiles: [stagedFileOf('file:///a')] })
      await catalog().transactions.abort(ended, 1_500)
      await catalog().transactions.abort(kept[1] ?? '', 2_000)
      expect(await catalog().transactions.forget(2_000)).toBe(2)
      expect(await catalog().transactions.forget(2_000)).toBe(0)
      expect(await catalog().transactions.find(ended)).toBeUndefined()
      expect(await catalog().transactions.find(expired)).toBeUndefined()
      expect(await catalog().transactions.listStaged(expired)).toEqual([])
      for (const id of kept) expect(await catalog().transactions.find(id)).toBeDefined()
    })

    test('more transactions than one step takes are forgotten, too', async () => {
      for (let index = 0; index < 501; index++) await start({ expiresAtMs: index })
      expect(await catalog().transactions.forget(501)).toBe(501)
    })
  })
}
