import fc from 'fast-check'
import { sortInTurns, Turns } from '../../src/core/turns.ts'

function hold(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

test('one of many long works has a slice in each turn of the event loop, in order', async () => {
  let turn = 0
  let isOver = false
  const count = () => {
    turn += 1
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  const slices: { readonly who: number; readonly turn: number }[] = []
  const work = async (who: number) => {
    const turns = new Turns()
    for (let slice = 0; slice < 4; slice++) {
      await turns.take()
      slices.push({ who, turn })
      hold(10)
    }
  }
  await Promise.all([0, 1, 2].map(work))
  isOver = true
  expect(new Set(slices.map((slice) => slice.turn)).size).toBe(slices.length)
  expect(slices.map(({ who }) => who)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
})

test('sorting in turns is sorting, and keeps the order of equals', async () => {
  const keys = fc.array(fc.nat(50), { maxLength: 3_000, size: 'max' })
  await fc.assert(
    fc.asyncProperty(keys, async (some) => {
      const items = some.map((key, index) => ({ key, index }))
      const sorted = await sortInTurns(items, (left, right) => left.key - right.key)
      expect(sorted).toEqual(items.toSorted((left, right) => left.key - right.key))
    }),
    { numRuns: 30 },
  )
})
