import type { Catalog } from '../../src/catalog/catalog.ts'
import type { FileHold } from '../../src/catalog/hold/hold-store.ts'
import { LEASE_MS } from '../../src/core/limits.ts'
import { later } from './later.ts'

export function describeHolds(catalog: () => Catalog): void {
  const hold = (holdId: string, more: Partial<FileHold> = {}): FileHold => ({
    holdId,
    tableUuid: 't',
    snapshotId: 2n ** 63n - 1n,
    manifestList: 'file:///w/t/metadata/snap-1.avro',
    kind: 'export',
    name: 'agency',
    ...more,
  })
  const idsAt = async (nowMs: number) =>
    (await catalog().holds.list(nowMs)).map(({ holdId }) => holdId)

  describe('holds', () => {
    test('what is read is told in full until it ends', async () => {
      const odd = hold('b', { kind: 'query', name: 'ä\0\ud800 "x"', snapshotId: 0n })
      await catalog().holds.keep([hold('a'), odd], 1_100)
      expect(await catalog().holds.list(1_099)).toEqual([hold('a'), odd])
      expect(await idsAt(1_100)).toEqual([])
      await catalog().holds.end(['a', 'of nobody'])
      expect(await idsAt(1_000)).toEqual(['b'])
    })

    test('who renews keeps it, even late, and beside new ones', async () => {
      await catalog().holds.keep([hold('a')], 1_100)
      await catalog().holds.keep([hold('a'), hold('b')], 5_100)
      expect(await idsAt(5_099)).toEqual(['a', 'b'])
      await catalog().holds.keep([hold('b')], 6_100)
      expect(await idsAt(5_100)).toEqual(['b'])
    })

    test('what a clock held that was ahead is held no more once that is put right', async () => {
      const hour = 3_600_000
      await catalog().holds.keep([hold('a')], 24 * hour)
      expect(await idsAt(23 * hour)).toEqual(['a'])
      expect(await idsAt(hour)).toEqual(['a'])
      expect(await later(LEASE_MS + 1, () => idsAt(hour))).toEqual([])
      await catalog().holds.keep([hold('a')], hour + 100)
      expect(await idsAt(hour)).toEqual(['a'])
    })

    test('what is held by a clock ahead is held for as long as it is renewed', async () => {
      const hour = 3_600_000
      await catalog().holds.keep([hold('a'), hold('b')], 24 * hour)
      expect(await idsAt(hour)).toEqual(['a', 'b'])
      await catalog().holds.keep([hold('a')], 24 * hour + 1)
      expect(await later(LEASE_MS + 1, () => idsAt(hour))).toEqual(['a'])
      await catalog().holds.end(['b'])
      // By a clock put right it was looked at in between.
      await catalog().holds.keep([hold('a')], 2 * hour)
      expect(await idsAt(hour)).toEqual(['a'])
      await catalog().holds.keep([hold('a')], 24 * hour + 1)
      expect(await later(3 * LEASE_MS, () => idsAt(hour))).toEqual(['a'])
      expect(await later(5 * LEASE_MS, () => idsAt(hour))).toEqual([])
    })

    test('what ended without a word is forgotten', async () => {
      await catalog().holds.keep([hold('a')], 1_100)
      await catalog().holds.keep([hold('b')], 1_200)
      expect(await catalog().holds.forget(1_100)).toBe(0)
      expect(await catalog().holds.forget(1_101)).toBe(1)
      expect(await idsAt(0)).toEqual(['b'])
    })

    test('many are kept and ended at once, and none is no mistake', async () => {
      const many = Array.from({ length: 3_000 }, (_, i) => hold(String(i).padStart(4, '0')))
      await catalog().holds.keep(many, 2_000)
      expect(await catalog().holds.list(1_999)).toEqual(many)
      await catalog().holds.end(many.map(({ holdId }) => holdId))
      expect(await idsAt(0)).toEqual([])
      await catalog().holds.keep([], 2_000)
      await catalog().holds.end([])
    })
  })
}
