import { setTimeout as pause } from 'node:timers/promises'
import { startHousekeeping } from '../src/housekeeping.ts'

test('tasks run one after the other, again and again, and a failure stops none', async () => {
  const ran: string[] = []
  const warnings: string[] = []
  let done: () => void = () => undefined
  const isDone = new Promise<void>((resolve) => {
    done = resolve
  })
  const run = (name: string) => async () => {
    ran.push(name)
    await Promise.resolve()
    ran.push(`${name} ended`)
    if (name === 'b' && ran.length > 8) done()
    if (name === 'a') throw new Error('a is stuck')
  }
  const housekeeping = startHousekeeping(
    [
      { warning: 'a stays', run: run('a') },
      { warning: 'b stays', run: run('b') },
    ],
    { everyMs: 1, log: { warn: (_, message) => warnings.push(message) } },
  )
  await isDone
  await housekeeping.close()
  const round = ['a', 'a ended', 'b', 'b ended']
  expect(ran.length % round.length).toBe(0)
  expect(ran).toEqual(ran.map((_, i) => round[i % round.length]))
  expect(warnings).toEqual(ran.filter((name) => name === 'a').map(() => 'a stays'))
  const { length } = ran
  await pause(20)
  expect(ran).toHaveLength(length)
})
