import { CredentialCache } from '../../../src/objects/bucket/credential-cache.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** A cache whose clock is ahead of the issuer's by so much, and how often that was asked. */
function newCache() {
  const clock = { trueMs: 100 * DAY_MS, aheadMs: 0 }
  let issued = 0
  let isAway = false
  const cache = new CredentialCache(() => clock.trueMs + clock.aheadMs)
  const issue = async () => {
    issued++
    if (isAway) throw new Error('the issuer is away')
    return { settings: {}, expiresAtMs: clock.trueMs + HOUR_MS } as never
  }
  const ask = async () => {
    await cache.get('folder', issue).catch(() => undefined)
    return issued
  }
  const goAway = () => {
    isAway = true
  }
  return { clock, ask, goAway }
}

test('credentials serve for half of their life', async () => {
  const { clock, ask } = newCache()
  expect([await ask(), await ask()]).toEqual([1, 1])
  clock.trueMs += 29 * MINUTE_MS
  expect(await ask()).toBe(1)
  clock.trueMs += 2 * MINUTE_MS
  expect([await ask(), await ask()]).toEqual([2, 2])
})

test('what a clock kept that was ahead is asked for again once that is put right', async () => {
  const { clock, ask } = newCache()
  clock.aheadMs = DAY_MS
  expect(await ask()).toBe(1)
  clock.aheadMs = 0
  expect([await ask(), await ask()]).toEqual([2, 2])
  clock.trueMs += 31 * MINUTE_MS
  expect(await ask()).toBe(3)
})

test('so is a refusal', async () => {
  const { clock, ask, goAway } = newCache()
  goAway()
  clock.aheadMs = DAY_MS
  expect([await ask(), await ask()]).toEqual([1, 1])
  clock.aheadMs = 0
  expect(await ask()).toBe(2)
})
