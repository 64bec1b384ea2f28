import type { Catalog } from '../../../src/catalog/catalog.ts'
import type { HeldLease } from '../../../src/catalog/lease-store.ts'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import { forgetOldLeases } from '../../../src/lake/jobs/old-leases.ts'

const DAY_MS = 24 * 3600 * 1000
const START_MS = Date.UTC(2026, 10, 27)
const DURATION_MS = 10_000

let catalog: Catalog
let nowMs: number
beforeEach(async () => {
  catalog = await openSqliteCatalog({ path: ':memory:' })
  await catalog.migrate()
  nowMs = START_MS
})
afterEach(() => catalog.close())

const forget = () => forgetOldLeases({ catalog, ambient: { nowMs: () => nowMs } })

async function mustAcquire(name: string): Promise<HeldLease> {
  const request = { name, owner: 'ada', nowMs, durationMs: DURATION_MS }
  const lease = await catalog.leases.acquire(request)
  if (lease.outcome !== 'acquired') throw new Error(`${name} is held`)
  return { name, owner: 'ada', fencingToken: lease.fencingToken }
}

const release = (lease: HeldLease) => catalog.leases.release(lease)

test('leases that ended a day ago are forgotten, released or not; younger ones stay', async () => {
  await release(await mustAcquire('released'))
  const expired = await mustAcquire('expired')
  nowMs += DAY_MS
  expect(await forget()).toBe(0)
  const held = await mustAcquire('held')
  nowMs += DURATION_MS + 1
  expect(await forget()).toBe(2)
  expect(await forget()).toBe(0)
  const renewal = { nowMs, durationMs: DURATION_MS }
  expect(await catalog.leases.renew({ ...expired, ...renewal })).toBe('lost')
  expect(await catalog.leases.renew({ ...held, ...renewal })).toBe('renewed')
})

test('with six names and a sweep an hour, no more than a day of rows is there', async () => {
  for (let index = 0; index < 3 * 24 * 6; index++) {
    nowMs += 600_000
    await release(await mustAcquire(`dump ${index}`))
    if (index % 6 === 5) await forget()
  }
  nowMs += 2 * DAY_MS
  expect(await forget()).toBeLessThanOrEqual(25 * 6)
})

test('the tokens of a name grow over all sweeps', async () => {
  let last = 0n
  for (let hour = 0; hour < 200; hour++) {
    const lease = await mustAcquire('dump')
    expect(lease.fencingToken).toBeGreaterThan(last)
    last = lease.fencingToken
    await release(lease)
    nowMs += hour % 7 === 0 ? 2 * DAY_MS : 1
    await forget()
  }
})
