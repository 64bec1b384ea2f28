import { setTimeout as sleep } from 'node:timers/promises'
import { Slots } from '../../src/core/bounded.ts'

test('so many work at once, in their order, and a failure gives its slot back', async () => {
  const slots = new Slots(3)
  let working = 0
  let most = 0
  const began: number[] = []
  const works = Array.from({ length: 20 }, (_, i) =>
    slots.use(async () => {
      began.push(i)
      working += 1
      most = Math.max(most, working)
      await sleep(i % 3)
      working -= 1
      if (i % 4 === 0) throw new Error(`${i}`)
      return i
    }),
  )
  const outcomes = await Promise.allSettled(works)
  expect(outcomes.map(({ status }) => status)).toEqual(
    outcomes.map((_, i) => (i % 4 === 0 ? 'rejected' : 'fulfilled')),
  )
  expect([most, began]).toEqual([3, outcomes.map((_, i) => i)])
  expect(await slots.use(async () => 'free')).toBe('free')
})
