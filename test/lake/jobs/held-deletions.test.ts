import { LEASE_MS } from '../../../src/core/limits.ts'
import { areDeletionsHeld, holdDeletions } from '../../../src/lake/jobs/held-deletions.ts'
import { openWorkshop, START_MS, type Workshop } from '../workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

test('deletions that one process holds are held for all, by one at a time', async () => {
  const other = await shop.another()
  const { signal } = new AbortController()
  expect(await areDeletionsHeld(other)).toBe(false)
  const hold = await holdDeletions(shop.deps, signal)
  expect(await areDeletionsHeld(other)).toBe(true)
  expect(await holdDeletions(other, signal)).toBeUndefined()
  expect(hold?.hasLapsed).toBe(false)
  await hold?.release()
  expect(await areDeletionsHeld(other)).toBe(false)
})

test('a holder that was killed holds nothing for long', async () => {
  const hold = await holdDeletions(shop.deps, new AbortController().signal)
  shop.setClock(START_MS + LEASE_MS)
  expect(await areDeletionsHeld(await shop.another())).toBe(false)
  await hold?.release()
})
