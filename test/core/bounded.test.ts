import { inOrder, inWindow } from '../../src/core/bounded.ts'

describe('inOrder', () => {
  test('yields results in the order of the items, whichever ends first', async () => {
    const waiting: (() => void)[] = []
    const results = inOrder([0, 1, 2, 3], 2, async (item) => {
      if (item % 2 === 0) await new Promise<void>((resolve) => waiting.push(resolve))
      else waiting.shift()?.()
      return item
    })
    const seen: number[] = []
    for await (const result of results) seen.push(result)
    expect(seen).toEqual([0, 1, 2, 3])
  })

  test('looks at none of very many items before it is their turn', async () => {
    let looked = 0
    const items = new Proxy(new Array<number>(1_000_000).fill(1), {
      get: (target, name) => {
        if (typeof name === 'string' && /^\d+$/.test(name)) looked += 1
        return Reflect.get(target, name)
      },
    })
    for await (const result of inOrder(items, 4, async (item) => item)) {
      expect(result).toBe(1)
      break
    }
    expect(looked).toBeLessThan(100)
  })

  test('throws a failure in the place of its result, and starts no more', async () => {
    const started: number[] = []
    const seen: number[] = []
    const results = inOrder([0, 1, 2, 3, 4, 5], 1, async (item) => {
      started.push(item)
      if (item === 2) throw new Error('two')
      return item
    })
    const all = async () => {
      for await (const result of results) seen.push(result)
    }
    await expect(all()).rejects.toThrow('two')
    expect(seen).toEqual([0, 1])
    expect(started).toEqual([0, 1, 2])
  })
})

describe('inWindow', () => {
  test('starts nothing while the consumer is busy, and yields in order', async () => {
    const begun: number[] = []
    const seen: number[] = []
    const items = Array.from({ length: 20 }, (_, i) => i)
    const results = inWindow(items, 4, async (item, index) => {
      expect(index).toBe(item)
      begun.push(item)
      if (item % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
      return item
    })
    for await (const result of results) {
      seen.push(result)
      await new Promise((resolve) => setImmediate(resolve))
      expect(begun.length).toBe(Math.min(items.length, result + 4))
    }
    expect(seen).toEqual(items)
  })

  test('waits for what was started when it fails or the consumer stops', async () => {
    for (const failing of [2, undefined]) {
      let running = 0
      const all = async () => {
        const results = inWindow([0, 1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
          running += 1
          if (item === failing) running -= 1
          if (item === failing) throw new Error('two')
          for (let i = 0; i < item; i++) await new Promise((resolve) => setImmediate(resolve))
          running -= 1
          return item
        })
        for await (const result of results) if (result === 3) break
      }
      if (failing === undefined) await all()
      else await expect(all()).rejects.toThrow('two')
      expect(running).toBe(0)
    }
  })
})
