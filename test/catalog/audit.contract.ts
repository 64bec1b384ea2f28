import type { AuditDecision, NewAuditRow } from '../../src/catalog/audit/audit-store.ts'
import type { DayUsage } from '../../src/catalog/audit/usage-store.ts'
import type { Catalog } from '../../src/catalog/catalog.ts'

const DECISIONS: readonly AuditDecision[] = ['denied', 'allowed', 'allowed', 'hidden']

function rowOf(id: string, more: Partial<NewAuditRow> = {}): NewAuditRow {
  return {
    ...{ rowId: id, timeMs: 1_000, principal: 'anonymous', action: 'readTable', kind: 'table' },
    ...{ subject: 'uuid-1', name: 'sky.planets', decision: 'allowed', content: '{}' },
    ...{ hash: `hash of ${id}`, ...more },
  }
}

export function describeAudit(catalog: () => Catalog): void {
  const listed = async (query: object = {}) => {
    const rows = await catalog().audit.list({ limit: 1_000, ...query })
    return rows.map(({ rowId }) => rowId)
  }

  describe('audit', () => {
    test('rows are as they were added, newest first, and none is added twice', async () => {
      const first = rowOf('a', { content: '{"é":"\u{1f600}"}', name: 'ßky' })
      await catalog().audit.add([first, rowOf('b', { timeMs: 3_000 })])
      await catalog().audit.add([rowOf('a', { name: 'another' }), rowOf('c', { timeMs: 2_000 })])
      await catalog().audit.add([])
      expect(await listed()).toEqual(['b', 'c', 'a'])
      const [found] = await catalog().audit.list({ limit: 1, toMs: 1_001 })
      expect(found).toEqual({ ...first, position: found?.position, seal: null })
    })

    test('rows are found by who, what, on what and when, page by page', async () => {
      const many = Array.from({ length: 700 }, (_, i) =>
        rowOf(`r${i}`, {
          timeMs: 1_000 + Math.floor(i / 10),
          principal: i % 2 === 0 ? 'key:a' : 'key:b',
          action: i % 7 === 0 ? 'dumpTable' : 'readTable',
          subject: i % 3 === 0 ? 'uuid-1' : 'uuid-2',
          decision: DECISIONS[i % 11] ?? 'allowed',
        }),
      )
      await catalog().audit.add(many)
      const newest = many.map(({ rowId }) => rowId).reverse()
      expect(await listed()).toEqual(newest)
      const wanted = { principal: 'key:a', action: 'dumpTable', subject: 'uuid-1', fromMs: 1_020 }
      const matching = many.filter((row) => {
        const { principal, action, subject, timeMs } = row
        return (
          [principal, action, subject].join() === 'key:a,dumpTable,uuid-1' &&
          timeMs >= 1_020 &&
          timeMs < 1_060
        )
      })
      expect(await listed({ ...wanted, toMs: 1_060 })).toEqual(
        matching.map(({ rowId }) => rowId).reverse(),
      )
      const allPages = async (query: object = {}) => {
        const paged: string[] = []
        for (let before: { timeMs: number; position: bigint } | undefined; ; ) {
          const given = { limit: 64, ...query, ...(before && { before }) }
          const page = await catalog().audit.list(given)
          expect(page.length).toBeLessThanOrEqual(64)
          paged.push(...page.map(({ rowId }) => rowId))
          before = page.at(-1)
          if (before === undefined) return paged
        }
      }
      expect(await allPages()).toEqual(newest)
      const refused = many.filter(({ decision }) => decision !== 'allowed')
      expect(await allPages({ decisions: ['hidden', 'denied', 'hidden'] })).toEqual(
        refused.map(({ rowId }) => rowId).reverse(),
      )
    })

    test('a seal has the rows that it names by position and hash, once', async () => {
      const { audit } = catalog()
      expect(await audit.findLastSeal()).toBeUndefined()
      await audit.add(['a', 'b', 'c', 'd'].map((id) => rowOf(id)))
      const [a, b, c, d] = await audit.listOfSeal({ seal: null, limit: 10 })
      if (!(a && b && c && d)) throw new Error('rows are missing')
      expect([a, b, c, d].map(({ rowId }) => rowId)).toEqual(['a', 'b', 'c', 'd'])
      const first = { seal: 1n, hash: 'one', newestMs: 1_000, prunedThrough: 0n }
      await audit.addSeal(first, [a, b, { ...c, hash: 'of another row' }])
      // Another replica was slower; nothing changes.
      await audit.addSeal({ ...first, hash: 'of another' }, [a, b])
      expect(await audit.findLastSeal()).toEqual(first)
      const second = { ...first, seal: 2n, hash: 'two', newestMs: 2_000 }
      await audit.addSeal(second, [a, c])
      const ids = async (seal: bigint | null, after = 0n) =>
        (await audit.listOfSeal({ seal, after, limit: 10 })).map(({ rowId }) => rowId)
      expect([await ids(1n), await ids(2n), await ids(null)]).toEqual([['a', 'b'], ['c'], ['d']])
      expect(await ids(1n, a.position)).toEqual(['b'])
      expect(await audit.findLastSeal()).toEqual(second)
    })

    test('seals are listed in order, and a row of none of them is found', async () => {
      const { audit } = catalog()
      const seal = (n: bigint) => {
        return { seal: n, hash: `${n}`, newestMs: Number(n), prunedThrough: n - 1n }
      }
      expect(await audit.listSeals({ after: 0n, limit: 10 })).toEqual([])
      expect(await audit.findBeyond(0n)).toBeUndefined()
      await audit.add(['a', 'b'].map((id) => rowOf(id)))
      const [a] = await audit.listOfSeal({ seal: null, limit: 1 })
      for (const n of [2n, 10n, 9n]) await audit.addSeal(seal(n), n === 10n && a ? [a] : [])
      expect(await audit.listSeals({ after: 0n, limit: 2 })).toEqual([seal(2n), seal(9n)])
      expect(await audit.listSeals({ after: 9n, limit: 2 })).toEqual([seal(10n)])
      expect(await audit.findBeyond(9n)).toMatchObject({ rowId: 'a', seal: 10n })
      expect(await audit.findBeyond(10n)).toBeUndefined()
    })

    test('seals are pruned as far as all their rows are old, and positions go on', async () => {
      const { audit } = catalog()
      expect(await audit.findLastOlder(5_000)).toBe(0n)
      await audit.add(['a', 'b', 'c'].map((id) => rowOf(id)))
      const rows = await audit.listOfSeal({ seal: null, limit: 10 })
      for (const [i, newestMs] of [1_000, 3_000, 2_000].entries()) {
        const seal = { seal: BigInt(i + 1), hash: `${i}`, newestMs, prunedThrough: 0n }
        await audit.addSeal(seal, rows.slice(i, i + 1))
      }
      expect(await audit.findLastOlder(1_000)).toBe(0n)
      expect(await audit.findLastOlder(2_500)).toBe(1n)
      expect(await audit.findLastOlder(9_000)).toBe(3n)
      expect(await audit.findLastBetween(1_000, 3_000)).toBe(3n)
      expect(await audit.findLastBetween(1_000, 2_000)).toBe(1n)
      expect(await audit.findLastBetween(2_001, 3_000)).toBe(0n)
      expect(await audit.prune(2n)).toBe(2)
      expect(await audit.prune(2n)).toBe(0)
      expect(await listed()).toEqual(['c'])
      expect(await audit.prune(3n)).toBe(1)
      await audit.add([rowOf('d')])
      const [last] = await audit.listOfSeal({ seal: null, limit: 1 })
      expect(last?.position).toBeGreaterThan(rows.at(-1)?.position ?? 0n)
    })
  })

  test('usage is added up by day, principal and namespace', async () => {
    const { usage } = catalog()
    const of = (day: string, principal: string, namespace: string, requests: number): DayUsage => {
      return { day, principal, namespace, requests, bytesReceived: 2 ** 40, bytesSent: requests }
    }
    await usage.add([])
    await usage.add([of('2024-03-17', 'b', 'sky', 1), of('2024-03-17', 'a', 'sky', 2)])
    await Promise.all([
      usage.add([of('2024-03-17', 'a', 'sky', 3), of('2024-03-18', 'a', '', 4)]),
      usage.add([of('2024-03-18', 'a', '', 5), of('2024-03-17', 'a', 'sky', 6)]),
    ])
    const listed = async (query: object = {}) =>
      (await usage.list({ limit: 100, ...query })).map((each) => {
        const { day, principal, namespace, requests, bytesSent } = each
        return [day.slice(-2), principal, namespace, requests, bytesSent].join(' ')
      })
    const [first, second, third] = ['17 a sky 11 11', '17 b sky 1 1', '18 a  9 9']
    expect(await listed()).toEqual([first, second, third])
    expect((await usage.list({ limit: 1 }))[0]?.bytesReceived).toBe(3 * 2 ** 40)
    expect(await listed({ fromDay: '2024-03-18' })).toEqual([third])
    expect(await listed({ toDay: '2024-03-17', principal: 'b' })).toEqual([second])
    expect(await listed({ namespace: '' })).toEqual([third])
    const after = { day: '2024-03-17', principal: 'a', namespace: 'sky' }
    expect(await listed({ after })).toEqual([second, third])
    expect(await listed({ after: { ...after, principal: 'b' } })).toEqual([third])
    expect(await usage.forget('2024-03-18')).toBe(2)
    expect(await usage.forget('2024-03-18')).toBe(0)
    expect(await listed()).toEqual([third])
  })
}
