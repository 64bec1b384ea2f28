import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Waiters } from '../../../src/lake/jobs/waiters.ts'

const { signal: nobodyLeaves } = new AbortController()

/** Resolves with the signal's reason when it ends. */
function untilAborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    const end = () => resolve(signal.reason)
    if (signal.aborted) end()
    signal.addEventListener('abort', end)
  })
}

test('who waits is woken when the client leaves, and gives up the place', async () => {
  const waiters = new Waiters(1)
  const client = new AbortController()
  const waiting = waiters.wait(client.signal, untilAborted)
  const refusal = waiters.wait(nobodyLeaves, untilAborted)
  await expect(refusal).rejects.toMatchObject({ code: 'overloaded', facts: { waitingMax: 1 } })
  expect(waiters.count).toBe(1)
  client.abort('left')
  expect(await waiting).toBe('left')
  expect(waiters.count).toBe(0)
  expect(await waiters.wait(client.signal, untilAborted)).toBe('left')
})

test('at the end all who wait are woken, and nobody waits any more', async () => {
  const waiters = new Waiters()
  const waiting = [1, 2, 3].map(() => waiters.wait(nobodyLeaves, untilAborted))
  waiters.close()
  await Promise.all(waiting)
  await waiters.wait(nobodyLeaves, untilAborted)
})

test('nothing is kept of sixty thousand who waited', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const waiters = new Waiters()
  const waitOften = async (times: number) => {
    for (let i = 0; i < times; i++) {
      await waiters.wait(new AbortController().signal, async () => undefined)
    }
    // Timers run between turns, where dead objects leave the lists that hold them weakly.
    await new Promise((resolve) => setTimeout(resolve, 50))
    collect()
    return process.memoryUsage().heapUsed
  }
  const before = await waitOften(10_000)
  expect((await waitOften(60_000)) - before).toBeLessThan(2_000_000)
})
