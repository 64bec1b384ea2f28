import { setTimeout as sleep } from 'node:timers/promises'
import type { Catalog } from '../../src/catalog/catalog.ts'
import type { HeldTurn, TurnStore } from '../../src/catalog/turn-store.ts'
import type { OpenedCatalog } from './catalog-samples.ts'

const WAIT_MS_MAX = 20_000

/** Turns of two stores over one database, as two processes have them. */
export function describeTurns(opened: () => OpenedCatalog): void {
  describe('turns', () => {
    let others: Catalog[]
    beforeEach(() => {
      others = []
    })
    afterEach(async () => {
      for (const other of others) await other.close()
    })

    const another = async (): Promise<TurnStore> => {
      const other = await opened().openAnother?.()
      if (other === undefined) throw new Error('this catalog cannot be shared')
      others.push(other)
      return other.turns
    }
    const mustTake = async (turns: TurnStore, ...names: string[]): Promise<HeldTurn> => {
      const held = await turns.take({ names, waitMsMax: WAIT_MS_MAX })
      if (held === undefined) throw new Error(`no turn of ${names} was had`)
      return held
    }

    test('one has it at a time, and the next has waited', async () => {
      const [one, other] = [opened().catalog.turns, await another()]
      const first = await mustTake(one, 'a')
      expect(first.hasWaited).toBe(false)
      let isOver = false
      const second = mustTake(other, 'a').then((held) => {
        expect(isOver).toBe(true)
        return held
      })
      expect((await mustTake(other, 'b')).hasWaited).toBe(false)
      await sleep(20)
      isOver = true
      await first.end()
      expect((await second).hasWaited).toBe(true)
      await (await second).end()
      const third = await mustTake(one, 'a')
      expect(third.hasWaited).toBe(false)
      await third.end()
    })

    test('who waits in vain gives up in time, and can wait again', async () => {
      const [one, other] = [opened().catalog.turns, await another()]
      const held = await mustTake(one, 'a')
      const beganAtMs = performance.now()
      expect(await other.take({ names: ['a'], waitMsMax: 100 })).toBeUndefined()
      expect(performance.now() - beganAtMs).toBeGreaterThanOrEqual(95)
      const waiting = mustTake(other, 'a')
      await held.end()
      await (await waiting).end()
    })

    test('whoever looks sees whether somebody has it', async () => {
      const [one, other] = [opened().catalog.turns, await another()]
      expect(await other.isTaken('a')).toBe(false)
      const held = await mustTake(one, 'a')
      expect(await other.isTaken('a')).toBe(true)
      expect(await other.isTaken('b')).toBe(false)
      await held.end()
      expect(await other.isTaken('a')).toBe(false)
    })

    test('two who never rest have it in turns', async () => {
      const turns: number[] = []
      const take = async (store: TurnStore, process: number) => {
        while (turns.length < 40) {
          const held = await mustTake(store, 'a')
          turns.push(process)
          await sleep(2)
          await held.end()
        }
      }
      await Promise.all([take(opened().catalog.turns, 0), take(await another(), 1)])
      const share = turns.filter((process) => process === 0).length / turns.length
      expect(share).toBeGreaterThan(0.3)
      expect(share).toBeLessThan(0.7)
    })

    test('several names in whatever order do not wait for each other for ever', async () => {
      const take = async (store: TurnStore, names: string[]) => {
        for (let i = 0; i < 10; i++) await (await mustTake(store, ...names)).end()
      }
      await Promise.all([
        take(opened().catalog.turns, ['a', 'b', 'c']),
        take(await another(), ['c', 'b', 'a']),
      ])
    })

    test('a process that closes leaves its turns to others', async () => {
      const other = await opened().openAnother?.()
      await other?.turns.take({ names: ['a'], waitMsMax: WAIT_MS_MAX })
      await other?.close()
      await (await mustTake(opened().catalog.turns, 'a')).end()
    })
  })
}
