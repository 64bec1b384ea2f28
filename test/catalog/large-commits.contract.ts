import type { Catalog } from '../../src/catalog/catalog.ts'
import type { FileDeletion, NewDeletion } from '../../src/catalog/deletion-store.ts'
import type { TableCommit } from '../../src/catalog/table-store.ts'
import type { TableState } from '../../src/core/table/table.ts'
import { appendTo, create } from './catalog-samples.ts'

const NOW_MS = 1_000_000
const FILES = 40_000
/** There are 20 slices of paths, and small commits may take longer than a slice. */
const BETWEEN_MIN = 4
const paths = Array.from({ length: FILES }, (_, i) => `file:///data/${i}.parquet`)
const LAST = paths.slice(-2)

/** Commits of so many files that their paths are made known before the commit's transaction. */
export function describeLargeCommits(catalog: () => Catalog): void {
  const commit = (table: TableCommit, rewritten: ReadonlySet<string> = new Set()) =>
    catalog().tables.commit({ tables: [table], transactions: [], rewritten })
  const doom = async (path: string, mark = 'm'): Promise<FileDeletion> => {
    const deletion: NewDeletion = {
      ...{ path, tableUuid: 't', mark, reason: 'purge', dueAtMs: NOW_MS },
    }
    await catalog().deletions.add([deletion])
    const due = await catalog().deletions.listDue({ nowMs: NOW_MS, limit: 10 })
    return due.find((row) => row.path === path) as FileDeletion
  }
  const unlink = (deletions: readonly FileDeletion[], examined: readonly string[] = []) =>
    catalog().deletions.beginUnlinking({
      ...{ deletions, examinedTableUuids: new Set(examined) },
      ...{ nowMs: NOW_MS, dueAtMs: NOW_MS + 10 },
    })
  const isKnown = async (tableUuid: string) =>
    (await catalog().paths.findKnown(tableUuid, LAST)).size === LAST.length

  describe('commits of very many files', () => {
    test('commits to other tables come in between', async () => {
      const large = await create(catalog(), 'planets')
      let other = await create(catalog(), 'moons')
      let isDone = false
      const committing = commit(appendTo(large, 1n, paths)).finally(() => {
        isDone = true
      })
      let between = 0
      for (let id = 2n; !isDone; id++) {
        const small = appendTo(other, id, [`file:///data/moon-${id}`])
        expect(await commit(small)).toEqual({ outcome: 'committed' })
        other = small.state
        if (!isDone) between += 1
      }
      expect(await committing).toEqual({ outcome: 'committed' })
      expect(between).toBeGreaterThanOrEqual(BETWEEN_MIN)
      expect(await isKnown(large.definition.tableUuid)).toBe(true)
    })

    test('a file that is doomed is taken from deletion, others stay', async () => {
      const state = await create(catalog(), 'planets')
      const doomed = await doom(LAST[0] as string)
      const elsewhere = await doom('file:///data/elsewhere')
      expect(await commit(appendTo(state, 1n, paths))).toEqual({ outcome: 'committed' })
      expect(await unlink([doomed, elsewhere], [state.definition.tableUuid])).toEqual([
        expect.objectContaining({ path: 'file:///data/elsewhere' }),
      ])
    })

    test('a file that is being deleted refuses them, and nothing changes', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const doomed = await doom(LAST[1] as string)
      expect(await unlink([doomed])).toHaveLength(1)
      const refused = commit(appendTo(state, 1n, paths))
      await expect(refused).rejects.toMatchObject({ deletions: [{ path: LAST[1] }] })
      expect(await catalog().tables.find({ tableUuid })).toStrictEqual(state)
      expect(await catalog().snapshots.find(tableUuid, 1n)).toBeUndefined()
    })

    test('what a refused one has made known goes with the table', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      expect(await unlink([await doom(LAST[1] as string)])).toHaveLength(1)
      await expect(commit(appendTo(state, 1n, paths))).rejects.toThrow()
      const again = paths.slice(0, 10_000)
      expect(await commit(appendTo(state, 2n, again))).toEqual({ outcome: 'committed' })
      expect(await catalog().tables.drop({ tableUuid, expectedVersion: 1 })).toBe('dropped')
      expect(await isKnown(tableUuid)).toBe(false)
    })

    test('footers come with the commit, and stay where it is refused', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const [known, silent] = paths.slice(0, 2) as [string, string]
      const footersOf = async () =>
        [...(await catalog().paths.findFooters(tableUuid, paths.slice(0, 6_000)))].map(
          ([path, footer]) => [path, footer.slice(0, 2)],
        )
      const many = paths.slice(0, 6_000)
      const named = (of: TableState, id: bigint, footers: ReadonlyMap<string, string>) => ({
        ...appendTo(of, id, many),
        footers,
      })
      const before = new Map([known, silent].map((path) => [path, 'aa'.repeat(32)]))
      const first = { ...appendTo(state, 1n, [known, silent]), footers: before }
      expect(await commit(first)).toEqual({ outcome: 'committed' })

      const after = new Map([known, paths[5_999] as string].map((path) => [path, 'bb'.repeat(32)]))
      const doomed = await doom(paths[5_000] as string)
      expect(await unlink([doomed])).toHaveLength(1)
      await expect(commit(named(first.state, 2n, after))).rejects.toThrow('is being deleted')
      expect(await footersOf()).toEqual([known, silent].map((path) => [path, 'aa']))

      await catalog().deletions.update([{ ...doomed, state: 'unlinking' }], {
        ...{ state: 'doomed', dueAtMs: NOW_MS },
      })
      expect(await commit(named(first.state, 2n, after))).toEqual({ outcome: 'committed' })
      expect(await footersOf()).toEqual([...after.keys()].map((path) => [path, 'bb']))
    })

    test('a stale one makes nothing known', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      const small = appendTo(state, 1n, ['file:///data/small'])
      expect(await commit(small)).toEqual({ outcome: 'committed' })
      const stale = await commit(appendTo(state, 2n, paths))
      expect(stale).toEqual({ outcome: 'version-mismatch', tableUuid })
      expect(await catalog().paths.findKnown(tableUuid, paths.slice(0, 9))).toEqual(new Set())
    })
  })
}
