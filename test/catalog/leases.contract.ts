import type { Catalog } from '../../src/catalog/catalog.ts'
import type { HeldLease } from '../../src/catalog/lease-store.ts'
import { LEASE_MS } from '../../src/core/limits.ts'
import { later } from './later.ts'

const NAME = 'dump 7/csv'

export function describeLeases(catalog: () => Catalog): void {
  const acquire = (owner: string, nowMs: number, name = NAME) =>
    catalog().leases.acquire({ name, owner, nowMs, durationMs: 100 })
  const mustAcquire = async (owner: string, nowMs: number): Promise<HeldLease> => {
    const lease = await acquire(owner, nowMs)
    if (lease.outcome !== 'acquired') throw new Error(`the lease is held: ${owner}`)
    return { name: NAME, owner, fencingToken: lease.fencingToken }
  }
  const renew = (lease: HeldLease, nowMs: number) =>
    catalog().leases.renew({ ...lease, nowMs, durationMs: 100 })

  describe('leases', () => {
    test('a lease is held by one until it expires, by its own owner, too', async () => {
      await mustAcquire('ada', 1_000)
      const held = { outcome: 'held', expiresAtMs: 1_100 }
      expect(await acquire('bob', 1_000)).toEqual(held)
      expect(await acquire('bob', 1_099)).toEqual(held)
      expect(await acquire('ada', 1_050)).toEqual(held)
      expect(await acquire('bob', 1_000, 'another')).toMatchObject({ outcome: 'acquired' })
      expect(await acquire('bob', 1_100)).toMatchObject({ outcome: 'acquired' })
      expect(await acquire('ada', 1_100)).toEqual({ outcome: 'held', expiresAtMs: 1_200 })
    })

    test('whoever looks sees whether it is held', async () => {
      const isHeld = (nowMs: number, name = NAME) => catalog().leases.isHeld({ name, nowMs })
      expect(await isHeld(1_000)).toBe(false)
      const lease = await mustAcquire('ada', 1_000)
      expect([await isHeld(1_000), await isHeld(1_099)]).toEqual([true, true])
      expect([await isHeld(1_100), await isHeld(1_050, 'another')]).toEqual([false, false])
      await catalog().leases.release(lease)
      expect(await isHeld(1_010)).toBe(false)
    })

    test('who renews keeps it, even late, as long as nobody took it', async () => {
      const lease = await mustAcquire('ada', 1_000)
      expect(await renew(lease, 1_090)).toBe('renewed')
      expect(await acquire('bob', 1_150)).toEqual({ outcome: 'held', expiresAtMs: 1_190 })
      expect(await renew(lease, 5_000)).toBe('renewed')
      expect(await acquire('bob', 5_099)).toEqual({ outcome: 'held', expiresAtMs: 5_100 })
    })

    test('who lost it can neither renew nor release it', async () => {
      const lost = await mustAcquire('ada', 1_000)
      const lease = await mustAcquire('bob', 1_100)
      expect(await renew(lost, 1_101)).toBe('lost')
      expect(await catalog().leases.release(lost)).toBe('lost')
      expect(await renew({ ...lost, owner: 'bob' }, 1_101)).toBe('lost')
      expect(await renew({ ...lease, owner: 'ada' }, 1_101)).toBe('lost')
      expect(await renew({ ...lease, name: 'another' }, 1_101)).toBe('lost')
      expect(await acquire('ada', 1_150)).toEqual({ outcome: 'held', expiresAtMs: 1_200 })
      expect(await renew(lease, 1_150)).toBe('renewed')
    })

    test('a released lease is free at once, and its holder has lost it', async () => {
      const lease = await mustAcquire('ada', 1_000)
      expect(await catalog().leases.release(lease)).toBe('released')
      expect(await catalog().leases.release(lease)).toBe('lost')
      expect(await renew(lease, 1_010)).toBe('lost')
      await mustAcquire('bob', 1_010)
    })

    test('a lease of a clock that was ahead holds nobody up once that is put right', async () => {
      const year = 365 * 86_400_000
      const isHeld = () => catalog().leases.isHeld({ name: NAME, nowMs: 2_000 })
      const living = await mustAcquire('ada', year)
      expect(await acquire('bob', 2_000)).toMatchObject({ outcome: 'held' })
      expect(await later(LEASE_MS / 2, isHeld)).toBe(true)
      // Who holds it lives.
      expect(await renew(living, year + 50)).toBe('renewed')
      expect(await later(LEASE_MS + 1, isHeld)).toBe(true)
      expect(await renew(living, year + 60)).toBe('renewed')
      const asked = await later(3 * LEASE_MS, () => acquire('bob', 2_000))
      expect(asked).toMatchObject({ outcome: 'held' })
      // Until they are killed.
      expect(await later(5 * LEASE_MS, isHeld)).toBe(false)
      const lease = await later(5 * LEASE_MS, () => mustAcquire('bob', 2_000))
      expect(await renew(living, year + 70)).toBe('lost')
      expect(await acquire('ada', 2_050)).toEqual({ outcome: 'held', expiresAtMs: 2_100 })
      expect(await catalog().leases.release(lease)).toBe('released')
      const late = await mustAcquire('ada', year)
      expect(await catalog().leases.release(late)).toBe('released')
      await mustAcquire('bob', 2_100)
    })

    test('tokens of one name grow, whoever acquires it, and after it was forgotten', async () => {
      const tokens: bigint[] = []
      let nowMs = 1_700_000_000_000
      for (let turn = 0; turn < 9; turn++) {
        const lease = await mustAcquire(turn % 2 === 0 ? 'ada' : 'bob', nowMs)
        tokens.push(lease.fencingToken)
        if (turn % 3 === 0) await catalog().leases.release(lease)
        else nowMs += 100
        if (turn === 5) expect(await catalog().leases.forget(nowMs + 1)).toBe(1)
      }
      const grown = [...new Set(tokens)].sort((a, b) => (a < b ? -1 : 1))
      expect(tokens).toEqual(grown)
    })

    test('leases that ended before an instant are forgotten, held ones are not', async () => {
      await acquire('ada', 1_000, 'over')
      await acquire('ada', 1_001, 'held')
      expect(await catalog().leases.forget(1_101)).toBe(1)
      expect(await acquire('bob', 1_050, 'held')).toMatchObject({ outcome: 'held' })
      expect(await acquire('bob', 1_050, 'over')).toMatchObject({ outcome: 'acquired' })
    })

    test('a token ahead of the clock is not forgotten: the next one is greater', async () => {
      const tokens: bigint[] = []
      for (let turn = 0; turn < 9; turn++) {
        const lease = await mustAcquire('ada', 1_000)
        tokens.push(lease.fencingToken)
        await catalog().leases.release(lease)
      }
      expect(await catalog().leases.forget(1_005)).toBe(0)
      tokens.push((await mustAcquire('bob', 1_005)).fencingToken)
      expect(tokens).toEqual(tokens.map((_, index) => 1_000n + BigInt(index)))
      expect(await catalog().leases.forget(1_106)).toBe(1)
      expect((await mustAcquire('bob', 1_106)).fencingToken).toBe(1_106n)
    })

    test('a lease that was forgotten is lost to its holder', async () => {
      const lease = await mustAcquire('ada', 1_000)
      expect(await catalog().leases.forget(1_101)).toBe(1)
      expect(await renew(lease, 1_101)).toBe('lost')
      expect(await catalog().leases.release(lease)).toBe('lost')
    })

    test('of many who ask at once, one acquires it', async () => {
      for (let nowMs = 1_000; nowMs < 2_000; nowMs += 100) {
        const owners = Array.from({ length: 6 }, (_, index) => `${nowMs}-${index}`)
        const outcomes = await Promise.all(owners.map((owner) => acquire(owner, nowMs)))
        expect(outcomes.filter(({ outcome }) => outcome === 'acquired')).toHaveLength(1)
      }
    })
  })
}
